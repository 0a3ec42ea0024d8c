/* Elementary functions of 16 floats, within 8 units in the last place of the C library's. To be included where AVX-512 is on.
 * Polynomials are minimax ones of the ranges named, fitted for this file. */
#ifndef PQ_ELEMENTARY_AVX512_H
#define PQ_ELEMENTARY_AVX512_H
#include <immintrin.h>

#define PQ_VECTOR static inline __attribute__((always_inline)) __m512

PQ_VECTOR pq_all(float x) { return _mm512_set1_ps(x); }

/* x · y + constant */
PQ_VECTOR pq_next(__m512 x, __m512 y, float constant) { return _mm512_fmadd_ps(x, y, pq_all(constant)); }

PQ_VECTOR pq_magnitude(__m512 x) { return _mm512_andnot_ps(pq_all(-0.0f), x); }

/* The magnitude of x with the sign of `sign`. */
PQ_VECTOR pq_signed_as(__m512 x, __m512 sign) { return _mm512_or_ps(pq_magnitude(x), _mm512_and_ps(sign, pq_all(-0.0f))); }

/* e^x = 2^n · e^r, |r| <= ln 2 / 2. Past the bounds it is 0 or infinite; a NaN stays one. */
PQ_VECTOR pq_exp(__m512 x) {
    x = _mm512_max_ps(pq_all(-104), _mm512_min_ps(pq_all(89), x));
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, pq_all(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, pq_all(0x1.62e4p-1f), x); /* ln 2 in two parts, n times the first is exact */
    r = _mm512_fnmadd_ps(n, pq_all(0x1.7f7d1cp-20f), r);
    __m512 p = pq_next(pq_all(0.0013814596459269524f), r, 0.0083687175065279f);
    p = pq_next(p, r, 0.04166838899254799f);
    p = pq_next(p, r, 0.1666652113199234f);
    p = pq_next(p, r, 0.4999999403953552f);
    p = _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r);
    return _mm512_scalef_ps(_mm512_add_ps(p, pq_all(1)), n);
}

/* 1 / x for x that are neither tiny nor huge */
PQ_VECTOR pq_inverse(__m512 x) {
    const __m512 near = _mm512_rcp14_ps(x);
    return _mm512_fmadd_ps(near, _mm512_fnmadd_ps(x, near, pq_all(1)), near);
}

/* Of t = |x| it is e^(-t²) u Q(u), u = 1 / (1 + 0.4 t), t <= 10.1, where it becomes 0; for x below 0, 2 less that. */
PQ_VECTOR pq_erfc(__m512 x) {
    const __m512 t = _mm512_min_ps(pq_all(10.1f), pq_magnitude(x));
    const __m512 u = pq_inverse(pq_next(t, pq_all(0.4f), 1));
    __m512 q = pq_next(pq_all(-0.029399024322628975f), u, 0.19695177674293518f);
    q = pq_next(q, u, -0.49631378054618835f);
    q = pq_next(q, u, 0.5441020727157593f);
    q = pq_next(q, u, -0.2815922200679779f);
    q = pq_next(q, u, 0.2705758213996887f);
    q = pq_next(q, u, 0.1301952302455902f);
    q = pq_next(q, u, 0.21480852365493774f);
    q = pq_next(q, u, 0.22496533393859863f);
    q = pq_next(q, u, 0.22570621967315674f);
    const __m512 square = _mm512_mul_ps(t, t), rest = _mm512_fmsub_ps(t, t, square);
    const __m512 power = pq_exp(_mm512_sub_ps(_mm512_setzero_ps(), square));
    const __m512 above = _mm512_mul_ps(_mm512_fnmadd_ps(power, rest, power), _mm512_mul_ps(u, q));
    const __mmask16 below = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mask_sub_ps(above, below, pq_all(2), above);
}

/* x + x³ P(x²) near 0, else 1 - 2 / (e^2x + 1) */
PQ_VECTOR pq_tanh(__m512 x) {
    const __m512 t = pq_magnitude(x), square = _mm512_mul_ps(x, x);
    __m512 p = pq_next(pq_all(-0.005717036779969931f), square, 0.020650578662753105f);
    p = pq_next(p, square, -0.05374349653720856f);
    p = pq_next(p, square, 0.13331490755081177f);
    p = pq_next(p, square, -0.3333328366279602f);
    const __m512 near = _mm512_fmadd_ps(_mm512_mul_ps(square, p), t, t);
    const __m512 power = pq_exp(_mm512_min_ps(pq_all(20), _mm512_add_ps(t, t)));
    const __m512 far = _mm512_fnmadd_ps(pq_all(2), pq_inverse(_mm512_add_ps(power, pq_all(1))), pq_all(1));
    const __mmask16 is_near = _mm512_cmp_ps_mask(t, pq_all(0.625f), _CMP_LT_OQ);
    return pq_signed_as(_mm512_mask_mov_ps(far, is_near, near), x);
}

/* 1 / (1 + e^-x), of the power below 1; where x < -9, e^x, as TFLite has it. */
PQ_VECTOR pq_logistic(__m512 x) {
    const __m512 power = pq_exp(pq_signed_as(x, pq_all(-1)));
    const __m512 inverse = pq_inverse(_mm512_add_ps(power, pq_all(1)));
    const __m512 share = _mm512_mask_mul_ps(inverse, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), inverse, power);
    return _mm512_mask_mov_ps(share, _mm512_cmp_ps_mask(x, pq_all(-9), _CMP_LT_OQ), power);
}
#endif
