/* lstm, rnn, svdf: cells whose state, a variable among the inputs, is changed in place. One unit is one row of the batch,
 * over all times. x and y are (times, batch, ...) where time_major, else (batch, times, ...).
 *
 * f32: float32 states. With int8 weights (`hybrid`) x and h are quantized at run time, and a product is
 * sum · (weight_scale[slot] · scale of the row). Activations: tanh, or clamp(·, lo, hi).
 *   rnn:  y = h = activation(W x + R h + b); inputs x, W, R, b, h.
 *   svdf: each of `filters` pushes feature · x into its `memory`; y sums time · memory over the `rank` filters of a unit.
 *   lstm: inputs as of the operator: x, W of i f c o, R of i f c o, peepholes of i f o, b of i f c o, projection and its
 *         bias, h, cell, factors of the normalized gates i f c o. Without W of i, i = 1 - f. Units are counted before the
 *         projection, outputs after it.
 * s8: int8 activations; sums wrap at 32 bits.
 *   svdf: int16 memory, or int8 where `narrow`: scaled(feature · (x - x_zero)) saturated; y = clamp(scaled(sum + b) + zero_point).
 *   lstm: int16 cell of scale 2^cell_power. multiplier and exponent are by slot: W, R, peepholes i f o, then those of the
 *         hidden state, of the projection, and of what normalization makes of the gates i f c o. logistic and tanh are tables of a gate's int16 values, tanh_cell one of the cell's. */
#ifndef PQ_RECURRENT_H
#define PQ_RECURRENT_H
#include <stdint.h>

typedef struct {
    int32_t batch, times, time_major;
    int32_t inputs, units, outputs; /* elements of a row of x, of the cell, and of h and y */
    int32_t hybrid, asymmetric, litert, tanh, normalized;
    float lo, hi, cell_clip, projection_clip; /* 0: none */
    float weight_scale[9];                    /* the last one is the projection's */
    const float *peephole_i, *peephole_f, *peephole_o; /* (units) each, or NULL */
    const float *time;        /* (filters, memory) */
    int32_t filters, memory, rank, narrow;
    int32_t x_zero, h_zero, zero_point;
    int32_t multiplier[17], exponent[17], guard[4]; /* guard: for a variance of 0 */
    int32_t cell_power, cell_limit, projection_limit; /* 0: none */
    const int16_t *logistic_of, *tanh_of, *tanh_cell; /* (65536) from -32768 */
} pq_recurrent;
#endif
