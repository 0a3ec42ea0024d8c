/* Quantization of float activations at run time into unsigned bytes, with the vectors of AVX-512. To be included where that set
 * is on. */
#ifndef PQ_DYNAMIC_AVX512_H
#define PQ_DYNAMIC_AVX512_H
#include <immintrin.h>

#include "dynamic.h"

/* What is added to a term to make it a byte. */
static inline int32_t pq_dynamic_offset(pq_dynamic origin) { return (int32_t)(origin.after - origin.lo); }

/* The bytes of n activations; they are written in whole vectors, up to 15 past n. */
static inline void pq_dynamic_cells(const float *x, size_t n, pq_dynamic origin, uint8_t *cells) {
    const __m512 inverse = _mm512_set1_ps(origin.inverse), before = _mm512_set1_ps(origin.before);
    const __m512 lo = _mm512_set1_ps(origin.lo), hi = _mm512_set1_ps(origin.hi);
    const __m512 half = _mm512_set1_ps(0x1.fffffep-2f), sign = _mm512_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = n - i < 16 ? (__mmask16)((1 << (n - i)) - 1) : 0xFFFF;
        const __m512 code = _mm512_add_ps(_mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), inverse), before);
        const __m512 away = _mm512_add_ps(code, _mm512_or_ps(_mm512_and_ps(code, sign), half));
        const __m512 whole = _mm512_roundscale_ps(away, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
        const __m512 clamped = _mm512_min_ps(_mm512_max_ps(whole, lo), hi); /* max gives lo for a NaN */
        const __m512i cell = _mm512_cvttps_epi32(_mm512_sub_ps(clamped, lo));
        _mm_storeu_si128((void *)(cells + i), _mm512_cvtepi32_epi8(cell));
    }
}

/* As pq_dynamic_of, whose loop gcc does not make vectors of. */
static inline pq_dynamic pq_dynamic_of_vectors(const float *x, size_t n, int32_t asymmetric, int32_t litert) {
    __m512 low[4], high[4];
    for (int v = 0; v < 4; v++) low[v] = high[v] = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 64) {
        for (size_t v = 0; v < 4 && i + 16 * v < n; v++) {
            const size_t left = n - i - 16 * v;
            const __m512 part = _mm512_maskz_loadu_ps(left < 16 ? (__mmask16)((1u << left) - 1) : 0xFFFF, x + i + 16 * v);
            low[v] = _mm512_min_ps(part, low[v]); /* which leaves out a NaN */
            high[v] = _mm512_max_ps(part, high[v]);
        }
    }
    const __m512 lowest = _mm512_min_ps(_mm512_min_ps(low[0], low[1]), _mm512_min_ps(low[2], low[3]));
    const __m512 highest = _mm512_max_ps(_mm512_max_ps(high[0], high[1]), _mm512_max_ps(high[2], high[3]));
    return pq_dynamic_between(_mm512_reduce_min_ps(lowest), _mm512_reduce_max_ps(highest), asymmetric, litert);
}
#define pq_dynamic_of pq_dynamic_of_vectors
#endif
