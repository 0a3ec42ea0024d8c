/* transpose_conv: y[n, oy, ox, o] = finish(Σ (x[n, iy, ix, c] - input_zero) (w[o, ky, kx, c] - weight_zero) + bias[o]) over
 * all c and all (iy, ky), (ix, kx) with iy·stride_height + ky - pad_top = oy and likewise ix, kx.
 * The types, finish and the fields are as in conv2d.h; in slots 0 to 3 are the size of y, w, x and the bias.
 * Unit u is row u of batch·out_height. */
#ifndef PQ_TRANSPOSE_CONV_H
#define PQ_TRANSPOSE_CONV_H
#include <stdint.h>

typedef struct {
    const void *weights;
    const void *bias;
    const int32_t *multiplier;
    const int32_t *exponent;
    const double *real;
    const float *device;
    const float *weight_scales;
    int32_t height, width, channels;
    int32_t out_height, out_width, out_channels;
    int32_t filter_height, filter_width;
    int32_t stride_height, stride_width;
    int32_t pad_top, pad_left;
    int32_t input_zero, weight_zero, output_zero;
    int32_t wide, once, lo, hi;
    int32_t asymmetric, litert, stepwise;
    float float_lo, float_hi;
} pq_transpose_conv;
#endif
