/* Every run of a binary operator. */
#ifndef PQ_BINARY_RUNS_H
#define PQ_BINARY_RUNS_H
/* ALL calls RUN(f, p, a, a_step, b, b_step, y, n) for runs of n elements, steps constants; f is a FUNCTION, y has RESULTs. */
#define ALL_RUNS(RESULT, FUNCTION, RUN, ALL)                                                                  \
    INLINE void NAME(ALL)(NAME(FUNCTION) *f, const pq_step *step, int32_t begin, int32_t end) {               \
        const pq_binary *p = step->params;                                                                    \
        const int32_t flat = p->rank == 0, n = flat ? end - begin : p->inner, last = flat ? begin + 1 : end;  \
        RESULT *y = (RESULT *)step->out[0] + (size_t)begin * (flat ? 1 : (size_t)p->inner);                   \
        for (int32_t unit = begin; unit < last; unit++, y += n) {                                             \
            const CODE *a = (const CODE *)step->in[0] + (flat ? begin * p->a_step : 0);                       \
            const CODE *b = (const CODE *)step->in[1] + (flat ? begin * p->b_step : 0);                       \
            for (int32_t d = p->rank - 1, rest = unit; d >= 0; rest /= p->shape[d--]) {                       \
                a += rest % p->shape[d] * p->a_stride[d];                                                     \
                b += rest % p->shape[d] * p->b_stride[d];                                                     \
            }                                                                                                 \
            if (p->a_step && p->b_step)                                                                       \
                NAME(RUN)(f, p, a, 1, b, 1, y, n);                                                            \
            else if (p->a_step)                                                                               \
                NAME(RUN)(f, p, a, 1, b, 0, y, n);                                                            \
            else                                                                                              \
                NAME(RUN)(f, p, a, 0, b, 1, y, n);                                                            \
        }                                                                                                     \
    }
#endif
