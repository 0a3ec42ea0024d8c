#include <string.h>

#include "pq.h"
#include "take.h"

/* With a size that is a constant where it is known to be small. */
static inline void take(const pq_step *step, int32_t begin, int32_t end, size_t bytes) {
    const pq_take *p = step->params;
    const char *x = step->in[0];
    char *y = step->out[0];
    for (int32_t u = begin; u < end; u++) memcpy(y + (size_t)u * bytes, p->from[u] < 0 ? p->fill : x + p->from[u], bytes);
}

void take_x8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_take *p = step->params;
    if (p->bytes == 1)
        take(step, begin, end, 1);
    else if (p->bytes == 4)
        take(step, begin, end, 4);
    else
        take(step, begin, end, (size_t)p->bytes);
}
