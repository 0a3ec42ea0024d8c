/* blockwise_f32s8: products with weights that have a scale for each block of `size` of them; float activations, quantized row by
 * row as core/dynamic.h says, about a zero point.
 * y[r, o] = clamp((Σ_b scales[o, b] · (Σ_i q[r, i]·weights[o, i], i in block b) - zero[r]·sums[o]) · scale[r] + bias[o], lo, hi),
 * blocks added up in their order, as floats. One unit is one output of one row. */
#ifndef PQ_BLOCKWISE_H
#define PQ_BLOCKWISE_H
#include <stdint.h>

typedef struct {
    int32_t depth, outputs, size, litert; /* size: a divisor of depth, at most 4096 */
    const int8_t *weights;                /* (outputs, depth) */
    const float *scales;                  /* (outputs, depth / size) */
    const float *sums;                    /* (outputs) of weights times scales */
    const float *bias;                    /* (outputs) or NULL */
    float lo, hi;
} pq_blockwise;
#endif
