#include <math.h>

#include "activation.h"
#include "fixed.h"
#include "pq.h"
#include "types.h"

#define ISA scalar
#include "generic.h"

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

KERNEL(gelu, 0.5f * x * (p.lo > 0 ? 1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)) : erfcf(x * -0.70710678118654752440f)))
KERNEL(exp, expf(x))
KERNEL(log, logf(x))
KERNEL(sin, sinf(x))
KERNEL(cos, cosf(x))
KERNEL(elu, x < 0 ? expm1f(x) : x)
