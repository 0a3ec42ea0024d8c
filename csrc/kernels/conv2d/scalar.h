/* conv2d for one TYPE, for reading: the formula of conv2d.h, one output element at a time. */
#include "types.h"
#define PARAMS pq_conv2d
#include "convert.h"
#undef PARAMS

static SUM NAME(sum_at)(const pq_conv2d *p, const CODE *x, ORIGIN origin, int32_t pixel, int32_t o) {
    const int32_t depth = group_depth(p), group = o / group_channels(p);
    const int32_t image = pixel / (p->out_height * p->out_width);
    const int32_t top = pixel / p->out_width % p->out_height * p->stride_height - p->pad_top;
    const int32_t left = pixel % p->out_width * p->stride_width - p->pad_left;
    const WEIGHT *w = (const WEIGHT *)p->weights + (size_t)o * (size_t)term_count(p);
    SUM sum = 0;
    for (int32_t ky = 0; ky < p->filter_height; ky++) {
        for (int32_t kx = 0; kx < p->filter_width; kx++, w += depth) {
            const int32_t iy = top + ky * p->dilation_height, ix = left + kx * p->dilation_width;
            if (iy < 0 || iy >= p->height || ix < 0 || ix >= p->width) continue;
            const size_t position = ((size_t)image * (size_t)p->height + (size_t)iy) * (size_t)p->width + (size_t)ix;
            const CODE *from = x + position * (size_t)p->channels + group * depth;
            for (int32_t c = 0; c < depth; c++) sum += (SUM)(NAME(term)(from[c], origin) * (w[c] - p->weight_zero));
        }
    }
    return sum;
}

void FULL_NAME(conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_conv2d *p = step->params;
    const int32_t in_image = p->out_height * p->out_width, pixels = p->batch * in_image;
    int32_t known = begin % pixels / in_image;
    ORIGIN origin = NAME(origin)(p, step->in[0], known);
    for (int32_t unit = begin; unit < end; unit++) {
        const int32_t pixel = unit % pixels, piece = unit / pixels;
        if (pixel / in_image != known) origin = NAME(origin)(p, step->in[0], known = pixel / in_image);
        const int32_t group = piece / pieces_of_group(p), first = piece % pieces_of_group(p) * PIECE;
        const int32_t last = first + PIECE < group_channels(p) ? first + PIECE : group_channels(p);
        CODE *y = (CODE *)step->out[0] + (size_t)pixel * (size_t)p->out_channels;
        for (int32_t o = group * group_channels(p) + first; o < group * group_channels(p) + last; o++) {
            SUM sum = NAME(sum_at)(p, step->in[0], origin, pixel, o);
            NAME(finish)(p, origin, o, 1, &sum, y + o);
        }
    }
}
#undef TYPE
