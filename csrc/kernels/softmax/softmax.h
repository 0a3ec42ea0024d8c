/* softmax: y = exp(beta·x) / Σ exp(beta·x) over rows of `depth`. Types: f32, s8, u8, s16. One unit is one row.
 * s8, u8: powers[i] is exp of i codes below the row's maximum, in units of 2^-31; y's codes begin at lo, 2^-8 each, or 2^-16
 * where y is 16 bits `wide`.
 * s16: exp and reciprocal are tables of 513 nodes: exp(t) for t in -10..0, 1 / (1 + t) for t in 0..1; (multiplier, exponent)
 * leads from steps of x to steps of exp's table; y's codes begin at 0, 2^-15 each.
 * f32: where `fused`, the sum in any order, and powers 8 units in the last place off.
 * log_softmax_f32: its logarithm. l2_normalization_f32: y = x / the root of the sum of squares, but for 1e-6 at least.
 * y may be x, where it is as wide. */
#ifndef PQ_SOFTMAX_H
#define PQ_SOFTMAX_H
#include <stdint.h>

typedef struct {
    int32_t depth, fused;
    float beta;
    const int32_t *powers; /* (256), s8 and u8 */
    int32_t lo, wide;
    int32_t multiplier, exponent;
    const int16_t *exp; /* (513) */
    const int16_t *reciprocal;
} pq_softmax;
#endif
