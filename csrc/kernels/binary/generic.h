/* The loops of binary operators for one TYPE and ISA. */
#include "in_place.h"
#include "types.h"
#include "runs.h"

#define INLINE static inline __attribute__((always_inline))

#if SCALED
INLINE int32_t NAME(first)(const pq_binary *p, CODE a) {
    return pq_multiply((a - p->a_zero) * (1 << p->left), p->a_multiplier, p->a_exponent);
}

INLINE int32_t NAME(second)(const pq_binary *p, CODE b) {
    return pq_multiply((b - p->b_zero) * (1 << p->left), p->b_multiplier, p->b_exponent);
}

/* Clamped before the zero point is added, so that nothing overflows. */
INLINE CODE NAME(code)(const pq_binary *p, int32_t scaled) {
    const int32_t lo = (int32_t)p->lo - p->zero_point, hi = (int32_t)p->hi - p->zero_point;
    return (CODE)(pq_clamp(scaled, lo, hi) + p->zero_point);
}

INLINE CODE NAME(sum)(const pq_binary *p, CODE a, CODE b) {
    const int32_t sum = NAME(first)(p, a) + p->sign * NAME(second)(p, b);
    return NAME(code)(p, pq_multiply(sum, p->multiplier, p->exponent));
}

INLINE int32_t NAME(scaled_product)(const pq_binary *p, CODE a, CODE b) {
    const uint32_t product = (uint32_t)(a - p->a_zero) * (uint32_t)(b - p->b_zero); /* wraps */
    return pq_multiply((int32_t)product, p->multiplier, p->exponent);
}

INLINE CODE NAME(product)(const pq_binary *p, CODE a, CODE b) { return NAME(code)(p, NAME(scaled_product)(p, a, b)); }

INLINE CODE NAME(sloped)(const pq_binary *p, CODE a, CODE b) {
    const int32_t above = pq_multiply(a - p->a_zero, p->a_multiplier, p->a_exponent);
    return NAME(code)(p, a >= p->a_zero ? above : NAME(scaled_product)(p, a, b));
}

INLINE CODE NAME(squared)(const pq_binary *p, CODE a, CODE b) {
    const uint32_t difference = (uint32_t)NAME(first)(p, a) - (uint32_t)NAME(second)(p, b);
    return NAME(code)(p, pq_multiply((int32_t)(difference * difference), p->multiplier, p->exponent));
}
#elif INTEGER
INLINE CODE NAME(code)(const pq_binary *p, WHOLE wrapped) {
    const CODE y = (CODE)wrapped, lo = (CODE)p->lo, hi = (CODE)limit(p->hi);
    return y < lo ? lo : y > hi ? hi : y;
}

INLINE CODE NAME(sum)(const pq_binary *p, CODE a, CODE b) { return NAME(code)(p, (WHOLE)a + (WHOLE)p->sign * (WHOLE)b); }

INLINE CODE NAME(product)(const pq_binary *p, CODE a, CODE b) { return NAME(code)(p, (WHOLE)a * (WHOLE)b); }

INLINE CODE NAME(quotient)(const pq_binary *p, CODE a, CODE b) {
    const int64_t y = quotient(a, b), lo = (int64_t)p->lo, hi = limit(p->hi);
    return (CODE)(y < lo ? lo : y > hi ? hi : y);
}

INLINE CODE NAME(squared)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return (CODE)(((WHOLE)a - (WHOLE)b) * ((WHOLE)a - (WHOLE)b));
}
#else
INLINE CODE NAME(sum)(const pq_binary *p, CODE a, CODE b) {
    return pq_clampf(a + (float)p->sign * b, (float)p->lo, (float)p->hi);
}

INLINE CODE NAME(product)(const pq_binary *p, CODE a, CODE b) { return pq_clampf(a * b, (float)p->lo, (float)p->hi); }

INLINE CODE NAME(quotient)(const pq_binary *p, CODE a, CODE b) { return pq_clampf(a / b, (float)p->lo, (float)p->hi); }

INLINE CODE NAME(angle)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return atan2f(a, b);
}

INLINE CODE NAME(sloped)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return a >= 0 ? a : a * b;
}

INLINE CODE NAME(squared)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return (a - b) * (a - b);
}
#endif

#if INTEGER
INLINE CODE NAME(floor_quotient)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return (CODE)floor_quotient(a, b);
}

INLINE CODE NAME(floor_rest)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return (CODE)floor_rest(a, b);
}
#else
INLINE CODE NAME(floor_quotient)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return b == 0 ? 0 : (CODE)floor((double)a / b); /* a divisor of 0 is reported */
}

INLINE CODE NAME(floor_rest)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    const CODE left = fmodf(a, b);
    return left != 0 && (left < 0) != (b < 0) ? left + b : left;
}
#endif

INLINE void NAME(report_zeros)(const pq_step *step) {
    const pq_binary *p = step->params;
    const CODE *b = step->in[1];
    for (int32_t i = 0; i < p->b_size; i++)
        if (b[i] == 0) pq_report(step);
}

INLINE CODE NAME(greater)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return a > b ? a : b;
}

INLINE CODE NAME(less)(const pq_binary *p, CODE a, CODE b) {
    (void)p;
    return a < b ? a : b;
}

/* The loops for functions that make a RESULT. Steps of the inner one are constants where they are called. */
#define RUNS(RESULT, FUNCTION, RUN, ALL)                                                                               \
    typedef RESULT NAME(FUNCTION)(const pq_binary *, CODE, CODE);                                                      \
    INLINE void NAME(RUN)(NAME(FUNCTION) *f, const pq_binary *p, const CODE *a, int32_t a_step, const CODE *b,         \
                          int32_t b_step, RESULT *y, int32_t n) {                                                      \
        const pq_binary own = *p; /* which no write to y can change */                                                 \
        const CODE first_a = *a, first_b = *b;                                                                         \
        PQ_IN_PLACE for (int32_t i = 0; i < n; i++)                                                                    \
            y[i] = f(&own, a_step ? a[i] : first_a, b_step ? b[i] : first_b);                                          \
    }                                                                                                                  \
    ALL_RUNS(RESULT, FUNCTION, RUN, ALL)
RUNS(CODE, function, run, runs)
RUNS(uint8_t, test, test_run, tests)

/* Which of these an operator has for this type is for kernels.inc to say. */
#define ELEMENTWISE(name, f) \
    void FULL_NAME(name)(const pq_step *step, int32_t begin, int32_t end) { NAME(runs)(NAME(f), step, begin, end); }
ELEMENTWISE(add, sum)
ELEMENTWISE(multiply, product)
ELEMENTWISE(maximum, greater)
ELEMENTWISE(minimum, less)
ELEMENTWISE(squared_difference, squared)
#if SCALED || !INTEGER
ELEMENTWISE(prelu, sloped)
#endif
#if !INTEGER
ELEMENTWISE(divide, quotient)
ELEMENTWISE(atan2, angle)
#endif

#define DIVISION(name, f)                                                    \
    void FULL_NAME(name)(const pq_step *step, int32_t begin, int32_t end) {  \
        if (begin == 0) NAME(report_zeros)(step);                            \
        NAME(runs)(NAME(f), step, begin, end);                               \
    }
DIVISION(floor_divide, floor_quotient)
#if INTEGER
DIVISION(floor_modulo, floor_rest)
#else
ELEMENTWISE(floor_modulo, floor_rest)
#endif
#if INTEGER && !SCALED
DIVISION(divide, quotient)
#endif

#if SCALED
#define HOLDS(operation) NAME(first)(p, a) operation NAME(second)(p, b)
#else
#define HOLDS(operation) ((void)p, a operation b)
#endif
#define COMPARISON(name, operation)                                                                              \
    INLINE uint8_t NAME(is_##name)(const pq_binary *p, CODE a, CODE b) { return HOLDS(operation); }              \
    void FULL_NAME(name)(const pq_step *step, int32_t begin, int32_t end) { NAME(tests)(NAME(is_##name), step, begin, end); }
COMPARISON(equal, ==)
COMPARISON(not_equal, !=)
COMPARISON(greater_than, >)
COMPARISON(greater_equal, >=)
COMPARISON(less_than, <)
COMPARISON(less_equal, <=)

#undef COMPARISON
#undef HOLDS
#undef DIVISION
#undef ELEMENTWISE
#undef RUNS
#undef INLINE
#undef TYPE
