/* Single vectors of AVX-512: see vectors_avx2.h. To be included where that set is on. */
#ifndef PQ_VECTORS_H
#define PQ_VECTORS_H
#include <immintrin.h>
#include <stdint.h>

#define PQ_INLINE static inline __attribute__((always_inline))

typedef __m512 pq_floats;
typedef __m512i pq_ints;
enum { PQ_LANES = 16 };
#define PQ_MM(x) _mm512_##x

PQ_INLINE __mmask16 pq_first_lanes(int32_t n) { return n >= PQ_LANES ? 0xFFFF : (__mmask16)((1u << n) - 1); }

PQ_INLINE pq_ints pq_ints_at(const void *x) { return _mm512_loadu_si512(x); }

PQ_INLINE pq_floats pq_first_floats(const float *x, int32_t n) {
    return n >= PQ_LANES ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(pq_first_lanes(n), x);
}

PQ_INLINE void pq_put_floats(float *y, int32_t n, pq_floats x) {
    if (n >= PQ_LANES) _mm512_storeu_ps(y, x);
    else _mm512_mask_storeu_ps(y, pq_first_lanes(n), x);
}

PQ_INLINE void pq_put_words(int16_t *y, pq_ints x) { _mm256_storeu_si256((void *)y, _mm512_cvtepi32_epi16(x)); }

PQ_INLINE void pq_put_bytes(uint8_t *y, pq_ints x) { _mm_storeu_si128((void *)y, _mm512_cvtepi32_epi8(x)); }

PQ_INLINE void pq_put_four_bytes(uint8_t *y, const pq_ints x[4]) {
    const __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(x[0], x[1]), _mm512_packs_epi32(x[2], x[3]));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(y, _mm512_permutexvar_epi32(order, bytes));
}
#endif
