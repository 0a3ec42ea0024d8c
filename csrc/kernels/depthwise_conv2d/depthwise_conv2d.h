/* depthwise_conv2d: y[n, oy, ox, o] = finish(Σ_(ky, kx) (x[n, iy, ix, o / multiple] - input_zero) (w[ky, kx, o] - weight_zero) + bias[o])
 * with iy, ix, the types, finish and the arrays as in conv2d.h; multiple = out_channels / channels, weights are
 * (filter_height, filter_width, out_channels). Unit u is output pixel u of batch·out_height·out_width, with all its channels. */
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
    int32_t batch, height, width, channels;
    int32_t out_height, out_width, out_channels;
    int32_t filter_height, filter_width;
    int32_t stride_height, stride_width, dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_zero, weight_zero, output_zero;
    int32_t wide, lo, hi;
    float float_lo, float_hi;
} pq_depthwise_conv2d;
#endif
