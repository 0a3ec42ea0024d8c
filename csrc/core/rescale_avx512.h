/* pq_rescale with the vectors of AVX-512. To be included where that set is on. */
#ifndef PQ_RESCALE_AVX512_H
#define PQ_RESCALE_AVX512_H
#include "vectors_avx512.h"

#include "rescale.h"

PQ_INLINE __m512i pq_odd_lanes(__m512i x) { return _mm512_srli_epi64(x, 32); }

/* A pq_rescale in registers. */
typedef struct {
    __m512i multiplier[2], rounding[2], half, shift, wide_shift[2], left;
} pq_rescale_vectors;

PQ_INLINE pq_rescale_vectors pq_rescale_load(const pq_rescale *r, bool wide, bool left) {
    pq_rescale_vectors v;
    v.multiplier[0] = _mm512_loadu_si512(r->multiplier);
    v.multiplier[1] = pq_odd_lanes(v.multiplier[0]);
    v.rounding[0] = _mm512_loadu_si512(r->rounding[0]);
    v.rounding[1] = _mm512_loadu_si512(r->rounding[1]);
    v.half = v.wide_shift[0] = _mm512_loadu_si512(wide ? (const void *)r->wide_shift[0] : r->half);
    v.shift = v.wide_shift[1] = _mm512_loadu_si512(wide ? (const void *)r->wide_shift[1] : r->shift);
    v.left = left ? _mm512_loadu_si512(r->left) : _mm512_setzero_si512();
    return v;
}

/* One scaling for all lanes, rounded twice. */
PQ_INLINE pq_rescale_vectors pq_rescale_all(int32_t multiplier, int32_t exponent) {
    const int32_t n = exponent < 0 ? -exponent : 0;
    pq_rescale_vectors v;
    v.multiplier[0] = v.multiplier[1] = _mm512_set1_epi32(multiplier);
    v.rounding[0] = v.rounding[1] = _mm512_set1_epi64((INT64_C(1) << 30) + (n > 0 ? INT64_C(1) << (n + 30) : 0));
    v.half = v.wide_shift[0] = _mm512_set1_epi32(n > 0 ? INT32_C(1) << (n - 1) : INT32_MIN);
    v.shift = v.wide_shift[1] = _mm512_set1_epi32(n);
    v.left = _mm512_set1_epi32(exponent > 0 ? exponent : 0);
    return v;
}

/* 16 sums -> 16 scaled sums. left: whether a lane has a left shift. */
PQ_INLINE __m512i pq_rescaled(__m512i sums, pq_rescale_vectors v, bool wide, bool left) {
    if (left) sums = _mm512_sllv_epi32(sums, v.left);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(sums, v.multiplier[0]), v.rounding[0]);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(pq_odd_lanes(sums), v.multiplier[1]), v.rounding[1]);
    if (wide) {
        const __m512i low = _mm512_srav_epi64(even, v.wide_shift[0]), high = _mm512_srav_epi64(odd, v.wide_shift[1]);
        return _mm512_mask_blend_epi32(0xAAAA, low, _mm512_slli_epi64(high, 32));
    }
    const __m512i once = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    const __mmask16 negative = _mm512_cmplt_epi32_mask(once, v.half);
    return _mm512_srav_epi32(_mm512_mask_sub_epi32(once, negative, once, _mm512_set1_epi32(1)), v.shift);
}

/* 16 sums -> 2^16 times what floats make of them, in the upper halves what pq_rescaled makes, as far as 8 bits hold it. Except
 * where it is `near` the next whole number: up to 2^8·2^16 the roundings of sum, scaling, product and result are less than 4. */
PQ_INLINE __m512i pq_rescaled_by_floats(__m512i sums, __m512 real, __m512 tie, __mmask16 *near) {
    const __m512 x = _mm512_cvtepi32_ps(sums);
    const __m512i sign = _mm512_set1_epi32(INT32_MIN), away = _mm512_ternarylogic_epi32(_mm512_castps_si512(x), sign, _mm512_castps_si512(tie), 0xEA);
    const __m512 y = _mm512_fmadd_ps(x, real, _mm512_castsi512_ps(away)); /* tie with the sign of x */
    const __m512i scaled = _mm512_add_epi32(_mm512_cvtps_epi32(y), _mm512_set1_epi32(0x8004));
    *near = _kor_mask16(*near, _mm512_testn_epi32_mask(scaled, _mm512_set1_epi32(0xFFF8)));
    return scaled;
}

/* The upper halves of the lanes of a, and then of b. */
PQ_INLINE __m512i pq_upper_halves(__m512i a, __m512i b) {
    const __m512i places = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23, 21, 19, 17, 15,
                                            13, 11, 9, 7, 5, 3, 1);
    return _mm512_permutex2var_epi16(a, places, b);
}

/* The same within each 16 bytes, as _mm512_packs_epi32. */
PQ_INLINE __m512i pq_upper_halves_within(__m512i a, __m512i b) {
    const __m512i places = _mm512_set_epi16(63, 61, 59, 57, 31, 29, 27, 25, 55, 53, 51, 49, 23, 21, 19, 17, 47, 45, 43, 41, 15, 13, 11, 9, 39, 37,
                                            35, 33, 7, 5, 3, 1);
    return _mm512_permutex2var_epi16(a, places, b);
}
#endif
