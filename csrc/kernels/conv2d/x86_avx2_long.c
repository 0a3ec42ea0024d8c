/* conv2d of filters whose terms are too many for panels, by the pairwise multiply-add of AVX2. */
#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "layout.h"
#include "pq.h"

enum { ROWS = 4, PIXELS = 16, TERMS = 256 };

static inline __attribute__((always_inline)) void accumulate_s16(
    const int16_t *x, int rows, const int16_t *w, int32_t terms, int32_t *sums) {
    __m256i acc[ROWS][2];
    memcpy(acc, sums, sizeof(int32_t) * BLOCK * (size_t)rows);
    for (int32_t k = 0; k < terms; k += 2, w += 2 * BLOCK) {
        const __m256i w0 = _mm256_loadu_si256((const void *)w), w1 = _mm256_loadu_si256((const void *)(w + BLOCK));
        for (int r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, x + r * TERMS + k, sizeof pair);
            const __m256i both = _mm256_set1_epi32(pair);
            acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(both, w0));
            acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(both, w1));
        }
    }
    memcpy(sums, acc, sizeof(int32_t) * BLOCK * (size_t)rows);
}

static inline __attribute__((always_inline)) void accumulate_f32(
    const float *x, int rows, const float *w, int32_t terms, bool fused, float *sums) {
    (void)fused;
    __m256 acc[ROWS][2];
    memcpy(acc, sums, sizeof(float) * BLOCK * (size_t)rows);
    for (int32_t k = 0; k < terms; k++, w += BLOCK) {
        const __m256 w0 = _mm256_loadu_ps(w), w1 = _mm256_loadu_ps(w + BLOCK / 2);
        for (int r = 0; r < rows; r++) {
            const __m256 term = _mm256_set1_ps(x[r * TERMS + k]);
            acc[r][0] = _mm256_add_ps(acc[r][0], _mm256_mul_ps(term, w0)); /* two roundings, as the reference */
            acc[r][1] = _mm256_add_ps(acc[r][1], _mm256_mul_ps(term, w1));
        }
    }
    memcpy(sums, acc, sizeof(float) * BLOCK * (size_t)rows);
}

#define BYTES 0
#define ISA x86_avx2_long
#define EACH "kernels/conv2d/generic.h"
#include "each_type.h"
#endif
