/* softmax: y = exp(beta·x) / Σ exp(beta·x) over rows of `depth`. Types: f32, s8, s16. One unit is one row.
 * s8: powers[i] is exp of i codes below the row's maximum, in units of 2^-31; y's codes begin at -128, 2^-8 each.
 * s16: exp and reciprocal are tables of 513 nodes: exp(t) for t in -10..0, 1 / (1 + t) for t in 0..1; (multiplier, exponent)
 * leads from steps of x to steps of exp's table; y's codes begin at 0, 2^-15 each. */
#ifndef PQ_SOFTMAX_H
#define PQ_SOFTMAX_H
#include <stdint.h>

typedef struct {
    int32_t depth;
    float beta;
    const int32_t *powers; /* (256), s8 alone */
    int32_t multiplier, exponent;
    const int16_t *exp; /* (513) */
    const int16_t *reciprocal;
} pq_softmax;
#endif
