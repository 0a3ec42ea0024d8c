/* Real numbers x in the order (outer, channels, inner) to what a file holds, by a scale for each channel. */
#ifndef PQ_CODES_H
#define PQ_CODES_H
#include <stdint.h>

/* codes_f32 lays out x / scale, as a double, to the nearest whole number, ties away from zero, plus zero, within lo..hi: int8_t,
 * or int16_t where wide. x holds no NaN. */
typedef struct {
    const void *packed;
    const float *x;
    int64_t outer;
    int64_t channels;
    int64_t inner;
    const float *scale;
    int32_t zero;
    int32_t lo;
    int32_t hi;
    int32_t wide;
} pq_codes;

/* magnitudes_f32 lays out the greatest |x| of each channel, (channels,) float; a NaN counts as greater than infinity. */
typedef struct {
    const void *packed;
    const float *x;
    int64_t outer;
    int64_t channels;
    int64_t inner;
} pq_magnitudes;
#endif
