/* add and multiply of codes with scales for one TYPE, 8 at a time. */
#include "types.h"

/* 4 elements of the result, before the zero point, of centered codes. */
typedef int32x4_t NAME(vector_function)(const pq_binary *p, int32x4_t a, int32x4_t b);

INLINE int32x4_t NAME(added)(const pq_binary *p, int32x4_t a, int32x4_t b) {
    const int32x4_t left = vdupq_n_s32(p->left);
    a = pq_multiply_vector(vshlq_s32(a, left), vdupq_n_s32(p->a_multiplier), vdupq_n_s32(p->a_exponent));
    b = pq_multiply_vector(vshlq_s32(b, left), vdupq_n_s32(p->b_multiplier), vdupq_n_s32(p->b_exponent));
    return pq_multiply_vector(vmlaq_n_s32(a, b, p->sign), vdupq_n_s32(p->multiplier), vdupq_n_s32(p->exponent));
}

INLINE int32x4_t NAME(multiplied)(const pq_binary *p, int32x4_t a, int32x4_t b) {
    return pq_multiply_vector(vmulq_s32(a, b), vdupq_n_s32(p->multiplier), vdupq_n_s32(p->exponent));
}

/* 8 codes, or one for all lanes. */
INLINE int16x8_t NAME(codes)(const CODE *x, int32_t step) {
    if (step == 0) return vdupq_n_s16(*x);
#if PQ_JOIN(PQ_TWO_BYTES, TYPE)
    return vld1q_s16(x);
#else
    return (CODE)-1 < 0 ? vmovl_s8(vld1_s8((const void *)x)) : vreinterpretq_s16_u16(vmovl_u8(vld1_u8((const void *)x)));
#endif
}

/* 8 elements of a run. */
INLINE void NAME(eight)(NAME(vector_function) *f, const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y) {
    const int16x8_t a_codes = NAME(codes)(a, a_step), b_codes = NAME(codes)(b, b_step);
    const int32x4_t a_zero = vdupq_n_s32(p->a_zero), b_zero = vdupq_n_s32(p->b_zero), zero_point = vdupq_n_s32(p->zero_point);
    const int32x4_t lo = vdupq_n_s32((int32_t)p->lo - p->zero_point), hi = vdupq_n_s32((int32_t)p->hi - p->zero_point);
    int16x4_t halves[2];
    for (int i = 0; i < 2; i++) {
        const int32x4_t a_terms = vsubq_s32(vmovl_s16(i ? vget_high_s16(a_codes) : vget_low_s16(a_codes)), a_zero);
        const int32x4_t b_terms = vsubq_s32(vmovl_s16(i ? vget_high_s16(b_codes) : vget_low_s16(b_codes)), b_zero);
        const int32x4_t clamped = vminq_s32(vmaxq_s32(f(p, a_terms, b_terms), lo), hi);
        halves[i] = vmovn_s32(vaddq_s32(clamped, zero_point));
    }
    const int16x8_t codes = vcombine_s16(halves[0], halves[1]);
#if PQ_JOIN(PQ_TWO_BYTES, TYPE)
    vst1q_s16(y, codes);
#else
    vst1_s8((void *)y, vmovn_s16(codes)); /* the low bytes, which are those of u8 too */
#endif
}

INLINE void NAME(vector_run)(NAME(vector_function) *f, const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step,
                             CODE *y, int32_t n) {
    const pq_binary own = *p; /* which no write to y can change */
    int32_t i = 0;
    for (; i + 8 <= n; i += 8) NAME(eight)(f, &own, a + i * a_step, a_step, b + i * b_step, b_step, y + i);
    if (i == n) return;
    CODE a_rest[8] = {0}, b_rest[8] = {0}, y_rest[8];
    memcpy(a_rest, a + i * a_step, sizeof(CODE) * (size_t)(a_step ? n - i : 1));
    memcpy(b_rest, b + i * b_step, sizeof(CODE) * (size_t)(b_step ? n - i : 1));
    NAME(eight)(f, &own, a_rest, a_step, b_rest, b_step, y_rest);
    memcpy(y + i, y_rest, sizeof(CODE) * (size_t)(n - i));
}
ALL_RUNS(CODE, vector_function, vector_run, vector_runs)

void FULL_NAME(add)(const pq_step *step, int32_t begin, int32_t end) { NAME(vector_runs)(NAME(added), step, begin, end); }

void FULL_NAME(multiply)(const pq_step *step, int32_t begin, int32_t end) { NAME(vector_runs)(NAME(multiplied), step, begin, end); }
#undef TYPE
