/* From the sums of a pixel's output channels to its codes: TYPE as in types.h, PARAMS the family's struct. */
#include <math.h>

#include "fixed.h"

/* sums, y: those of the channels [channel, channel + channels). */
static inline void NAME(finish)(const PARAMS *p, int32_t channel, int32_t channels, SUM *restrict sums, CODE *restrict y) {
    const SUM *restrict bias = p->bias;
#if INTEGER
    const int32_t *restrict multiplier = p->multiplier + channel, *restrict exponent = p->exponent + channel;
    const int32_t zero = p->output_zero, lo = p->lo - zero, hi = p->hi - zero; /* clamped before zero is added: no overflow */
    for (int32_t c = 0; c < channels && bias != NULL; c++) sums[c] += bias[channel + c];
    if (p->real != NULL) {
        for (int32_t c = 0; c < channels; c++) {
            const double sum = p->wide ? (double)(int64_t)sums[c] : (double)(int32_t)sums[c];
            y[c] = (CODE)((int32_t)fmin(fmax(round(sum * p->real[channel + c]), lo), hi) + zero);
        }
    } else if (p->wide) {
        for (int32_t c = 0; c < channels; c++)
            y[c] = (CODE)(pq_clamp(pq_multiply64((int64_t)sums[c], multiplier[c], exponent[c]), lo, hi) + zero);
    } else {
        for (int32_t c = 0; c < channels; c++)
            y[c] = (CODE)(pq_clamp(pq_multiply((int32_t)sums[c], multiplier[c], exponent[c]), lo, hi) + zero);
    }
#else
    const float lo = p->float_lo, hi = p->float_hi;
    for (int32_t c = 0; c < channels && bias != NULL; c++) sums[c] += bias[channel + c];
    for (int32_t c = 0; c < channels; c++) y[c] = pq_clampf(sums[c], lo, hi);
#endif
}
