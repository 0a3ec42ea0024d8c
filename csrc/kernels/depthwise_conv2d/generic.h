/* The loops of depthwise_conv2d for one TYPE: channels side by side, PIECE at a time, tap after tap. */
#include "types.h"
#define PARAMS pq_depthwise_conv2d
#include "convert.h"
#undef PARAMS

/* sums[c] += term of x[(first + c) / multiple] · w[c] for n channels. */
static void NAME(add_tap)(const CODE *restrict x, ORIGIN origin, const TERM *restrict w, int32_t first, int32_t multiple,
                          int32_t n, SUM *restrict sums) {
    if (multiple == 1) {
        x += first;
        for (int32_t c = 0; c < n; c++) sums[c] += (SUM)(NAME(term)(x[c], origin) * w[c]);
    } else {
        for (int32_t c = 0; c < n; c++) sums[c] += (SUM)(NAME(term)(x[(first + c) / multiple], origin) * w[c]);
    }
}

static void NAME(pixel)(const pq_depthwise_conv2d *p, const CODE *x, ORIGIN origin, int32_t pixel, CODE *y) {
    const int32_t image = pixel / (p->out_height * p->out_width), multiple = p->out_channels / p->channels;
    const int32_t top = pixel / p->out_width % p->out_height * p->stride_height - p->pad_top;
    const int32_t left = pixel % p->out_width * p->stride_width - p->pad_left;
    for (int32_t first = 0; first < p->out_channels; first += PIECE) {
        const int32_t n = p->out_channels - first < PIECE ? p->out_channels - first : PIECE;
        const TERM *w = (const TERM *)p->packed + first;
        SUM sums[PIECE] = {0};
        for (int32_t ky = 0; ky < p->filter_height; ky++) {
            for (int32_t kx = 0; kx < p->filter_width; kx++, w += p->out_channels) {
                const int32_t iy = top + ky * p->dilation_height, ix = left + kx * p->dilation_width;
                if (iy < 0 || iy >= p->height || ix < 0 || ix >= p->width) continue;
                const size_t position = ((size_t)image * (size_t)p->height + (size_t)iy) * (size_t)p->width + (size_t)ix;
                const CODE *from = x + position * (size_t)p->channels;
                NAME(add_tap)(from, origin, w, first, multiple, n, sums);
            }
        }
        NAME(finish)(p, origin, first, n, sums, y + first);
    }
}

void FULL_NAME(depthwise_conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_depthwise_conv2d *p = step->params;
    const int32_t in_image = p->out_height * p->out_width;
    int32_t known = begin / in_image;
    ORIGIN origin = NAME(origin)(p, step->in[0], known);
    for (int32_t pixel = begin; pixel < end; pixel++) {
        if (pixel / in_image != known) origin = NAME(origin)(p, step->in[0], known = pixel / in_image);
        NAME(pixel)(p, step->in[0], origin, pixel, (CODE *)step->out[0] + (size_t)pixel * (size_t)p->out_channels);
    }
}
#undef TYPE
