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
#endif
