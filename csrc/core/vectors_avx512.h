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

PQ_INLINE pq_floats pq_first_floats(const float *x, int32_t n) { return _mm512_maskz_loadu_ps(pq_first_lanes(n), x); }

PQ_INLINE void pq_put_floats(float *y, int32_t n, pq_floats x) { _mm512_mask_storeu_ps(y, pq_first_lanes(n), x); }

PQ_INLINE void pq_put_words(int16_t *y, pq_ints x) { _mm256_storeu_si256((void *)y, _mm512_cvtepi32_epi16(x)); }

PQ_INLINE void pq_put_bytes(uint8_t *y, pq_ints x) { _mm_storeu_si128((void *)y, _mm512_cvtepi32_epi8(x)); }
#endif
