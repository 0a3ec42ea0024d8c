/* Pooling by the vectors of AVX-512; windows whose sums of codes floats do not hold are left to AVX2. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

#include "pool.h"
#include "pq.h"
#include "window.h"

pq_kernel_function average_pool_s8_x86_avx2, average_pool_u8_x86_avx2, average_pool_s16_x86_avx2, average_pool_f32_x86_avx2;
pq_kernel_function max_pool_s8_x86_avx2, max_pool_u8_x86_avx2, max_pool_s16_x86_avx2, max_pool_f32_x86_avx2;

#define PQ_INLINE static inline __attribute__((always_inline))

PQ_INLINE __mmask64 first_bytes(int32_t n) { return n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0); }

PQ_INLINE __mmask16 first_lanes(int32_t n) { return n >= 16 ? 0xFFFF : n > 0 ? (__mmask16)((1u << n) - 1) : 0; }

/* Whether what is divided, sums of codes of `size` bytes and half of their number, stays below 2^24: then a quotient of floats
 * never reaches a whole number that the real one does not. */
PQ_INLINE bool holds(const pq_pool *p, size_t size) {
    const int64_t largest = size == 0 ? 0 : size == 1 ? 256 : 32769;
    return largest * p->filter_height * p->filter_width < 1 << 24;
}

PQ_INLINE __m512i all_s8(int8_t x) { return _mm512_set1_epi8(x); }
PQ_INLINE __m512i all_u8(uint8_t x) { return _mm512_set1_epi8((char)x); }
PQ_INLINE __m512i all_s16(int16_t x) { return _mm512_set1_epi16(x); }
PQ_INLINE __m512i all_f32(float x) { return _mm512_castps_si512(_mm512_set1_ps(x)); }

/* Of equal floats, and where a is not a number, b. */
PQ_INLINE __m512i greater_s8(__m512i a, __m512i b) { return _mm512_max_epi8(a, b); }
PQ_INLINE __m512i greater_u8(__m512i a, __m512i b) { return _mm512_max_epu8(a, b); }
PQ_INLINE __m512i greater_s16(__m512i a, __m512i b) { return _mm512_max_epi16(a, b); }
PQ_INLINE __m512i greater_f32(__m512i a, __m512i b) {
    return _mm512_castps_si512(_mm512_max_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)));
}

PQ_INLINE __m512i lesser_s8(__m512i a, __m512i b) { return _mm512_min_epi8(a, b); }
PQ_INLINE __m512i lesser_u8(__m512i a, __m512i b) { return _mm512_min_epu8(a, b); }
PQ_INLINE __m512i lesser_s16(__m512i a, __m512i b) { return _mm512_min_epi16(a, b); }
PQ_INLINE __m512i lesser_f32(__m512i a, __m512i b) {
    return _mm512_castps_si512(_mm512_min_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)));
}

typedef __m512i numbers_s8, numbers_u8, numbers_s16;
typedef __m512 numbers_f32;

PQ_INLINE __m512i load_s8(__mmask16 mask, const int8_t *x) { return _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, x)); }
PQ_INLINE __m512i load_u8(__mmask16 mask, const uint8_t *x) { return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, x)); }
PQ_INLINE __m512i load_s16(__mmask16 mask, const int16_t *x) { return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, x)); }
PQ_INLINE __m512 load_f32(__mmask16 mask, const float *x) { return _mm512_maskz_loadu_ps(mask, x); }

PQ_INLINE __m512i add_s8(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
PQ_INLINE __m512i add_u8(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
PQ_INLINE __m512i add_s16(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
PQ_INLINE __m512 add_f32(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }

/* Means of codes, half away from zero, clamped. */
PQ_INLINE __m512i codes_of(const pq_pool *p, __m512i sums, int32_t count) {
    const __m512i zero = _mm512_setzero_si512(), half = _mm512_set1_epi32(count / 2);
    const __m512i away = _mm512_mask_sub_epi32(_mm512_add_epi32(sums, half), _mm512_cmplt_epi32_mask(sums, zero), sums, half);
    const __m512i means = _mm512_cvttps_epi32(_mm512_div_ps(_mm512_cvtepi32_ps(away), _mm512_set1_ps((float)count)));
    return _mm512_min_epi32(_mm512_max_epi32(means, _mm512_set1_epi32((int32_t)p->lo)), _mm512_set1_epi32((int32_t)p->hi));
}

PQ_INLINE void store_mean_s8(const pq_pool *p, __m512i sums, int32_t count, __mmask16 mask, int8_t *y) {
    _mm_mask_storeu_epi8(y, mask, _mm512_cvtepi32_epi8(codes_of(p, sums, count)));
}

PQ_INLINE void store_mean_u8(const pq_pool *p, __m512i sums, int32_t count, __mmask16 mask, uint8_t *y) {
    _mm_mask_storeu_epi8(y, mask, _mm512_cvtepi32_epi8(codes_of(p, sums, count)));
}

PQ_INLINE void store_mean_s16(const pq_pool *p, __m512i sums, int32_t count, __mmask16 mask, int16_t *y) {
    _mm256_mask_storeu_epi16(y, mask, _mm512_cvtepi32_epi16(codes_of(p, sums, count)));
}

PQ_INLINE void store_mean_f32(const pq_pool *p, __m512 sums, int32_t count, __mmask16 mask, float *y) {
    const __m512 means = _mm512_div_ps(sums, _mm512_set1_ps((float)count)), above = _mm512_max_ps(_mm512_set1_ps((float)p->lo), means);
    _mm512_mask_storeu_ps(y, mask, _mm512_min_ps(_mm512_set1_ps((float)p->hi), above));
}

#define ISA x86_avx512vnni
#define TYPE s8
#include "vectors.h"
#define TYPE u8
#include "vectors.h"
#define TYPE s16
#include "vectors.h"
#define TYPE f32
#include "vectors.h"
#endif
