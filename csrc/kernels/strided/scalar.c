#include <string.h>

#include "pq.h"
#include "strided.h"

enum { MAX_RANK = 6 };

#define COPY_ELEMENTS(TYPE) \
    for (int64_t i = 0; i < n; i++) ((TYPE *)y)[i] = *(const TYPE *)(x + i * step)

static void copy_row(const char *x, char *y, int64_t n, int64_t step, int32_t element) {
    if (step == element)
        memcpy(y, x, (size_t)(n * element));
    else if (element == 1)
        COPY_ELEMENTS(uint8_t);
    else if (element == 2)
        COPY_ELEMENTS(uint16_t);
    else if (element == 4)
        COPY_ELEMENTS(uint32_t);
    else
        COPY_ELEMENTS(uint64_t);
}

/* The rows [begin, end) of output i. */
static void copy_rows(const pq_strided *p, int32_t i, const char *x, char *y, int64_t begin, int64_t end) {
    const int64_t *shape = p->shape + i * MAX_RANK, *stride = p->stride + i * MAX_RANK;
    for (int64_t row = begin; row < end; row++) {
        const char *from = x + p->start[i];
        int64_t rest = row;
        for (int64_t d = p->rank[i] - 1; d >= 0; rest /= shape[d--]) from += rest % shape[d] * stride[d];
        copy_row(from, y + row * p->length[i] * p->element, p->length[i], p->step[i], p->element);
    }
}

void strided_copy_u8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_strided *p = step->params;
    int64_t first = begin, last = end;
    for (int32_t i = 0; i < p->outputs && last > 0; first -= p->rows[i], last -= p->rows[i], i++) {
        const int64_t from = first > 0 ? first : 0, to = last < p->rows[i] ? last : p->rows[i];
        if (from < to) copy_rows(p, i, step->in[p->source], step->out[i], from, to);
    }
}
