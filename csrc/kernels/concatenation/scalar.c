#include <string.h>

#include "concatenation.h"
#include "pq.h"

void concatenation_x8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_concatenation *p = step->params;
    int64_t row = 0;
    for (int32_t k = 0; k < p->inputs; k++) row += p->bytes[k];
    char *y = (char *)step->out[0] + begin * row;
    for (int32_t unit = begin; unit < end; unit++)
        for (int32_t k = 0; k < p->inputs; y += p->bytes[k], k++)
            memcpy(y, (const char *)step->in[k] + unit * p->bytes[k], (size_t)p->bytes[k]);
}
