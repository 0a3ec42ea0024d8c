/* transpose_conv for one TYPE and ISA: gathered by output, so that every sum is finished at once, in TFLite's order of terms:
 * by input pixel, so that taps come last to first. */
#include "types.h"
#define PARAMS pq_transpose_conv
#include "convert.h"
#undef PARAMS

/* Adds to the sums of all output channels what one pixel of x gives by one element of the filters. */
static inline void NAME(add_pixel)(
    const pq_transpose_conv *p, const CODE *restrict x, ORIGIN origin, const WEIGHT *restrict w, SUM *restrict sums) {
    const size_t filter = (size_t)p->filter_height * (size_t)p->filter_width * (size_t)p->channels;
    for (int32_t o = 0; o < p->out_channels; o++, w += filter) {
        SUM sum = sums[o];
        for (int32_t c = 0; c < p->channels; c++) sum += (SUM)(NAME(term)(x[c], origin) * (w[c] - p->weight_zero));
        sums[o] = sum;
    }
}

void FULL_NAME(transpose_conv)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_transpose_conv *p = step->params;
    const size_t channels = (size_t)p->channels, outputs = (size_t)p->out_channels;
    SUM sums[MOST_OUTPUTS];
    int32_t known = -1;
    ORIGIN origin = {0};
    for (int32_t unit = begin; unit < end; unit++) {
        const int32_t image = unit / p->out_height, oy = unit % p->out_height + p->pad_top;
        const CODE *x = (const CODE *)step->in[2] + (size_t)image * (size_t)p->height * (size_t)p->width * channels;
        CODE *y = (CODE *)step->out[0] + (size_t)unit * (size_t)p->out_width * outputs;
        if (image != known) origin = NAME(origin)(p, step->in[2], known = image);
        for (int32_t ox = p->pad_left; ox < p->out_width + p->pad_left; ox++, y += outputs) {
            for (size_t o = 0; o < outputs; o++) sums[o] = 0;
            for (int32_t ky = last_tap(oy, p->filter_height, p->stride_height); ky >= 0; ky -= p->stride_height) {
                const int32_t iy = (oy - ky) / p->stride_height;
                if (iy >= p->height) continue;
                for (int32_t kx = last_tap(ox, p->filter_width, p->stride_width); kx >= 0; kx -= p->stride_width) {
                    const int32_t ix = (ox - kx) / p->stride_width;
                    if (ix >= p->width) continue;
                    const size_t pixel = (size_t)iy * (size_t)p->width + (size_t)ix;
                    const size_t tap = (size_t)ky * (size_t)p->filter_width + (size_t)kx;
                    NAME(add_pixel)(p, x + pixel * channels, origin, (const WEIGHT *)p->weights + tap * channels, sums);
                }
            }
            NAME(finish)(p, origin, 0, p->out_channels, sums, y);
        }
    }
}
#undef TYPE
