#include "gather.h"

#include <string.h>

#include "report.h"

static inline int64_t number(const void *numbers, int32_t wide, int64_t i) {
    return wide ? ((const int64_t *)numbers)[i] : ((const int32_t *)numbers)[i];
}

/* The place of an index; -1 where a coordinate is outside. */
static inline int64_t place_of(
    const void *indices, int64_t index, int32_t wide, int32_t depth, const int64_t *size, const int64_t *stride) {
    int64_t place = 0;
    for (int32_t d = 0; d < depth; d++) {
        const int64_t coordinate = number(indices, wide, index * depth + d);
        if (coordinate < 0 || coordinate >= size[d]) return -1;
        place += coordinate * stride[d];
    }
    return place;
}

/* With sizes that are constants where they are known to be small. */
static inline void gather(const pq_step *step, int32_t begin, int32_t end, size_t bytes, int32_t depth) {
    const pq_gather p = *(const pq_gather *)step->params; /* which no write to y can change */
    char *y = (char *)step->out[0] + (size_t)begin * bytes;
    for (int32_t unit = begin; unit < end;) {
        const int32_t g = unit / p.count;
        const int64_t first = (int64_t)(g / p.outer) * p.count - (int64_t)g * p.count; /* index of unit 0, were it in g */
        const char *x = (const char *)step->in[0] + g * p.group;
        const int32_t last = end - g * p.count < p.count ? end : (g + 1) * p.count;
        for (; unit < last; unit++, y += bytes) {
            const int64_t place = place_of(step->in[1], first + unit, p.wide, depth, p.size, p.stride);
            if (place < 0) {
                pq_report(step);
                return;
            }
            memcpy(y, x + place, bytes);
        }
    }
}

void gather_x8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_gather *p = step->params;
    if (p->bytes == 1 && p->depth == 1)
        gather(step, begin, end, 1, 1);
    else if (p->bytes == 4 && p->depth == 1)
        gather(step, begin, end, 4, 1);
    else
        gather(step, begin, end, (size_t)p->bytes, p->depth);
}

#define SCATTER(type, CODE, SUM)                                                                                   \
    void scatter_##type##_scalar(const pq_step *step, int32_t begin, int32_t end) {                                \
        (void)begin, (void)end;                                                                                    \
        const pq_scatter *p = step->params;                                                                        \
        const CODE *updates = step->in[1];                                                                         \
        memset(step->out[0], 0, (size_t)p->elements * sizeof *updates);                                            \
        for (int32_t i = 0; i < p->count; i++, updates += p->inner) {                                              \
            const int64_t place = place_of(step->in[0], i, p->wide, p->depth, p->size, p->stride);                 \
            if (place < 0) {                                                                                       \
                pq_report(step);                                                                                   \
                return;                                                                                            \
            }                                                                                                      \
            CODE *y = (CODE *)step->out[0] + place;                                                                \
            for (int64_t j = 0; j < p->inner; j++) y[j] = (CODE)(SUM);                                             \
        }                                                                                                          \
    }
SCATTER(s8, uint8_t, y[j] + updates[j])
SCATTER(s16, uint16_t, y[j] + updates[j])
SCATTER(s32, uint32_t, y[j] + updates[j])
SCATTER(s64, uint64_t, y[j] + updates[j])
SCATTER(f32, float, y[j] + updates[j])
SCATTER(u8, uint8_t, (y[j] | updates[j]) != 0)

void update_slice_x8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_update_slice *p = step->params;
    const char *update = step->in[1];
    memcpy(step->out[0], step->in[0], (size_t)p->bytes);
    char *first = step->out[0];
    for (int32_t d = 0; d < p->rank; d++) {
        const int64_t start = number(step->in[2], p->wide, d);
        first += (start < 0 ? 0 : start < p->limit[d] ? start : p->limit[d]) * p->stride[d];
    }
    for (int64_t row = 0; row < p->rows; row++, update += p->run) {
        char *y = first;
        int64_t rest = row;
        for (int32_t d = p->outer - 1; d >= 0; rest /= p->shape[d--]) y += rest % p->shape[d] * p->stride[d];
        memcpy(y, update, (size_t)p->run);
    }
}
