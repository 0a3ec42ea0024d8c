/* depthwise_conv2d: with multiple = out_channels / channels,
 * y[n, oy, ox, o] = finish(Σ_(ky, kx) (x[n, iy, ix, o / multiple] - input_zero) (w[ky, kx, o] - weight_zero) + bias[o]).
 * iy, ix, the types, finish and the fields are as in conv2d.h; weights are (filter_height, filter_width, out_channels).
 * Unit u is output pixel u of batch·out_height·out_width, with all its channels. */
#ifndef PQ_DEPTHWISE_CONV2D_H
#define PQ_DEPTHWISE_CONV2D_H
#include <stdint.h>

typedef struct {
    const void *packed;
    const void *weights;
    const void *bias;
    const int32_t *multiplier;
    const int32_t *exponent;
    const double *real;
    const float *device;
    const float *weight_scales;
    int32_t batch, height, width, channels;
    int32_t out_height, out_width, out_channels;
    int32_t filter_height, filter_width;
    int32_t stride_height, stride_width, dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_zero, weight_zero, output_zero;
    int32_t wide, once, lo, hi;
    int32_t asymmetric, litert, stepwise, fused;
    float float_lo, float_hi;
} pq_depthwise_conv2d;
#endif
