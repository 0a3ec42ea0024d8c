#include <string.h>

#include "pad.h"
#include "pq.h"

/* The row of x that is in row `unit` of y, or -1. */
static int64_t inside(const pq_pad *p, int32_t unit) {
    int64_t row = 0, stride = 1;
    for (int32_t d = p->rank - 1; d >= 0; unit /= p->out_shape[d], stride *= p->in_shape[d], d--) {
        const int32_t i = unit % p->out_shape[d] - p->before[d];
        if (i < 0 || i >= p->in_shape[d]) return -1;
        row += i * stride;
    }
    return row;
}

void pad_x8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_pad *p = step->params;
    const size_t before = (size_t)p->row_before, middle = (size_t)p->row_inside, after = (size_t)p->row - before - middle;
    char *y = (char *)step->out[0] + begin * p->row;
    for (int32_t unit = begin; unit < end; unit++, y += p->row) {
        const int64_t row = inside(p, unit);
        if (row < 0) {
            memcpy(y, p->fill, (size_t)p->row);
            continue;
        }
        memcpy(y, p->fill, before);
        memcpy(y + before, (const char *)step->in[0] + row * p->row_inside, middle);
        memcpy(y + before + middle, p->fill, after);
    }
}
