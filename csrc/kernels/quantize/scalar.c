#include <string.h>

#include "fixed.h"
#include "pq.h"
#include "quantize.h"
#include "types.h"

#define ISA scalar
#include "generic.h"

/* Sign, five bits of exponent, ten of fraction. Scaling by a power of two is exact, also from subnormals. */
static inline float widened(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff;
    const uint32_t bits = rest < 0x7c00 ? rest << 13 : 0x7f800000 | rest << 13;
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    if (rest < 0x7c00) magnitude *= 0x1p112f;
    return sign ? -magnitude : magnitude;
}

void dequantize_f16_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const uint16_t *restrict x = step->in[0];
    float *restrict y = step->out[0];
    for (int32_t i = begin; i < end; i++) y[i] = widened(x[i]);
}
