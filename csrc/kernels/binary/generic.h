/* The loops of binary operators for one TYPE and ISA. */
#include "types.h"

#define INLINE static inline __attribute__((always_inline))

#if INTEGER
/* Clamped before the zero point is added, so that nothing overflows. */
INLINE CODE NAME(code)(const pq_binary *p, int32_t scaled) {
    const int32_t lo = (int32_t)p->lo - p->zero_point, hi = (int32_t)p->hi - p->zero_point;
    return (CODE)(pq_clamp(scaled, lo, hi) + p->zero_point);
}

INLINE CODE NAME(sum)(const pq_binary *p, CODE a, CODE b) {
    const int32_t first = pq_multiply((a - p->a_zero) * (1 << p->left), p->a_multiplier, p->a_exponent);
    const int32_t second = pq_multiply((b - p->b_zero) * (1 << p->left), p->b_multiplier, p->b_exponent);
    const int32_t scaled = pq_multiply(first + p->sign * second, p->multiplier, p->exponent);
    return NAME(code)(p, scaled);
}

INLINE CODE NAME(product)(const pq_binary *p, CODE a, CODE b) {
    const uint32_t product = (uint32_t)(a - p->a_zero) * (uint32_t)(b - p->b_zero); /* wraps */
    return NAME(code)(p, pq_multiply((int32_t)product, p->multiplier, p->exponent));
}
#else
INLINE CODE NAME(sum)(const pq_binary *p, CODE a, CODE b) {
    return pq_clampf(a + (float)p->sign * b, (float)p->lo, (float)p->hi);
}

INLINE CODE NAME(product)(const pq_binary *p, CODE a, CODE b) { return pq_clampf(a * b, (float)p->lo, (float)p->hi); }

INLINE CODE NAME(quotient)(const pq_binary *p, CODE a, CODE b) { return pq_clampf(a / b, (float)p->lo, (float)p->hi); }

INLINE CODE NAME(squared)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return (a - b) * (a - b);
}
#endif

INLINE CODE NAME(greater)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return a > b ? a : b;
}

INLINE CODE NAME(less)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return a < b ? a : b;
}

/* The loops for functions that make a RESULT. Steps of the inner one are constants where they are called. */
#define RUNS(RESULT, FUNCTION, RUN, ALL)                                                                                       \
    typedef RESULT NAME(FUNCTION)(const pq_binary *, CODE, CODE);                                                              \
    INLINE void NAME(RUN)(NAME(FUNCTION) *f, const pq_binary *p, const CODE *restrict a, int32_t a_step,                       \
                          const CODE *restrict b, int32_t b_step, RESULT *restrict y, int32_t n) {                             \
        const pq_binary own = *p; /* which no write to y can change */                                                         \
        for (int32_t i = 0; i < n; i++) y[i] = f(&own, a[i * a_step], b[i * b_step]);                                          \
    }                                                                                                                          \
    INLINE void NAME(ALL)(NAME(FUNCTION) *f, const pq_step *step, int32_t begin, int32_t end) {                                \
        const pq_binary *p = step->params;                                                                                     \
        const int32_t flat = p->rank == 0, n = flat ? end - begin : p->inner, last = flat ? begin + 1 : end;                   \
        RESULT *y = (RESULT *)step->out[0] + (size_t)begin * (flat ? 1 : (size_t)p->inner);                                    \
        for (int32_t unit = begin; unit < last; unit++, y += n) {                                                              \
            const CODE *a = (const CODE *)step->in[0] + (flat ? begin * p->a_step : 0);                                        \
            const CODE *b = (const CODE *)step->in[1] + (flat ? begin * p->b_step : 0);                                        \
            for (int32_t d = p->rank - 1, rest = unit; d >= 0; rest /= p->shape[d--]) {                                        \
                a += rest % p->shape[d] * p->a_stride[d];                                                                      \
                b += rest % p->shape[d] * p->b_stride[d];                                                                      \
            }                                                                                                                  \
            if (p->a_step && p->b_step)                                                                                        \
                NAME(RUN)(f, p, a, 1, b, 1, y, n);                                                                             \
            else if (p->a_step)                                                                                                \
                NAME(RUN)(f, p, a, 1, b, 0, y, n);                                                                             \
            else                                                                                                               \
                NAME(RUN)(f, p, a, 0, b, 1, y, n);                                                                             \
        }                                                                                                                      \
    }
RUNS(CODE, function, run, runs)

void FULL_NAME(add)(const pq_step *step, int32_t begin, int32_t end) { NAME(runs)(NAME(sum), step, begin, end); }

void FULL_NAME(multiply)(const pq_step *step, int32_t begin, int32_t end) { NAME(runs)(NAME(product), step, begin, end); }

void FULL_NAME(maximum)(const pq_step *step, int32_t begin, int32_t end) { NAME(runs)(NAME(greater), step, begin, end); }

void FULL_NAME(minimum)(const pq_step *step, int32_t begin, int32_t end) { NAME(runs)(NAME(less), step, begin, end); }

#if !INTEGER
void FULL_NAME(divide)(const pq_step *step, int32_t begin, int32_t end) { NAME(runs)(NAME(quotient), step, begin, end); }

void FULL_NAME(squared_difference)(const pq_step *step, int32_t begin, int32_t end) {
    NAME(runs)(NAME(squared), step, begin, end);
}

INLINE CODE NAME(angle)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return atan2f(a, b);
}

void FULL_NAME(atan2)(const pq_step *step, int32_t begin, int32_t end) { NAME(runs)(NAME(angle), step, begin, end); }

RUNS(uint8_t, test, test_run, tests)

#define COMPARISON(name, operation)                                                                                            \
    INLINE uint8_t NAME(is_##name)(const pq_binary *p, CODE a, CODE b) {                                                       \
        (void)p;                                                                                                               \
        return a operation b;                                                                                                  \
    }                                                                                                                          \
    void FULL_NAME(name)(const pq_step *step, int32_t begin, int32_t end) { NAME(tests)(NAME(is_##name), step, begin, end); }
COMPARISON(equal, ==)
COMPARISON(not_equal, !=)
COMPARISON(greater_than, >)
COMPARISON(greater_equal, >=)
COMPARISON(less_than, <)
COMPARISON(less_equal, <=)
#undef COMPARISON
#endif

#undef RUNS
#undef INLINE
#undef TYPE
