/* clamp_f32: y = min(max(x, lo), hi). logistic_f32: y = 1 / (1 + exp(-x)), at both ends by a shorter way. tanh_f32: y = tanh(x).
 * leaky_relu_f32: y = x above 0, lo·x below. hard_swish_f32: y = x · min(max(x + 3, 0), 6) / 6. gelu_f32: y = x · Φ(x), by the
 * error function, or where lo > 0 nearly so, by tanh. abs_f32, square_f32, sqrt_f32, rsqrt_f32, exp_f32, log_f32,
 * neg_f32, sin_f32, cos_f32, floor_f32, ceil_f32: what they say. round_f32: ties to even. elu_f32: exp(x) - 1 below 0.
 * Where `fused`, kernels may round a product and its addition at once, and be 8 units in the last place off.
 * One unit is one element; y may be x. */
#ifndef PQ_ACTIVATION_H
#define PQ_ACTIVATION_H
#include <stdint.h>

typedef struct {
    float lo, hi; /* of clamp_f32 and leaky_relu_f32 */
    int32_t fused;
} pq_activation;
#endif
