/* Scales: whether they are sound; the real multipliers that they make, split into the pairs (m, e) of fixed.h. */
#include <math.h>
#include <string.h>

#include "pq.h"

static inline double real_multiplier(float input, float weight, float output, int32_t single) {
    return (single ? (double)(input * weight) : (double)input * weight) / output;
}

void pq_real_multipliers(float input, const float *weights, int32_t n, float output, int32_t single, double *real) {
    for (int32_t i = 0; i < n; i++) real[i] = real_multiplier(input, weights[i], output, single);
}

enum { BIAS = 1022, SPECIAL = 0x7ff }; /* a double is fraction * 2^(its exponent's bits - BIAS), 1/2 <= fraction < 1 */

/* Whether there is no pair for a real multiplier. */
static int split(double real, int32_t *m, int32_t *e) {
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    const int field = (int)(bits >> 52) & SPECIAL;
    const int64_t fraction = (int64_t)(bits & ((UINT64_C(1) << 52) - 1)) | INT64_C(1) << 52; /* * 2^53 */
    const int64_t whole = (fraction + (1 << 21)) >> 22;                                       /* * 2^31, half away from zero */
    const int carries = whole >> 31 != 0, exponent = field - BIAS + carries, flushed = exponent < -31;
    const int32_t magnitude = flushed ? 0 : (int32_t)(whole >> carries);
    *m = bits >> 63 ? -magnitude : magnitude;
    *e = flushed ? 0 : exponent;
    return field == SPECIAL || exponent > 30;
}

int32_t pq_quantize_multipliers(const double *real, int32_t n, int32_t *m, int32_t *e) {
    for (int32_t i = 0; i < n; i++)
        if (split(real[i], &m[i], &e[i])) return i;
    return -1;
}

int32_t pq_rescaling(float input, const float *weights, int32_t n, float output, int32_t single, int32_t channels, int32_t *m, int32_t *e) {
    for (int32_t i = 0; i < n; i++)
        if (split(real_multiplier(input, weights[i], output, single), &m[i], &e[i])) return i;
    for (int32_t i = n; i < channels; i++) m[i] = m[0], e[i] = e[0];
    return -1;
}

int32_t pq_scales_fault(const float *scales, int32_t n, float least, const int64_t *zero_points, int32_t m, int64_t lo, int64_t hi) {
    int scale = 0, zero_point = 0;
    for (int32_t i = 0; i < n; i++) scale |= !(scales[i] >= least) | !(scales[i] < INFINITY); /* true of NaN */
    for (int32_t i = 0; i < m; i++) zero_point |= zero_points[i] < lo || zero_points[i] > hi;
    return scale ? 1 : zero_point ? 2 : 0;
}

int32_t pq_scales_are_sound(const float *const *scales, const int64_t *const *zero_points, const int32_t *counts, int32_t n, float least) {
    int faults = 0;
    uint64_t zero_bits = 0; /* together, as the least and the greatest of 64 bits take far longer */
    for (int32_t i = 0; i < n; i++) {
        faults |= pq_scales_fault(scales[i], counts[i], least, NULL, 0, 0, 0);
        for (int32_t k = 0; k < counts[i]; k++) zero_bits |= (uint64_t)zero_points[i][k];
    }
    return faults == 0 && zero_bits == 0;
}
