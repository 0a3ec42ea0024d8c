/* The loops for one ISA whose body is a few instructions, so that wider vectors do more at once; KERNEL makes further ones. */
#include "in_place.h"

#define KERNEL(NAME, VALUE)                                                                           \
    void PQ_JOIN(NAME##_f32, ISA)(const pq_step *step, int32_t begin, int32_t end) {                  \
        const pq_activation p = *(const pq_activation *)step->params;                                 \
        const float *in = step->in[0];                                                                \
        float *y = step->out[0];                                                                      \
        (void)p;                                                                                      \
        PQ_IN_PLACE for (int32_t i = begin; i < end; i++) {                                           \
            const float x = in[i];                                                                    \
            y[i] = VALUE;                                                                             \
        }                                                                                             \
    }

KERNEL(clamp, pq_clampf(x, p.lo, p.hi))
KERNEL(leaky_relu, x > 0 ? x : x * p.lo)
KERNEL(hard_swish, x * pq_clampf(x + 3, 0, 6) / 6)
KERNEL(abs, fabsf(x))
KERNEL(square, x * x)
KERNEL(sqrt, sqrtf(x))
KERNEL(rsqrt, 1 / sqrtf(x))
KERNEL(neg, -x)
KERNEL(floor, floorf(x))
KERNEL(ceil, ceilf(x))
KERNEL(round, rintf(x))
