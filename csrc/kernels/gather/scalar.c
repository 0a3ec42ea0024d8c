#include "gather.h"

#include <string.h>

#include "report.h"

/* Where the run of an index begins, in bytes; -1 outside. */
static inline int64_t place_of(const pq_gather *p, const void *indices, int64_t index) {
    int64_t place = 0;
    for (int32_t d = 0; d < p->depth; d++) {
        const int64_t at = index * p->depth + d;
        const int64_t coordinate = p->wide ? ((const int64_t *)indices)[at] : ((const int32_t *)indices)[at];
        if (coordinate < 0 || coordinate >= p->size[d]) return -1;
        place += coordinate * p->stride[d];
    }
    return place;
}

/* With a size that is a constant where it is known to be small. */
static inline void gather(const pq_step *step, int32_t begin, int32_t end, size_t bytes) {
    const pq_gather *p = step->params;
    const char *x = step->in[0];
    char *y = (char *)step->out[0] + (size_t)begin * bytes;
    int32_t g = begin / p->count, i = begin % p->count;
    for (int32_t unit = begin; unit < end; unit++, y += bytes) {
        const int64_t place = place_of(p, step->in[1], (int64_t)(g / p->outer) * p->count + i);
        if (place < 0) {
            pq_report(step);
            return;
        }
        memcpy(y, x + g * p->group + place, bytes);
        if (++i == p->count) g++, i = 0;
    }
}

void gather_x8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_gather *p = step->params;
    if (p->bytes == 1)
        gather(step, begin, end, 1);
    else if (p->bytes == 4)
        gather(step, begin, end, 4);
    else
        gather(step, begin, end, (size_t)p->bytes);
}
