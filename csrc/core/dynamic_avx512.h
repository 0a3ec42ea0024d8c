/* Quantization of float activations at run time into unsigned bytes, with the vectors of AVX-512. To be included where that set
 * is on. */
#ifndef PQ_DYNAMIC_AVX512_H
#define PQ_DYNAMIC_AVX512_H
#include <immintrin.h>

#include "dynamic.h"

/* What is added to a term to make it a byte. */
static inline int32_t pq_dynamic_offset(pq_dynamic origin) { return (int32_t)(origin.after - origin.lo); }

/* 16 activations as terms. */
static inline __attribute__((always_inline)) __m512i pq_dynamic_terms(__m512 x, pq_dynamic origin) {
    const __m512 code = _mm512_add_ps(_mm512_mul_ps(x, _mm512_set1_ps(origin.inverse)), _mm512_set1_ps(origin.before));
    const __m512 half = _mm512_or_ps(_mm512_and_ps(code, _mm512_set1_ps(-0.0f)), _mm512_set1_ps(0x1.fffffep-2f));
    const __m512 above = _mm512_max_ps(_mm512_add_ps(code, half), _mm512_set1_ps(origin.lo)); /* which is lo for a NaN */
    return _mm512_cvttps_epi32(_mm512_min_ps(above, _mm512_set1_ps(origin.hi)));
}

/* The bytes of n activations; they are written in whole vectors, up to 15 past n. */
static inline void pq_dynamic_cells(const float *x, size_t n, pq_dynamic origin, uint8_t *cells) {
    const int32_t lo = (int32_t)origin.lo;
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512i words[2];
        for (size_t j = 0; j < 2; j++) {
            const __m512i a = pq_dynamic_terms(_mm512_loadu_ps(x + i + 32 * j), origin), b = pq_dynamic_terms(_mm512_loadu_ps(x + i + 32 * j + 16), origin);
            words[j] = _mm512_sub_epi16(_mm512_packs_epi32(a, b), _mm512_set1_epi16((int16_t)lo));
        }
        _mm512_storeu_si512(cells + i, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(words[0], words[1])));
    }
    for (; i < n; i += 16) {
        const __mmask16 mask = n - i < 16 ? (__mmask16)((1 << (n - i)) - 1) : 0xFFFF;
        const __m512i terms = pq_dynamic_terms(_mm512_maskz_loadu_ps(mask, x + i), origin);
        _mm_storeu_si128((void *)(cells + i), _mm512_cvtepi32_epi8(_mm512_sub_epi32(terms, _mm512_set1_epi32(lo))));
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
