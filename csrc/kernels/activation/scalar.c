#include <math.h>

#include "activation.h"
#include "fixed.h"
#include "in_place.h"
#include "pq.h"

void clamp_f32_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_activation p = *(const pq_activation *)step->params;
    const float *x = step->in[0];
    float *y = step->out[0];
    PQ_IN_PLACE for (int32_t i = begin; i < end; i++) y[i] = pq_clampf(x[i], p.lo, p.hi);
}

/* TFLite's float kernel: the limits are where 1 / (1 + exp(-x)) is 1 in float, and where exp(x) stands for it. */
void logistic_f32_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const float *x = step->in[0];
    float *y = step->out[0];
    for (int32_t i = begin; i < end; i++)
        y[i] = x[i] > 16.619047164916992f ? 1.0f : x[i] < -9.0f ? expf(x[i]) : 1.0f / (1.0f + expf(-x[i]));
}

void tanh_f32_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const float *x = step->in[0];
    float *y = step->out[0];
    for (int32_t i = begin; i < end; i++) y[i] = tanhf(x[i]);
}

#define KERNEL(NAME, VALUE) \
    void NAME##_f32_scalar(const pq_step *step, int32_t begin, int32_t end) { \
        const pq_activation p = *(const pq_activation *)step->params; \
        const float *in = step->in[0]; \
        float *y = step->out[0]; \
        (void)p; \
        PQ_IN_PLACE for (int32_t i = begin; i < end; i++) { \
            const float x = in[i]; \
            y[i] = VALUE; \
        } \
    }

KERNEL(leaky_relu, x > 0 ? x : x * p.lo)
KERNEL(hard_swish, x * pq_clampf(x + 3, 0, 6) / 6)
KERNEL(gelu, 0.5f * x * (p.lo > 0 ? 1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)) : erfcf(x * -0.70710678118654752440f)))
KERNEL(abs, fabsf(x))
KERNEL(square, x * x)
KERNEL(sqrt, sqrtf(x))
KERNEL(rsqrt, 1 / sqrtf(x))
KERNEL(exp, expf(x))
KERNEL(log, logf(x))
KERNEL(neg, -x)
KERNEL(sin, sinf(x))
KERNEL(cos, cosf(x))
KERNEL(floor, floorf(x))
KERNEL(ceil, ceilf(x))
KERNEL(round, rintf(x))
KERNEL(elu, x < 0 ? expm1f(x) : x)
