/* The loops for one ISA: as many blocks of a row as fit the buffer are quantized, then met by all outputs. */
#include "types.h"

enum { BUFFER = 4096 };

static inline int32_t products(const int16_t *restrict q, const int8_t *restrict w, int32_t n) {
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i++) sum += q[i] * w[i];
    return sum;
}

/* The outputs [begin, end) of a row x. */
static void row_outputs(const pq_blockwise *p, const float *x, int32_t begin, int32_t end, float *restrict y) {
    const pq_dynamic dynamic = pq_dynamic_of(x, (size_t)p->depth, 1, p->litert);
    const float zero = dynamic.lo == dynamic.hi ? 0 : p->litert ? 127 - dynamic.hi : dynamic.after;
    const int32_t blocks = p->depth / p->size, fitting = BUFFER / p->size;
    int16_t q[BUFFER];
    for (int32_t o = begin; o < end; o++) y[o] = 0;
    for (int32_t first = 0; first < blocks; first += fitting) {
        const int32_t last = first + fitting < blocks ? first + fitting : blocks;
        const int32_t from = first * p->size;
        for (int32_t i = from; i < last * p->size; i++) q[i - from] = (int16_t)(pq_dynamic_term(x[i], dynamic) + (int16_t)zero);
        for (int32_t o = begin; o < end; o++) {
            const int8_t *w = p->weights + (size_t)o * (size_t)p->depth;
            const float *scales = p->scales + (size_t)o * (size_t)blocks;
            for (int32_t b = first; b < last; b++)
                y[o] += (float)products(q + b * p->size - from, w + b * p->size, p->size) * scales[b];
        }
    }
    for (int32_t o = begin; o < end; o++) {
        const float real = (y[o] - zero * p->sums[o]) * dynamic.scale;
        y[o] = pq_clampf(p->bias == NULL ? real : real + p->bias[o], p->lo, p->hi);
    }
}

void PQ_JOIN(blockwise_f32s8, ISA)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_blockwise *p = step->params;
    for (int32_t unit = begin; unit < end;) {
        const int32_t row = unit / p->outputs, first = row * p->outputs;
        const int32_t last = end < first + p->outputs ? end : first + p->outputs;
        const float *x = (const float *)step->in[0] + (size_t)row * (size_t)p->depth;
        row_outputs(p, x, unit - first, last - first, (float *)step->out[0] + first);
        unit = last;
    }
}
