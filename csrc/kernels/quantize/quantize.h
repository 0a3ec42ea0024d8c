/* quantize_f32: y = clamp(round(x / scale) + zero_point, lo, hi), half away from zero; NaN counts as 0.
 * requantize_s16, _s32: y = clamp(scaled(x + offset) + zero_point, lo, hi).
 * Their y is 32 bits wide if `wide` is 2, 16 if 1, else 8, signed or not; quantize_f32 has no 32.
 * dequantize_s8, _u8, _s16: y = scale·(x + offset). dequantize_f16: y = x.
 * One unit is one element; y may be x, where it is as wide. */
#ifndef PQ_QUANTIZE_H
#define PQ_QUANTIZE_H
#include <stdint.h>

typedef struct {
    float scale;
    int32_t zero_point, lo, hi, wide;
} pq_quantize;

typedef struct {
    int32_t offset, multiplier, exponent, zero_point, lo, hi, wide;
} pq_requantize;

typedef struct {
    float scale;
    int32_t offset;
} pq_dequantize;
#endif
