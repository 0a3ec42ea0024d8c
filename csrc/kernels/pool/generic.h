/* The loops of pooling for one TYPE and ISA: channels in pieces, whose sums or maxima the taps go into one after the other. */
#include "types.h"

#include "window.h"

#ifndef PIECE
#define PIECE 64
#endif

#if INTEGER
#define CLAMP pq_clamp
#define NUMBER int32_t
#else
#define CLAMP pq_clampf
#define NUMBER float
#endif

static inline CODE NAME(mean)(NUMBER sum, NUMBER count) {
#if INTEGER
    return (CODE)((sum + (sum > 0 ? count / 2 : -(count / 2))) / count);
#else
    return sum / count;
#endif
}

void FULL_NAME(average_pool)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_pool *p = step->params;
    const int32_t channels = p->channels;
    const NUMBER lo = (NUMBER)p->lo, hi = (NUMBER)p->hi;
    CODE *restrict y = (CODE *)step->out[0] + (size_t)begin * (size_t)p->out_width * (size_t)channels;
    for (int32_t unit = begin; unit < end; unit++) {
        const CODE *image = (const CODE *)step->in[0] + (size_t)(unit / p->out_height) * (size_t)p->in_height * (size_t)p->in_width * (size_t)channels;
        for (int32_t ox = 0; ox < p->out_width; ox++, y += channels) {
            const window w = window_at(p, unit % p->out_height, ox);
            const NUMBER count = (NUMBER)((w.bottom - w.top) * (w.right - w.left));
            for (int32_t first = 0; first < channels; first += PIECE) {
                const int32_t n = channels - first < PIECE ? channels - first : PIECE;
                NUMBER sums[PIECE] = {0};
                for (int32_t iy = w.top; iy < w.bottom; iy++)
                    for (int32_t ix = w.left; ix < w.right; ix++) {
                        const CODE *restrict x = image + ((size_t)iy * (size_t)p->in_width + (size_t)ix) * (size_t)channels + first;
                        for (int32_t c = 0; c < n; c++) sums[c] += x[c];
                    }
                for (int32_t c = 0; c < n; c++) y[first + c] = (CODE)CLAMP(NAME(mean)(sums[c], count), lo, hi);
            }
        }
    }
}

void FULL_NAME(max_pool)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_pool *p = step->params;
    const int32_t channels = p->channels;
    const NUMBER lo = (NUMBER)p->lo, hi = (NUMBER)p->hi;
    CODE *restrict y = (CODE *)step->out[0] + (size_t)begin * (size_t)p->out_width * (size_t)channels;
    for (int32_t unit = begin; unit < end; unit++) {
        const CODE *image = (const CODE *)step->in[0] + (size_t)(unit / p->out_height) * (size_t)p->in_height * (size_t)p->in_width * (size_t)channels;
        for (int32_t ox = 0; ox < p->out_width; ox++, y += channels) {
            const window w = window_at(p, unit % p->out_height, ox);
            for (int32_t c = 0; c < channels; c++) y[c] = PQ_JOIN(LEAST, TYPE);
            for (int32_t iy = w.top; iy < w.bottom; iy++)
                for (int32_t ix = w.left; ix < w.right; ix++) {
                    const CODE *restrict x = image + ((size_t)iy * (size_t)p->in_width + (size_t)ix) * (size_t)channels;
                    for (int32_t c = 0; c < channels; c++) y[c] = y[c] < x[c] ? x[c] : y[c];
                }
            for (int32_t c = 0; c < channels; c++) y[c] = (CODE)CLAMP(y[c], lo, hi);
        }
    }
}

#undef CLAMP
#undef NUMBER
#undef TYPE
