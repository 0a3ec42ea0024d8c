/* pq_multiply by the vectors of NEON, for every x. To be included where that set is on, before convert.h. */
#ifndef PQ_RESCALE_NEON_H
#define PQ_RESCALE_NEON_H
#include <arm_neon.h>

#include "fixed.h"

static inline int32x4_t pq_multiply_vector(int32x4_t x, int32x4_t m, int32x4_t e) {
    const int32x4_t zero = vdupq_n_s32(0), right = vminq_s32(e, zero); /* by -right */
    const int32x4_t high = vqrdmulhq_s32(vshlq_s32(x, vmaxq_s32(e, zero)), m); /* pq_sdhm */
    /* rounded half up, less 1 where it is negative and shifted: away from zero */
    return vrshlq_s32(vqaddq_s32(high, vshrq_n_s32(vandq_s32(high, right), 31)), right);
}

/* x[i] becomes pq_multiply(x[i], m[i], e[i]). */
static inline void pq_multiply_all(int32_t *restrict x, const int32_t *restrict m, const int32_t *restrict e, int32_t n) {
    int32_t i = 0;
    for (; i + 4 <= n; i += 4) vst1q_s32(x + i, pq_multiply_vector(vld1q_s32(x + i), vld1q_s32(m + i), vld1q_s32(e + i)));
    for (; i < n; i++) x[i] = pq_multiply(x[i], m[i], e[i]);
}
#endif
