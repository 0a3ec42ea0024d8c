#include <string.h>

#include "copy.h"
#include "pq.h"

static void copy_blocks(const pq_copy *p, const void *x, void *y, int32_t begin, int32_t end) {
    int64_t first = begin * p->block, last = end * p->block < p->bytes ? end * p->block : p->bytes;
    memcpy((char *)y + first, (const char *)x + first, (size_t)(last - first));
}

void copy_u8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    copy_blocks(step->params, step->in[0], step->out[0], begin, end);
}

void assign_u8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    copy_blocks(step->params, step->in[1], (void *)step->in[0], begin, end);
}
