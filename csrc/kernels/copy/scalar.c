#include <string.h>

#include "copy.h"
#include "pq.h"

void copy_u8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_copy *p = step->params;
    int64_t first = begin * p->block, last = end * p->block < p->bytes ? end * p->block : p->bytes;
    memcpy((char *)step->out[0] + first, (const char *)step->in[0] + first, (size_t)(last - first));
}
