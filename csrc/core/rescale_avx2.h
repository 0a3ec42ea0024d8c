/* pq_rescale with the vectors of AVX2, two for 16 lanes. To be included where that set is on. */
#ifndef PQ_RESCALE_AVX2_H
#define PQ_RESCALE_AVX2_H
#include "vectors_avx2.h"

#include "rescale.h"

typedef struct {
    __m256i part[2];
} pq_two_vectors;

/* A half of a pq_rescale in registers. lifted: 2^62 after its shift, see pq_rescaled_half. */
typedef struct {
    __m256i multiplier[2], rounding[2], half, shift, wide_shift[2], lifted[2], left;
} pq_rescale_half;

typedef struct {
    pq_rescale_half part[2];
} pq_rescale_vectors;

PQ_INLINE __m256i pq_odd_lanes(__m256i x) { return _mm256_srli_epi64(x, 32); }

PQ_INLINE pq_rescale_vectors pq_rescale_load(const pq_rescale *r, bool wide, bool left) {
    const __m256i lift = _mm256_set1_epi64x(wide ? INT64_C(1) << 62 : 0);
    pq_rescale_vectors both;
    for (int i = 0; i < 2; i++) {
        pq_rescale_half *v = &both.part[i];
        v->multiplier[0] = pq_ints_at(r->multiplier + 8 * i);
        v->multiplier[1] = pq_odd_lanes(v->multiplier[0]);
        for (int odd = 0; odd < 2; odd++) {
            v->rounding[odd] = _mm256_add_epi64(pq_ints_at(r->rounding[odd] + 4 * i), lift);
            v->wide_shift[odd] = pq_ints_at(r->wide_shift[odd] + 4 * i);
            v->lifted[odd] = _mm256_srlv_epi64(lift, v->wide_shift[odd]);
        }
        v->half = pq_ints_at(r->half + 8 * i);
        v->shift = pq_ints_at(r->shift + 8 * i);
        v->left = left ? pq_ints_at(r->left + 8 * i) : _mm256_setzero_si256();
    }
    return both;
}

/* One scaling for all lanes, rounded twice. */
PQ_INLINE pq_rescale_vectors pq_rescale_all(int32_t multiplier, int32_t exponent) {
    const int32_t n = exponent < 0 ? -exponent : 0;
    pq_rescale_half v = {0};
    v.multiplier[0] = v.multiplier[1] = _mm256_set1_epi32(multiplier);
    v.rounding[0] = v.rounding[1] = _mm256_set1_epi64x((INT64_C(1) << 30) + (n > 0 ? INT64_C(1) << (n + 30) : 0));
    v.half = _mm256_set1_epi32(n > 0 ? INT32_C(1) << (n - 1) : INT32_MIN);
    v.shift = _mm256_set1_epi32(n);
    v.left = _mm256_set1_epi32(exponent > 0 ? exponent : 0);
    return (pq_rescale_vectors){{v, v}};
}

/* 8 sums -> 8 scaled sums. left: whether a lane has a left shift. */
PQ_INLINE __m256i pq_rescaled_half(__m256i sums, const pq_rescale_half *v, bool wide, bool left) {
    if (left) sums = _mm256_sllv_epi32(sums, v->left);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(sums, v->multiplier[0]), v->rounding[0]);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(pq_odd_lanes(sums), v->multiplier[1]), v->rounding[1]);
    if (wide) { /* there is no arithmetic shift of 64 bits: 2^62 makes what is shifted positive */
        const __m256i low = _mm256_sub_epi64(_mm256_srlv_epi64(even, v->wide_shift[0]), v->lifted[0]);
        const __m256i high = _mm256_sub_epi64(_mm256_srlv_epi64(odd, v->wide_shift[1]), v->lifted[1]);
        return _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xAA);
    }
    const __m256i once = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    return _mm256_srav_epi32(_mm256_add_epi32(once, _mm256_cmpgt_epi32(v->half, once)), v->shift);
}

PQ_INLINE pq_two_vectors pq_rescaled(pq_two_vectors sums, pq_rescale_vectors v, bool wide, bool left) {
    return (pq_two_vectors){{pq_rescaled_half(sums.part[0], &v.part[0], wide, left),
                             pq_rescaled_half(sums.part[1], &v.part[1], wide, left)}};
}
#endif
