#if defined(__aarch64__)
#include <arm_neon.h>

#define PEAK peak_s16_arm_neon
#define VECTOR int16x8_t
#define SUM uint32_t
#define MULTIPLY_ADD(sum, x, w) \
    vreinterpretq_s16_s32(vmlal_high_s16(vmlal_s16(vreinterpretq_s32_s16(sum), vget_low_s16(x), vget_low_s16(w)), x, w))
#include "generic.h"

#define PEAK peak_f32_arm_neon
#define VECTOR float32x4_t
#define SUM float
#define MULTIPLY_ADD(sum, x, w) vfmaq_f32(sum, x, w)
#include "generic.h"
#endif
