/* What conv2d's panels are made and finished with by the vectors of AVX2, two for 16 sums. */
#ifndef PQ_CONV2D_PANEL_AVX2_H
#define PQ_CONV2D_PANEL_AVX2_H
#include <string.h>

#include "layout.h"
#include "pq.h"
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

/* What is added to scaled sums, and what clamps them then, as vectors of int16. */
typedef struct {
    __m256i zero, lo, hi;
} code_limits;

PQ_INLINE code_limits limits_of(int32_t zero, int32_t lo, int32_t hi) {
    return (code_limits){_mm256_set1_epi16((int16_t)zero), _mm256_set1_epi16((int16_t)lo), _mm256_set1_epi16((int16_t)hi)};
}

/* 16 scaled sums -> codes, of the sums 0-3, 8-11, 4-7 and 12-15 */
PQ_INLINE __m256i clamped(sixteen sums, code_limits limits) {
    const __m256i codes = _mm256_adds_epi16(_mm256_packs_epi32(sums.part[0], sums.part[1]), limits.zero);
    return _mm256_min_epi16(_mm256_max_epi16(codes, limits.lo), limits.hi);
}

/* Store the first n bytes, 16 at most. */
PQ_INLINE void put_bytes(__m128i x, int32_t n, char *y) {
    if (n >= 16) {
        _mm_storeu_si128((void *)y, x);
        return;
    }
    if (n & 8) _mm_storel_epi64((void *)y, x), x = _mm_srli_si128(x, 8), y += 8;
    uint64_t rest = (uint64_t)_mm_cvtsi128_si64(x);
    if (n & 4) memcpy(y, &rest, 4), rest >>= 32, y += 4;
    if (n & 2) memcpy(y, &rest, 2), rest >>= 16, y += 2;
    if (n & 1) *y = (char)rest;
}

PQ_INLINE void put_words(__m256i x, int32_t n, char *y) {
    put_bytes(_mm256_castsi256_si128(x), 2 * n, y);
    if (n > 8) put_bytes(_mm256_extracti128_si256(x, 1), 2 * (n - 8), y + 16);
}

/* 16 scaled sums of each of two rows -> codes of n channels at y, and of m at next */
PQ_INLINE void put_codes(sixteen first, sixteen second, code_limits limits, int32_t n, int32_t m, bool words, void *y, void *next) {
    __m256i a = clamped(first, limits), b = clamped(second, limits);
    if (words) {
        put_words(_mm256_permute4x64_epi64(a, 0xD8), n, y);
        if (m > 0) put_words(_mm256_permute4x64_epi64(b, 0xD8), m, next);
        return;
    }
    const __m256i low = _mm256_set1_epi16(255), order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
    const __m256i codes = _mm256_permutevar8x32_epi32(bytes, order);
    put_bytes(_mm256_castsi256_si128(codes), n, y);
    if (m > 0) put_bytes(_mm256_extracti128_si256(codes, 1), m, next);
}

/* 32 scaled sums of two blocks -> codes of n channels at y, all 32 of them where n is more */
PQ_INLINE void store_codes(sixteen first, sixteen second, code_limits limits, int32_t n, bool words, void *y) {
    put_codes(first, second, limits, n, n - BLOCK, words, y, (char *)y + (words ? 2 * BLOCK : BLOCK));
}

/* 16 scaled sums of each of two rows -> codes of n channels at y and at next, which may be NULL */
PQ_INLINE void store_two_rows(sixteen first, sixteen second, code_limits limits, int32_t n, bool words, void *y, void *next) {
    put_codes(first, second, limits, n, next == NULL ? 0 : n, words, y, next);
}
#endif
