#include "lut.h"
#include "pq.h"

void lut_x8_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const uint8_t *restrict table = ((const pq_lut *)step->params)->table, *x = step->in[0];
    uint8_t *y = step->out[0];
    for (int32_t i = begin; i < end; i++) y[i] = table[x[i]];
}

void lut_x16_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const uint16_t *restrict table = ((const pq_lut *)step->params)->table, *x = step->in[0];
    uint16_t *y = step->out[0];
    for (int32_t i = begin; i < end; i++) y[i] = table[x[i]];
}
