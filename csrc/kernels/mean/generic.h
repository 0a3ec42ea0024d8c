/* The loops of mean for one TYPE and ISA. */
#include "types.h"

#ifndef PIECE
#define PIECE 64 /* means that are summed side by side */
#endif

#if INTEGER
#define NUMBER uint32_t /* wraps */
#else
#define NUMBER float
#endif

static inline CODE NAME(mean_of)(const pq_mean *p, NUMBER sum) {
#if INTEGER
    const int32_t total = (int32_t)(sum + (uint32_t)p->offset);
    const int32_t zero = p->zero_point, scaled = pq_multiply(total, p->multiplier, p->exponent);
    return (CODE)(pq_clamp(scaled, p->lo - zero, p->hi - zero) + zero); /* in this order nothing overflows */
#else
    return sum / p->divisor;
#endif
}

void FULL_NAME(mean)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_mean *p = step->params;
    const int32_t inner = p->inner, terms = p->terms;
    CODE *restrict y = (CODE *)step->out[0] + (size_t)begin * (size_t)inner;
    for (int32_t unit = begin; unit < end; unit++, y += inner)
        for (int32_t first = 0; first < inner; first += PIECE) {
            const CODE *from = (const CODE *)step->in[0] + p->starts[unit] + first;
            const int32_t n = inner - first < PIECE ? inner - first : PIECE;
            NUMBER sums[PIECE] = {0};
            for (int32_t t = 0; t < terms; t++) {
                const CODE *restrict x = from + p->offsets[t];
                for (int32_t c = 0; c < n; c++) sums[c] += (NUMBER)x[c];
            }
            for (int32_t c = 0; c < n; c++) y[first + c] = NAME(mean_of)(p, sums[c]);
        }
}

#if INTEGER
#define START(x, LIMIT) (x)
#else
#define START(x, LIMIT) (LIMIT)
#endif
#define EXTREME(NAME_, BEYOND, LIMIT)                                                                   \
    void FULL_NAME(NAME_)(const pq_step *step, int32_t begin, int32_t end) {                            \
        const pq_mean *p = step->params;                                                                \
        const int32_t inner = p->inner, terms = p->terms;                                               \
        CODE *restrict y = (CODE *)step->out[0] + (size_t)begin * (size_t)inner;                        \
        for (int32_t unit = begin; unit < end; unit++, y += inner) {                                    \
            const CODE *from = (const CODE *)step->in[0] + p->starts[unit];                             \
            for (int32_t c = 0; c < inner; c++) y[c] = START(from[p->offsets[0] + c], LIMIT);           \
            for (int32_t t = 0; t < terms; t++) {                                                       \
                const CODE *restrict x = from + p->offsets[t];                                          \
                for (int32_t c = 0; c < inner; c++) y[c] = x[c] BEYOND y[c] ? x[c] : y[c];              \
            }                                                                                           \
        }                                                                                               \
    }
EXTREME(greatest, >, -FLT_MAX)
EXTREME(least, <, FLT_MAX)
#undef EXTREME
#undef START
#undef NUMBER
#undef TYPE
