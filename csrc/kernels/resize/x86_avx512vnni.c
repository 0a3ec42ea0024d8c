/* resize_bilinear of codes by the vectors of AVX-512; images of one channel or very many, or made far narrower, are left to
 * AVX2, as are those of floats, which it does as fast. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "pq.h"
#include "resize.h"

pq_kernel_function resize_bilinear_s8_x86_avx2, resize_bilinear_s16_x86_avx2, resize_bilinear_u8_x86_avx2;

#define PQ_INLINE static inline __attribute__((always_inline))
#define IS_FIXED_s8 1
#define IS_FIXED_s16 1
#define IS_FIXED_u8 0

enum { MOST = 4096 }; /* numbers of a row that are held, the last 16 never read for what they are */

typedef union {
    float real;
    int32_t whole;
} number;

PQ_INLINE __mmask16 first_lanes(int32_t n) { return n < 16 ? (__mmask16)((1u << n) - 1) : 0xFFFF; }

static int32_t greatest_weights(const int32_t *units, int32_t n) {
    int32_t most = 1024;
    for (int32_t i = 0; i < n; i++) {
        const int32_t weights = abs(units[i]) + abs(1024 - units[i]);
        most = most < weights ? weights : most;
    }
    return most;
}

/* Whether 32 bits hold what is between two rows, and of bytes the sums: weights beyond 0..1 occur at the ends. */
static bool holds(const pq_resize *p, bool fixed, size_t size) {
    if (!fixed) return p->channels > 1;
    const int64_t between = (size == 1 ? INT64_C(128) : 32768) * greatest_weights(p->row_units, p->out_height);
    const int64_t sum = size == 1 ? between * greatest_weights(p->column_units, p->out_width) : between;
    return sum + (1 << 19) < INT64_C(1) << 31;
}

PQ_INLINE __m512i codes_s8(const int8_t *x, __mmask16 mask) { return _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, x)); }
PQ_INLINE __m512i codes_s16(const int16_t *x, __mmask16 mask) { return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, x)); }
PQ_INLINE __m512 codes_u8(const uint8_t *x, __mmask16 mask) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, x)));
}

PQ_INLINE void store_u8(__m512 sum, __mmask16 mask, uint8_t *y) {
    const __m512i whole = _mm512_cvttps_epi32(_mm512_add_ps(sum, _mm512_set1_ps(0.5f)));
    _mm_mask_storeu_epi8(y, mask, _mm512_cvtepi32_epi8(whole));
}

/* a · rest + b · across in units of 2^-20, rounded half away from zero: a half less where it is negative, then to the floor. */
PQ_INLINE void store_sum_s8(__m512i a, __m512i rest, __m512i b, __m512i across, __mmask16 mask, int8_t *y) {
    __m512i sum = _mm512_add_epi32(_mm512_mullo_epi32(a, rest), _mm512_mullo_epi32(b, across));
    sum = _mm512_add_epi32(_mm512_add_epi32(sum, _mm512_srai_epi32(sum, 31)), _mm512_set1_epi32(1 << 19));
    _mm_mask_storeu_epi8(y, mask, _mm512_cvtepi32_epi8(_mm512_srai_epi32(sum, 20)));
}

/* The same of every other lane, in 64 bits. */
PQ_INLINE __m512i rounded_lanes(__m512i a, __m512i rest, __m512i b, __m512i across) {
    __m512i sum = _mm512_add_epi64(_mm512_mul_epi32(a, rest), _mm512_mul_epi32(b, across));
    sum = _mm512_add_epi64(_mm512_add_epi64(sum, _mm512_srai_epi64(sum, 63)), _mm512_set1_epi64(1 << 19));
    return _mm512_srli_epi64(sum, 20);
}

PQ_INLINE void store_sum_s16(__m512i a, __m512i rest, __m512i b, __m512i across, __mmask16 mask, int16_t *y) {
    const __m512i even = rounded_lanes(a, rest, b, across);
    const __m512i odd = rounded_lanes(_mm512_srli_epi64(a, 32), rest, _mm512_srli_epi64(b, 32), across);
    const __m512i codes = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
    _mm256_mask_storeu_epi16(y, mask, _mm512_cvtepi32_epi16(codes));
}

#define ISA x86_avx512vnni
#define TYPE s8
#include "vectors.h"
#define TYPE s16
#include "vectors.h"
#define TYPE u8
#include "vectors.h"
#endif
