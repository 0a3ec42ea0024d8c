#if defined(__aarch64__)
#pragma GCC target("arch=armv8.2-a+dotprod")
#include <arm_neon.h>

#define PEAK peak_s8_arm_neon_dot
#define VECTOR int8x16_t
#define SUM uint32_t
#define MULTIPLY_ADD(sum, x, w) vreinterpretq_s8_s32(vdotq_s32(vreinterpretq_s32_s8(sum), x, w))
#include "generic.h"
#endif
