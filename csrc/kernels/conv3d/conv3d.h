/* conv3d_f32: y[n, oz, oy, ox, o] = clamp(Σ x[n, iz, iy, ix, c] w[kz, ky, kx, c, o] + bias[o], lo, hi) over the taps whose
 * input i = o·stride - pad + k·dilation is inside, along z, y and x; in the order of taps, then of channels.
 * Inputs x, w and, where `biased`, the bias. One unit is one output pixel. */
#ifndef PQ_CONV3D_H
#define PQ_CONV3D_H
#include <stdint.h>

typedef struct {
    int32_t channels, out_channels, biased;
    int32_t size[3], out[3], filter[3], stride[3], dilation[3], pad[3]; /* along z, y, x */
    float lo, hi;
} pq_conv3d;
#endif
