/* Codes of scaled sums with the vectors of AVX2. To be included where that set is on. */
#ifndef PQ_CODES_AVX2_H
#define PQ_CODES_AVX2_H
#include <stdbool.h>
#include <string.h>

#include "rescale_avx2.h"

/* What is added to scaled sums, and what clamps them then, as vectors of int16. */
typedef struct {
    __m256i zero, lo, hi;
} pq_code_limits;

PQ_INLINE pq_code_limits pq_limits_of(int32_t zero, int32_t lo, int32_t hi) {
    return (pq_code_limits){_mm256_set1_epi16((int16_t)zero), _mm256_set1_epi16((int16_t)lo), _mm256_set1_epi16((int16_t)hi)};
}

/* 16 scaled sums -> codes, of the sums 0-3, 8-11, 4-7 and 12-15 */
PQ_INLINE __m256i pq_clamped(pq_two_vectors sums, pq_code_limits limits) {
    const __m256i codes = _mm256_adds_epi16(_mm256_packs_epi32(sums.part[0], sums.part[1]), limits.zero);
    return _mm256_min_epi16(_mm256_max_epi16(codes, limits.lo), limits.hi);
}

/* The low bytes of a and b, in turn for each 16 bytes of them. */
PQ_INLINE __m256i pq_low_bytes(__m256i a, __m256i b) {
    const __m256i low = _mm256_set1_epi16(255);
    return _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
}

/* Store the first n bytes, 16 at most. */
PQ_INLINE void pq_put_some_bytes(__m128i x, int32_t n, char *y) {
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

PQ_INLINE void pq_put_some_words(__m256i x, int32_t n, char *y) {
    pq_put_some_bytes(_mm256_castsi256_si128(x), 2 * n, y);
    if (n > 8) pq_put_some_bytes(_mm256_extracti128_si256(x, 1), 2 * (n - 8), y + 16);
}

/* 16 scaled sums of each of two rows -> codes of n channels at y, and of m at next */
PQ_INLINE void pq_put_codes(pq_two_vectors first, pq_two_vectors second, pq_code_limits limits, int32_t n, int32_t m, bool words,
                            void *y, void *next) {
    const __m256i a = pq_clamped(first, limits), b = pq_clamped(second, limits);
    if (words) {
        pq_put_some_words(_mm256_permute4x64_epi64(a, 0xD8), n, y);
        if (m > 0) pq_put_some_words(_mm256_permute4x64_epi64(b, 0xD8), m, next);
        return;
    }
    const __m256i codes = _mm256_permutevar8x32_epi32(pq_low_bytes(a, b), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    pq_put_some_bytes(_mm256_castsi256_si128(codes), n, y);
    if (m > 0) pq_put_some_bytes(_mm256_extracti128_si256(codes, 1), m, next);
}
#endif
