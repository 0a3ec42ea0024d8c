/* What stands before and after the sums of a convolution: from activations to terms, from sums to activations.
 * TYPE as in types.h; PARAMS is the family's struct. */
#include <math.h>

#include "fixed.h"

/* What an image's activations are counted from. */
static inline ORIGIN NAME(origin)(const PARAMS *p, const CODE *x, int32_t image) {
#if HYBRID
    const size_t size = (size_t)p->height * (size_t)p->width * (size_t)p->channels;
    return pq_dynamic_of(x + (size_t)image * size, size, p->asymmetric, p->litert);
#else
    (void)x, (void)image;
    return (ORIGIN)p->input_zero;
#endif
}

static inline TERM NAME(term)(CODE x, ORIGIN origin) {
#if HYBRID
    return pq_dynamic_term(x, origin);
#else
    return (TERM)((TERM)x - origin);
#endif
}

/* sums, y: those of the channels [channel, channel + channels). */
#if HYBRID
static inline void NAME(finish)(
    const PARAMS *p, ORIGIN origin, int32_t channel, int32_t channels, const SUM *restrict sums, CODE *restrict y) {
    const float *restrict bias = p->bias, *restrict scales = p->weight_scales + channel;
    const float lo = p->float_lo, hi = p->float_hi;
    for (int32_t c = 0; c < channels; c++) {
        const float sum = (float)(int32_t)sums[c];
        y[c] = p->stepwise ? sum * scales[c] * origin.scale : sum * (scales[c] * origin.scale);
    }
    for (int32_t c = 0; c < channels; c++) y[c] = pq_clampf(bias == NULL ? y[c] : y[c] + bias[channel + c], lo, hi);
}
#elif INTEGER
static inline void NAME(finish)(
    const PARAMS *p, ORIGIN origin, int32_t channel, int32_t channels, SUM *restrict sums, CODE *restrict y) {
    (void)origin;
    const SUM *restrict bias = p->bias;
    const int32_t *restrict multiplier = p->multiplier + channel, *restrict exponent = p->exponent + channel;
    /* clamped before the zero point is added, so that nothing overflows */
    const int32_t zero = p->output_zero, lo = p->lo - zero, hi = p->hi - zero;
    for (int32_t c = 0; c < channels && bias != NULL; c++) sums[c] += bias[channel + c];
    if (p->device != NULL) {
        for (int32_t c = 0; c < channels; c++)
            y[c] = (CODE)((int32_t)fminf(fmaxf(rintf((float)(int32_t)sums[c] * p->device[channel + c]), (float)lo), (float)hi) + zero);
    } else if (p->real != NULL) {
        for (int32_t c = 0; c < channels; c++) {
            const double sum = p->wide ? (double)(int64_t)sums[c] : (double)(int32_t)sums[c];
            y[c] = (CODE)((int32_t)fmin(fmax(round(sum * p->real[channel + c]), lo), hi) + zero);
        }
    } else if (p->wide) {
        for (int32_t c = 0; c < channels; c++)
            y[c] = (CODE)(pq_clamp(pq_multiply64((int64_t)sums[c], multiplier[c], exponent[c]), lo, hi) + zero);
    } else if (p->once) {
        for (int32_t c = 0; c < channels; c++)
            y[c] = (CODE)(pq_clamp(pq_multiply_once((int32_t)sums[c], multiplier[c], exponent[c]), lo, hi) + zero);
#ifdef PQ_RESCALE_NEON_H
    } else if (sizeof(SUM) == sizeof(int32_t)) {
        pq_multiply_all((int32_t *)sums, multiplier, exponent, channels);
        for (int32_t c = 0; c < channels; c++) y[c] = (CODE)(pq_clamp((int32_t)sums[c], lo, hi) + zero);
#endif
    } else {
        for (int32_t c = 0; c < channels; c++)
            y[c] = (CODE)(pq_clamp(pq_multiply((int32_t)sums[c], multiplier[c], exponent[c]), lo, hi) + zero);
    }
}
#else
static inline void NAME(finish)(
    const PARAMS *p, ORIGIN origin, int32_t channel, int32_t channels, const SUM *restrict sums, CODE *restrict y) {
    (void)origin;
    const float *restrict bias = p->bias, lo = p->float_lo, hi = p->float_hi;
    for (int32_t c = 0; c < channels; c++) y[c] = pq_clampf(bias == NULL ? sums[c] : sums[c] + bias[channel + c], lo, hi);
}
#endif
