/* Single vectors of AVX2, for loops that other instruction sets share. To be included where that set is on. PQ_MM(x) is the
 * intrinsic function x for vectors of PQ_LANES lanes; where there are fewer than n elements, those past them are 0, or are left as
 * they are. */
#ifndef PQ_VECTORS_H
#define PQ_VECTORS_H
#include <immintrin.h>
#include <stdint.h>

#define PQ_INLINE static inline __attribute__((always_inline))

typedef __m256 pq_floats;
typedef __m256i pq_ints;
enum { PQ_LANES = 8 };
#define PQ_MM(x) _mm256_##x

PQ_INLINE __m256i pq_first_lanes(int32_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

PQ_INLINE pq_ints pq_ints_at(const void *x) { return _mm256_loadu_si256(x); }

PQ_INLINE pq_floats pq_first_floats(const float *x, int32_t n) {
    return n >= PQ_LANES ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, pq_first_lanes(n));
}

PQ_INLINE void pq_put_floats(float *y, int32_t n, pq_floats x) {
    if (n >= PQ_LANES) _mm256_storeu_ps(y, x);
    else _mm256_maskstore_ps(y, pq_first_lanes(n), x);
}

PQ_INLINE __m128i pq_words(pq_ints x) { return _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)); }

PQ_INLINE void pq_put_words(int16_t *y, pq_ints x) { _mm_storeu_si128((void *)y, pq_words(x)); }

PQ_INLINE void pq_put_bytes(uint8_t *y, pq_ints x) { _mm_storel_epi64((void *)y, _mm_packus_epi16(pq_words(x), pq_words(x))); }

/* The bytes of four vectors. */
PQ_INLINE void pq_put_four_bytes(uint8_t *y, const pq_ints x[4]) {
    const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(x[0], x[1]), _mm256_packs_epi32(x[2], x[3]));
    _mm256_storeu_si256((void *)y, _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}
#endif
