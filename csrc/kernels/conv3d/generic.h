/* conv3d for one ISA. */
#include "fixed.h"

/* Where tap k of output o reads along one axis; negative or past the end where that is outside. */
static inline int32_t place(const pq_conv3d *p, int axis, int32_t o, int32_t k) {
    return o * p->stride[axis] - p->pad[axis] + k * p->dilation[axis];
}

static inline int outside(const pq_conv3d *p, int axis, int32_t i) { return i < 0 || i >= p->size[axis]; }

static inline void add_tap(const pq_conv3d *p, const float *restrict x, const float *restrict w, float *restrict y) {
    for (int32_t c = 0; c < p->channels; c++, w += p->out_channels)
        for (int32_t o = 0; o < p->out_channels; o++) y[o] += x[c] * w[o];
}

void PQ_JOIN(conv3d_f32, ISA)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_conv3d *p = step->params;
    const float *w = step->in[1], *bias = p->biased ? step->in[2] : NULL;
    const size_t tap = (size_t)p->channels * (size_t)p->out_channels;
    for (int32_t unit = begin; unit < end; unit++) {
        const int32_t ox = unit % p->out[2], oy = unit / p->out[2] % p->out[1], oz = unit / p->out[2] / p->out[1] % p->out[0];
        const size_t image = (size_t)(unit / p->out[2] / p->out[1] / p->out[0]);
        float *y = (float *)step->out[0] + (size_t)unit * (size_t)p->out_channels;
        for (int32_t o = 0; o < p->out_channels; o++) y[o] = 0;
        for (int32_t kz = 0; kz < p->filter[0]; kz++) {
            const int32_t iz = place(p, 0, oz, kz);
            if (outside(p, 0, iz)) continue;
            for (int32_t ky = 0; ky < p->filter[1]; ky++) {
                const int32_t iy = place(p, 1, oy, ky);
                if (outside(p, 1, iy)) continue;
                for (int32_t kx = 0; kx < p->filter[2]; kx++) {
                    const int32_t ix = place(p, 2, ox, kx);
                    if (outside(p, 2, ix)) continue;
                    const size_t row = (image * (size_t)p->size[0] + (size_t)iz) * (size_t)p->size[1] + (size_t)iy;
                    const size_t at = (row * (size_t)p->size[2] + (size_t)ix) * (size_t)p->channels;
                    const size_t k = ((size_t)kz * (size_t)p->filter[1] + (size_t)ky) * (size_t)p->filter[2] + (size_t)kx;
                    add_tap(p, (const float *)step->in[0] + at, w + k * tap, y);
                }
            }
        }
        for (int32_t o = 0; o < p->out_channels; o++) y[o] = pq_clampf(bias ? y[o] + bias[o] : y[o], p->lo, p->hi);
    }
}
