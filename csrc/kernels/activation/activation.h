/* clamp_f32: y = min(max(x, lo), hi). logistic_f32: y = 1 / (1 + exp(-x)), at both ends by a shorter way. tanh_f32: y = tanh(x).
 * One unit is one element. */
#ifndef PQ_ACTIVATION_H
#define PQ_ACTIVATION_H
#include <stdint.h>

typedef struct {
    float lo, hi; /* of clamp_f32 */
} pq_activation;
#endif
