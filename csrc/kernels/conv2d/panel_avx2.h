/* What conv2d's panels are made and finished with by the vectors of AVX2, two for 16 sums. */
#ifndef PQ_CONV2D_PANEL_AVX2_H
#define PQ_CONV2D_PANEL_AVX2_H
#include <string.h>

#include "layout.h"
#include "pq.h"
#include "codes_avx2.h"
#include "rescale_avx2.h"
#include "dynamic_vectors.h"
#include "tiles.h"

typedef pq_two_vectors sixteen;

PQ_INLINE sixteen less(sixteen sums, int32_t n) {
    const pq_ints all = _mm256_set1_epi32(n);
    return (sixteen){{_mm256_sub_epi32(sums.part[0], all), _mm256_sub_epi32(sums.part[1], all)}};
}

/* Sums times the first n doubles, rounded half away from zero and clamped to whole numbers. */
PQ_INLINE sixteen scaled_by_doubles(sixteen sums, const double *real, int32_t n, double lo, double hi) {
    const __m256d below_half = _mm256_set1_pd(0x1.fffffffffffffp-2), sign = _mm256_set1_pd(-0.0);
    __m128i whole[4];
    for (int32_t i = 0; i < 4; i++) {
        const __m128i some = i % 2 ? _mm256_extracti128_si256(sums.part[i / 2], 1) : _mm256_castsi256_si128(sums.part[i / 2]);
        const __m256i mask = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(pq_first_lanes(n - 4 * i)));
        const __m256d scaled = _mm256_mul_pd(_mm256_cvtepi32_pd(some), _mm256_maskload_pd(real + 4 * i, mask));
        const __m256d away = _mm256_add_pd(scaled, _mm256_or_pd(_mm256_and_pd(scaled, sign), below_half));
        whole[i] = _mm256_cvttpd_epi32(_mm256_min_pd(_mm256_max_pd(away, _mm256_set1_pd(lo)), _mm256_set1_pd(hi)));
    }
    return (sixteen){{_mm256_set_m128i(whole[1], whole[0]), _mm256_set_m128i(whole[3], whole[2])}};
}

typedef pq_code_limits code_limits;
#define limits_of pq_limits_of

/* 32 scaled sums of two blocks -> codes of n channels at y, all 32 of them where n is more */
PQ_INLINE void store_codes(sixteen first, sixteen second, code_limits limits, int32_t n, bool words, void *y) {
    pq_put_codes(first, second, limits, n, n - BLOCK, words, y, (char *)y + (words ? 2 * BLOCK : BLOCK));
}

/* 16 scaled sums of each of two rows -> codes of n channels at y and at next, which may be NULL */
PQ_INLINE void store_two_rows(sixteen first, sixteen second, code_limits limits, int32_t n, bool words, void *y, void *next) {
    pq_put_codes(first, second, limits, n, next == NULL ? 0 : n, words, y, next);
}
#endif
