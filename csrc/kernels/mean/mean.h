/* mean: y[u·inner + c] = the mean over t, or what is scaled like one, of x[starts[u] + offsets[t] + c], c < inner, t < terms. Types: s8, u8, s16, f32.
 * Integers: clamp(scaled(sum + offset) + zero_point, lo, hi), where the multiplier holds 1 / terms. f32: sum over t in order, / divisor.
 * greatest, least: over t; f32: of -FLT_MAX or FLT_MAX too, past any NaN, as TFLite has it.
 * One unit is one u. */
#ifndef PQ_MEAN_H
#define PQ_MEAN_H
#include <stdint.h>

typedef struct {
    int32_t inner, terms;
    const int64_t *starts;  /* (units) */
    const int64_t *offsets; /* (terms) */
    float divisor;
    int32_t offset, multiplier, exponent, zero_point, lo, hi;
} pq_mean;
#endif
