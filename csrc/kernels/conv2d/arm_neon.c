/* conv2d by the multiply-adds of NEON. */
#if defined(__aarch64__)
#include <arm_neon.h>
#include <stdbool.h>
#include <string.h>

#include "layout.h"
#include "pq.h"
#include "rescale_neon.h"

enum { ROWS = 4, PIXELS = 16, TERMS = 256 };

/* sum + the products of a pair of x with 4 channels' pairs of weights */
static inline int32x4_t add_low(int32x4_t sum, int16x8x2_t w, const int16_t *x) {
    return vmlal_n_s16(vmlal_n_s16(sum, vget_low_s16(w.val[0]), x[0]), vget_low_s16(w.val[1]), x[1]);
}

static inline int32x4_t add_high(int32x4_t sum, int16x8x2_t w, const int16_t *x) {
    return vmlal_high_n_s16(vmlal_high_n_s16(sum, w.val[0], x[0]), w.val[1], x[1]);
}

static inline __attribute__((always_inline)) void accumulate_s16(
    const int16_t *x, int rows, const int16_t *w, int32_t terms, int32_t *sums) {
    int32x4_t acc[ROWS][4];
    memcpy(acc, sums, sizeof(int32_t) * BLOCK * (size_t)rows);
    for (int32_t k = 0; k < terms; k += 2, w += 2 * BLOCK) {
        const int16x8x2_t w0 = vld2q_s16(w), w1 = vld2q_s16(w + BLOCK);
        for (int r = 0; r < rows; r++) {
            const int16_t *pair = x + r * TERMS + k;
            acc[r][0] = add_low(acc[r][0], w0, pair), acc[r][1] = add_high(acc[r][1], w0, pair);
            acc[r][2] = add_low(acc[r][2], w1, pair), acc[r][3] = add_high(acc[r][3], w1, pair);
        }
    }
    memcpy(sums, acc, sizeof(int32_t) * BLOCK * (size_t)rows);
}

static inline __attribute__((always_inline)) float32x4_t add_product(float32x4_t sum, float32x4_t w, float x, bool fused) {
    return fused ? vfmaq_n_f32(sum, w, x) : vaddq_f32(sum, vmulq_n_f32(w, x)); /* two roundings, as the reference */
}

static inline __attribute__((always_inline)) void accumulate_either(
    const float *x, int rows, const float *w, int32_t terms, const bool fused, float *sums) {
    float32x4_t acc[ROWS][4];
    memcpy(acc, sums, sizeof(float) * BLOCK * (size_t)rows);
    for (int32_t k = 0; k < terms; k++, w += BLOCK) {
        const float32x4_t factors[4] = {vld1q_f32(w), vld1q_f32(w + 4), vld1q_f32(w + 8), vld1q_f32(w + 12)};
        for (int r = 0; r < rows; r++)
            for (int b = 0; b < 4; b++) acc[r][b] = add_product(acc[r][b], factors[b], x[r * TERMS + k], fused);
    }
    memcpy(sums, acc, sizeof(float) * BLOCK * (size_t)rows);
}

static inline __attribute__((always_inline)) void accumulate_f32(
    const float *x, int rows, const float *w, int32_t terms, bool fused, float *sums) {
    if (fused) accumulate_either(x, rows, w, terms, true, sums);
    else accumulate_either(x, rows, w, terms, false, sums);
}

#define BYTES 0
#define ISA arm_neon
#define EACH "kernels/conv2d/generic.h"
#include "each_type.h"
#endif
