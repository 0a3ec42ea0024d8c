/* conv2d: y[n, oy, ox, o] = finish(Σ_(ky, kx, c) (x[n, iy, ix, c] - input_zero) (w[o, ky, kx, c] - weight_zero) + bias[o])
 * with iy = oy·stride_height - pad_top + ky·dilation_height, ix alike; taps outside the image are left out.
 * Types: s8, u8, s16 (int16 x with int8 w), f32, f32s8 (hybrid). Also fully connected layers: one pixel per row, a filter
 * of 1 x 1.
 * The sum runs over ky, kx, c in this order, which for f32 is what its bits depend on; where `fused`, a kernel may round a
 * product and its sum at once.
 *
 * finish, integers: clamp(scaled(sum) + output_zero, lo, hi). scaled is pq_multiply, for `wide` sums pq_multiply64; `once`
 * rounds once instead of twice. Where `real` is not NULL, sum · real rounded half away from zero; where `device` is not,
 * (float)sum · device rounded half to even. f32: clamp(sum, float_lo, float_hi).
 *
 * Hybrid: x - input_zero is the image quantized as core/dynamic.h says; y = clamp(scaled(sum) + bias, float_lo, float_hi),
 * scaled is sum · (weight scale · image scale), where `stepwise` sum · weight scale · image scale.
 *
 * Unit u is output pixel u % pixels, pixels = batch·out_height·out_width, of channels [128 (u / pixels), + 128) where
 * these are counted within each group, a group's last piece being shorter. */
#ifndef PQ_CONV2D_H
#define PQ_CONV2D_H
#include <stdint.h>

typedef struct {
    const void *packed;
    const void *weights;       /* (out_channels, filter_height, filter_width, channels / groups);
                                  f32: float, u8: uint8, else int8 */
    const void *bias;          /* (out_channels), or NULL; s8, u8: int32, s16: int64, else float */
    const int32_t *multiplier; /* (out_channels) each; NULL where the type has none */
    const int32_t *exponent;
    const double *real;
    const float *device;
    const float *weight_scales;
    int32_t batch, height, width, channels;
    int32_t out_height, out_width, out_channels;
    int32_t groups, filter_height, filter_width;
    int32_t stride_height, stride_width, dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_zero, weight_zero, output_zero;
    int32_t wide, once, lo, hi;
    int32_t asymmetric, litert, stepwise, fused;
    float float_lo, float_hi;
} pq_conv2d;
#endif
