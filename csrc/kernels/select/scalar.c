#include "select.h"

#include "in_place.h"
#include "pq.h"

#define INLINE static inline __attribute__((always_inline))

/* A run with steps that are constants where it is called, so that it vectorizes; and runs of units. */
#define SELECT(TYPE)                                                                                                           \
    INLINE void run_##TYPE(const uint8_t *c, int32_t c_step, const TYPE *a, int32_t a_step, const TYPE *b, int32_t b_step,     \
                           TYPE *y, int32_t n) {                                                                               \
        const uint8_t first_c = *c;                                                                                            \
        const TYPE first_a = *a, first_b = *b;                                                                                 \
        PQ_IN_PLACE for (int32_t i = 0; i < n; i++) {                                                                          \
            const TYPE yes = a_step ? a[i] : first_a, no = b_step ? b[i] : first_b;                                            \
            y[i] = (c_step ? c[i] : first_c) ? yes : no;                                                                       \
        }                                                                                                                      \
    }                                                                                                                          \
    static void select_##TYPE(const pq_step *step, int32_t begin, int32_t end) {                                               \
        const pq_select *p = step->params;                                                                                     \
        const int32_t flat = p->rank == 0, n = flat ? end - begin : p->inner, last = flat ? begin + 1 : end;                   \
        TYPE *y = (TYPE *)step->out[0] + (size_t)begin * (flat ? 1 : (size_t)p->inner);                                        \
        for (int32_t unit = begin; unit < last; unit++, y += n) {                                                              \
            const uint8_t *c = (const uint8_t *)step->in[0] + (flat ? begin * p->condition_step : 0);                          \
            const TYPE *a = (const TYPE *)step->in[1] + (flat ? begin * p->a_step : 0);                                        \
            const TYPE *b = (const TYPE *)step->in[2] + (flat ? begin * p->b_step : 0);                                        \
            for (int32_t d = p->rank - 1, rest = unit; d >= 0; rest /= p->shape[d--]) {                                        \
                c += rest % p->shape[d] * p->condition_stride[d];                                                              \
                a += rest % p->shape[d] * p->a_stride[d];                                                                      \
                b += rest % p->shape[d] * p->b_stride[d];                                                                      \
            }                                                                                                                  \
            if (p->condition_step && p->a_step && p->b_step)                                                                   \
                run_##TYPE(c, 1, a, 1, b, 1, y, n);                                                                            \
            else if (p->condition_step && p->a_step)                                                                           \
                run_##TYPE(c, 1, a, 1, b, 0, y, n);                                                                            \
            else if (p->condition_step && p->b_step)                                                                           \
                run_##TYPE(c, 1, a, 0, b, 1, y, n);                                                                            \
            else                                                                                                               \
                run_##TYPE(c, p->condition_step, a, p->a_step, b, p->b_step, y, n);                                            \
        }                                                                                                                      \
    }
SELECT(uint8_t)
SELECT(uint16_t)
SELECT(uint32_t)
SELECT(uint64_t)

void select_x8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const int32_t element = ((const pq_select *)step->params)->element;
    if (element == 1)
        select_uint8_t(step, begin, end);
    else if (element == 2)
        select_uint16_t(step, begin, end);
    else if (element == 4)
        select_uint32_t(step, begin, end);
    else
        select_uint64_t(step, begin, end);
}
