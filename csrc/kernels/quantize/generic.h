/* The loops between scales for one ISA. */
#include "in_place.h"

#define FUNCTION(operation) PQ_JOIN(operation, ISA)

/* Clamped before it is rounded, which changes nothing as the limits are whole, and makes the conversion safe. */
static inline int32_t quantized(float x, const pq_quantize *p) {
    const float steps = pq_clampf(x / p->scale, (float)(p->lo - p->zero_point), (float)(p->hi - p->zero_point));
    const int32_t whole = steps == steps ? (int32_t)steps : 0;
    const float rest = steps - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f) + p->zero_point;
}

void FUNCTION(quantize_f32)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_quantize p = *(const pq_quantize *)step->params;
    const float *restrict x = step->in[0];
    int8_t *restrict narrow = step->out[0];
    int16_t *restrict wide = step->out[0];
    if (p.wide)
        for (int32_t i = begin; i < end; i++) wide[i] = (int16_t)quantized(x[i], &p);
    else
        for (int32_t i = begin; i < end; i++) narrow[i] = (int8_t)quantized(x[i], &p);
}

static inline int32_t requantized(int32_t x, const pq_requantize *p) {
    const int32_t shifted = (int32_t)((uint32_t)x + (uint32_t)p->offset);
    const int64_t code = (int64_t)pq_multiply(shifted, p->multiplier, p->exponent) + p->zero_point;
    return (int32_t)(code < p->lo ? p->lo : code > p->hi ? p->hi : code);
}

#define REQUANTIZE(type, code)                                                                            \
    void FUNCTION(requantize_##type)(const pq_step *step, int32_t begin, int32_t end) {                   \
        const pq_requantize p = *(const pq_requantize *)step->params;                                     \
        const code *x = step->in[0];                                                                      \
        int8_t *narrow = step->out[0];                                                                    \
        int16_t *wide = step->out[0];                                                                     \
        int32_t *widest = step->out[0];                                                                   \
        if (p.wide == 2)                                                                                  \
            PQ_IN_PLACE for (int32_t i = begin; i < end; i++) widest[i] = requantized(x[i], &p);          \
        else if (p.wide)                                                                                  \
            PQ_IN_PLACE for (int32_t i = begin; i < end; i++) wide[i] = (int16_t)requantized(x[i], &p);   \
        else                                                                                              \
            PQ_IN_PLACE for (int32_t i = begin; i < end; i++) narrow[i] = (int8_t)requantized(x[i], &p);  \
    }
REQUANTIZE(s16, int16_t)
REQUANTIZE(s32, int32_t)

#define DEQUANTIZE(type, code)                                                                  \
    void FUNCTION(dequantize_##type)(const pq_step *step, int32_t begin, int32_t end) {         \
        const pq_dequantize p = *(const pq_dequantize *)step->params;                           \
        const code *restrict x = step->in[0];                                                   \
        float *restrict y = step->out[0];                                                       \
        for (int32_t i = begin; i < end; i++) y[i] = p.scale * (float)(x[i] + p.offset);        \
    }
DEQUANTIZE(s8, int8_t)
DEQUANTIZE(u8, uint8_t)
DEQUANTIZE(s16, int16_t)
