/* add and multiply of codes with scales for one TYPE, 64 at a time. */
#include "types.h"

/* What a run of the inner loop needs, in registers. */
typedef struct {
    pq_rescale_vectors a, b, y;
    __m512i a_zero, b_zero, zero_point, lo, hi;
    __m128i left;
    bool negative; /* b is taken away */
} NAME(scaling);

PQ_INLINE NAME(scaling) NAME(scaling_of)(const pq_binary *p) {
    return (NAME(scaling)){
        pq_rescale_all(p->a_multiplier, p->a_exponent), pq_rescale_all(p->b_multiplier, p->b_exponent),
        pq_rescale_all(p->multiplier, p->exponent),     _mm512_set1_epi32(p->a_zero),
        _mm512_set1_epi32(p->b_zero),                   _mm512_set1_epi16((int16_t)p->zero_point),
        _mm512_set1_epi16((int16_t)p->lo),              _mm512_set1_epi16((int16_t)p->hi),
        _mm_cvtsi32_si128(p->left),                     p->sign < 0};
}

/* 16 codes, or one for all lanes, less the zero point. */
PQ_INLINE __m512i NAME(centered)(const CODE *x, int32_t step, __mmask16 mask, __m512i zero) {
    if (step == 0) return _mm512_sub_epi32(_mm512_set1_epi32(*x), zero);
#if PQ_JOIN(PQ_TWO_BYTES, TYPE)
    return _mm512_sub_epi32(_mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, x)), zero);
#else
    const __m128i codes = _mm_maskz_loadu_epi8(mask, x);
    return _mm512_sub_epi32((CODE)-1 < 0 ? _mm512_cvtepi8_epi32(codes) : _mm512_cvtepu8_epi32(codes), zero);
#endif
}

/* a·2^left times a half, exactly, where that is its scaling: of the term with the larger scale. */
PQ_INLINE __m512i NAME(term)(__m512i x, __m128i left, bool halved, pq_rescale_vectors v) {
    return halved ? _mm512_sll_epi32(x, _mm_sub_epi32(left, _mm_cvtsi32_si128(1))) : pq_rescaled(_mm512_sll_epi32(x, left), v, false, false);
}

PQ_INLINE __m512i NAME(sum_of)(const NAME(scaling) *s, __m512i a, bool a_halved, __m512i b, bool b_halved) {
    a = NAME(term)(a, s->left, a_halved, s->a), b = NAME(term)(b, s->left, b_halved, s->b);
    return pq_rescaled(s->negative ? _mm512_sub_epi32(a, b) : _mm512_add_epi32(a, b), s->y, false, false);
}

PQ_INLINE __m512i NAME(added)(const NAME(scaling) *s, __m512i a, __m512i b) { return NAME(sum_of)(s, a, false, b, false); }
PQ_INLINE __m512i NAME(added_to_half)(const NAME(scaling) *s, __m512i a, __m512i b) { return NAME(sum_of)(s, a, true, b, false); }
PQ_INLINE __m512i NAME(added_half)(const NAME(scaling) *s, __m512i a, __m512i b) { return NAME(sum_of)(s, a, false, b, true); }

PQ_INLINE __m512i NAME(multiplied)(const NAME(scaling) *s, __m512i a, __m512i b) {
    return pq_rescaled(_mm512_mullo_epi32(a, b), s->y, false, true);
}

PQ_INLINE __m512i NAME(sloped)(const NAME(scaling) *s, __m512i a, __m512i b) {
    const __mmask16 below = _mm512_cmplt_epi32_mask(a, _mm512_setzero_si512());
    return _mm512_mask_mov_epi32(pq_rescaled(a, s->a, false, true), below, NAME(multiplied)(s, a, b));
}

PQ_INLINE __m512i NAME(squared)(const NAME(scaling) *s, __m512i a, __m512i b) {
    const __m512i difference = _mm512_sub_epi32(NAME(term)(a, s->left, false, s->a), NAME(term)(b, s->left, false, s->b));
    return pq_rescaled(_mm512_mullo_epi32(difference, difference), s->y, false, true);
}

typedef __m512i NAME(operation)(const NAME(scaling) *s, __m512i a, __m512i b);

/* n elements of one run; steps are 0 or 1. */
PQ_INLINE void NAME(vector_run)(NAME(operation) *f, const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step,
                                CODE *y, int32_t n) {
    const NAME(scaling) s = NAME(scaling_of)(p);
    for (int32_t i = 0; i < n; i += 32, a += 32 * a_step, b += 32 * b_step, y += 32) {
        const __mmask32 mask = n - i >= 32 ? 0xFFFFFFFF : (1u << (n - i)) - 1;
        const __mmask16 low = (__mmask16)mask, high = (__mmask16)(mask >> 16);
        const __m512i first = f(&s, NAME(centered)(a, a_step, low, s.a_zero), NAME(centered)(b, b_step, low, s.b_zero));
        const __m512i second = f(&s, NAME(centered)(a + 16 * a_step, a_step, high, s.a_zero), NAME(centered)(b + 16 * b_step, b_step, high, s.b_zero));
        const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
        __m512i codes = _mm512_permutexvar_epi64(order, _mm512_packs_epi32(first, second));
        codes = _mm512_min_epi16(_mm512_max_epi16(_mm512_adds_epi16(codes, s.zero_point), s.lo), s.hi);
#if PQ_JOIN(PQ_TWO_BYTES, TYPE)
        _mm512_mask_storeu_epi16(y, mask, codes);
#else
        if (mask == 0xFFFFFFFF) _mm256_storeu_si256((void *)y, _mm512_cvtepi16_epi8(codes));
        else _mm256_mask_storeu_epi8(y, mask, _mm512_cvtepi16_epi8(codes));
#endif
    }
}

PQ_INLINE void NAME(run_added)(const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y, int32_t n) {
    NAME(vector_run)(NAME(added), p, a, a_step, b, b_step, y, n);
}
PQ_INLINE void NAME(run_added_to_half)(const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y, int32_t n) {
    NAME(vector_run)(NAME(added_to_half), p, a, a_step, b, b_step, y, n);
}
PQ_INLINE void NAME(run_added_half)(const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y, int32_t n) {
    NAME(vector_run)(NAME(added_half), p, a, a_step, b, b_step, y, n);
}
PQ_INLINE void NAME(run_multiplied)(const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y, int32_t n) {
    NAME(vector_run)(NAME(multiplied), p, a, a_step, b, b_step, y, n);
}

PQ_INLINE void NAME(run_sloped)(const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y, int32_t n) {
    NAME(vector_run)(NAME(sloped), p, a, a_step, b, b_step, y, n);
}

#if !PQ_JOIN(PQ_TWO_BYTES, TYPE)
PQ_INLINE void NAME(run_squared)(const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y, int32_t n) {
    NAME(vector_run)(NAME(squared), p, a, a_step, b, b_step, y, n);
}

/* 16 codes, or one for all lanes, as floats. */
PQ_INLINE __m512 NAME(floats)(const CODE *x, int32_t step, __mmask16 mask) {
    return _mm512_cvtepi32_ps(NAME(centered)(x, step, mask, _mm512_setzero_si512()));
}

/* The same as run_added, where float_sum holds. */
PQ_INLINE void NAME(run_added_by_floats)(const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y, int32_t n) {
    const float_sum sum = float_sum_of(p);
    const __m512 a_scale = _mm512_set1_ps((float)sum.a), b_scale = _mm512_set1_ps((float)sum.b), rest = _mm512_set1_ps((float)sum.rest);
    const __m512i lo = _mm512_set1_epi8((char)(int32_t)p->lo), hi = _mm512_set1_epi8((char)(int32_t)p->hi), order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (int32_t i = 0; i < n; i += 64, a += 64 * a_step, b += 64 * b_step, y += 64) {
        const __mmask64 mask = n - i >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (n - i)) - 1;
        __m512i scaled[4];
        __mmask16 near = 0;
        _Pragma("GCC unroll 4") for (int32_t j = 0; j < 4; j++) {
            const __mmask16 part = (__mmask16)(mask >> 16 * j);
            const __m512 x = _mm512_fmadd_ps(NAME(floats)(b + 16 * j * b_step, b_step, part), b_scale, rest);
            scaled[j] = _mm512_cvtps_epi32(_mm512_fmadd_ps(NAME(floats)(a + 16 * j * a_step, a_step, part), a_scale, x));
            near = _kor_mask16(near, _mm512_testn_epi32_mask(scaled[j], _mm512_set1_epi32(0x10000 - 2 * NEAR)));
        }
        const __m512i low = pq_upper_halves(scaled[0], scaled[1]), high = pq_upper_halves(scaled[2], scaled[3]);
        __m512i codes = (CODE)-1 < 0 ? _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(low, high), lo), hi)
                                     : _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(low, high), lo), hi);
        codes = _mm512_permutexvar_epi64(order, codes);
        if (near) NAME(run_added)(p, a, a_step, b, b_step, y, n - i < 64 ? n - i : 64); /* of the codes, which y may lie on */
        else if (n - i >= 64) _mm512_storeu_si512(y, codes);
        else _mm512_mask_storeu_epi8(y, mask, codes);
    }
}
#endif

typedef void NAME(run)(const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b, int32_t b_step, CODE *y, int32_t n);

/* Short runs whose b is the same in each: b is repeated, so that runs become long. */
PQ_INLINE void NAME(repeated_runs)(NAME(run) *run, const pq_step *step, int32_t begin, int32_t end) {
    enum { LONG = 1024 };
    const pq_binary *p = step->params;
    CODE repeated[LONG];
    const int32_t times = LONG / p->inner;
    for (int32_t i = 0; i < times; i++) memcpy(repeated + i * p->inner, step->in[1], sizeof(CODE) * (size_t)p->inner);
    for (int32_t unit = begin; unit < end; unit += times) {
        const size_t at = (size_t)unit * (size_t)p->inner;
        const int32_t runs = end - unit < times ? end - unit : times;
        run(p, (const CODE *)step->in[0] + at, 1, repeated, 1, (CODE *)step->out[0] + at, runs * p->inner);
    }
}

PQ_INLINE bool NAME(repeats)(const pq_binary *p) {
    int64_t size = p->inner;
    bool repeats = p->rank > 0 && p->inner < 256 && p->a_step == 1 && p->b_step == 1;
    for (int32_t d = p->rank - 1; d >= 0; size *= p->shape[d--]) repeats = repeats && p->b_stride[d] == 0 && p->a_stride[d] == size;
    return repeats;
}

PQ_INLINE void NAME(vector_runs)(NAME(run) *run, const pq_step *step, int32_t begin, int32_t end) {
    const pq_binary *p = step->params;
    if (NAME(repeats)(p)) {
        NAME(repeated_runs)(run, step, begin, end);
        return;
    }
    const int32_t flat = p->rank == 0, n = flat ? end - begin : p->inner, last = flat ? begin + 1 : end;
    CODE *y = (CODE *)step->out[0] + (size_t)begin * (flat ? 1 : (size_t)p->inner);
    for (int32_t unit = begin; unit < last; unit++, y += n) {
        const CODE *a = (const CODE *)step->in[0] + (flat ? begin * p->a_step : 0);
        const CODE *b = (const CODE *)step->in[1] + (flat ? begin * p->b_step : 0);
        for (int32_t d = p->rank - 1, rest = unit; d >= 0; rest /= p->shape[d--]) {
            a += rest % p->shape[d] * p->a_stride[d];
            b += rest % p->shape[d] * p->b_stride[d];
        }
        if (p->a_step && p->b_step) run(p, a, 1, b, 1, y, n);
        else if (p->a_step) run(p, a, 1, b, 0, y, n);
        else run(p, a, 0, b, 1, y, n);
    }
}

void FULL_NAME(add)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_binary *p = step->params;
    const int64_t term = (int64_t)(sizeof(CODE) == 1 ? 255 : 32768) << p->left, sum = INT64_C(1) << 30;
    const bool holds = p->a_exponent <= 0 && pq_rescale_holds(term, p->a_multiplier, p->a_exponent, false) &&
                       p->b_exponent <= 0 && pq_rescale_holds(term, p->b_multiplier, p->b_exponent, false) &&
                       p->exponent <= 0 && pq_rescale_holds(sum, p->multiplier, p->exponent, false);
    const bool a_halved = p->left > 0 && p->a_multiplier == 1 << 30 && p->a_exponent == 0;
    const bool b_halved = p->left > 0 && p->b_multiplier == 1 << 30 && p->b_exponent == 0;
#if !PQ_JOIN(PQ_TWO_BYTES, TYPE)
    if (holds && float_sum_of(p).holds) {
        NAME(vector_runs)(NAME(run_added_by_floats), step, begin, end);
        return;
    }
#endif
    if (holds && a_halved) NAME(vector_runs)(NAME(run_added_to_half), step, begin, end);
    else if (holds && b_halved) NAME(vector_runs)(NAME(run_added_half), step, begin, end);
    else if (holds) NAME(vector_runs)(NAME(run_added), step, begin, end);
    else PQ_JOIN(NAME(add), x86_avx2)(step, begin, end);
}

void FULL_NAME(multiply)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_binary *p = step->params;
    const int64_t largest = sizeof(CODE) == 1 ? 255 : 32768;
    if (pq_rescale_holds(largest * largest, p->multiplier, p->exponent, false)) NAME(vector_runs)(NAME(run_multiplied), step, begin, end);
    else PQ_JOIN(NAME(multiply), x86_avx2)(step, begin, end);
}

void FULL_NAME(prelu)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_binary *p = step->params;
    const int64_t largest = sizeof(CODE) == 1 ? 255 : 32768;
    const bool holds = pq_rescale_holds(largest, p->a_multiplier, p->a_exponent, false) &&
                       pq_rescale_holds(largest * largest, p->multiplier, p->exponent, false);
    if (holds) NAME(vector_runs)(NAME(run_sloped), step, begin, end);
    else PQ_JOIN(NAME(prelu), x86_avx2)(step, begin, end);
}
#undef TYPE
