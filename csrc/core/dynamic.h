/* Quantization of float activations at run time; the twin of pyquant/ops/hybrid.py. */
#ifndef PQ_DYNAMIC_H
#define PQ_DYNAMIC_H
#include <math.h>
#include <stdint.h>

/* x is scale · term: term = clamp(round(x · inverse + before), lo, hi) - after */
typedef struct {
    float scale, inverse, before, lo, hi, after;
} pq_dynamic;

static inline float pq_round_half_away(float x) { return truncf(x + copysignf(0x1.fffffep-2f, x)); } /* |x| < 2^22 */

static inline int16_t pq_dynamic_term(float x, pq_dynamic q) {
    const float code = pq_round_half_away(x * q.inverse + q.before);
    return (int16_t)((code > q.lo ? code < q.hi ? code : q.hi : q.lo) - q.after); /* a NaN is the lowest */
}

static inline void pq_range(const float *x, size_t n, float *lo, float *hi) {
    enum { LANES = 16 }; /* independent, so that the compiler may use vectors without reordering */
    float low[LANES] = {0}, high[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            low[j] = x[i + j] < low[j] ? x[i + j] : low[j];
            high[j] = x[i + j] > high[j] ? x[i + j] : high[j];
        }
    }
    for (; i < n; i++) {
        low[0] = x[i] < low[0] ? x[i] : low[0];
        high[0] = x[i] > high[0] ? x[i] : high[0];
    }
    *lo = *hi = 0;
    for (size_t j = 0; j < LANES; j++) {
        *lo = low[j] < *lo ? low[j] : *lo;
        *hi = high[j] > *hi ? high[j] : *hi;
    }
}

/* For activations from lo to hi, 0 among them. litert: the range is taken in single precision, and terms are rounded before the
 * zero point is added. */
static inline pq_dynamic pq_dynamic_between(float lo, float hi, int32_t asymmetric, int32_t litert) {
    if (lo == hi) return (pq_dynamic){.scale = 1, .inverse = 1};
    if (!asymmetric) {
        const float peak = hi > -lo ? hi : -lo;
        return (pq_dynamic){.scale = peak / 127, .inverse = 127 / peak, .lo = -127, .hi = 127};
    }
    const double step = (litert ? (double)(hi - lo) : (double)hi - (double)lo) / 255;
    const double from_low = -128 - lo / step, from_high = 127 - hi / step;
    const float zero = (float)round(fmin(fmax(128 - lo / step < 127 + hi / step ? from_low : from_high, -128), 127));
    const float scale = (float)step;
    if (litert) return (pq_dynamic){.scale = scale, .inverse = 1 / scale, .lo = -128 - zero, .hi = 127 - zero};
    return (pq_dynamic){.scale = scale, .inverse = 1 / scale, .before = zero, .lo = -128, .hi = 127, .after = zero};
}

static inline pq_dynamic pq_dynamic_of(const float *x, size_t n, int32_t asymmetric, int32_t litert) {
    float lo, hi;
    pq_range(x, n, &lo, &hi);
    return pq_dynamic_between(lo, hi, asymmetric, litert);
}
#endif
