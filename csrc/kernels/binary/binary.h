/* y = f(a, b), a and b broadcast to the shape of y. Types: s8, u8, s16 with scales; s32, s64, which wrap; f32.
 * With scales, a' = scaled by a_... of (a - a_zero)·2^left, b' alike.
 *
 * add: scales clamp(scaled(a' + sign·b') + zero_point, lo, hi); else clamp(a + sign·b, lo, hi).
 * multiply: scales clamp(scaled((a - a_zero)(b - b_zero)) + zero_point, lo, hi); else clamp(a·b, lo, hi).
 * squared_difference_s8: clamp(scaled((a' - b')²) + zero_point, lo, hi). _s32, _f32: (a - b)².
 * prelu: scales clamp((scaled by a_... of a - a_zero, where that is not below 0, else scaled((a - a_zero)(b - b_zero))) +
 *        zero_point, lo, hi); f32 a where a >= 0, else a·b.
 * divide_f32: clamp(a / b, lo, hi). divide_s32: the same, toward zero. atan2_f32: of a / b.
 * floor_divide, floor_modulo: the quotient (of floats in double) down to a whole number, and its rest, which has the sign
 * of b; of raw codes.
 * Of these, all but divide_f32 report a b of 0, of which there are `b_size`.
 * equal and its like: 1 where it holds, else 0, in bytes; with scales, of a' and b'.
 * maximum, minimum: of the codes; f32: b where either is NaN.
 *
 * y has `rank` outer loops of `shape`, the last one fastest, and an inner one; the strides, in elements, are those of a and
 * b, 0 where they are broadcast. One unit is one run of the inner loop. With rank 0 there is one run, and a unit is an element.
 * y may be an input of as many elements, as wide; but then a report comes too late to save what it held. */
#ifndef PQ_BINARY_H
#define PQ_BINARY_H
#include <stdint.h>

typedef struct {
    int32_t rank;
    int32_t shape[5];
    int64_t a_stride[5];
    int64_t b_stride[5];
    int32_t inner, a_step, b_step; /* steps are 0 or 1, not both 0 */
    int32_t b_size;
    int32_t a_zero, b_zero, zero_point;
    int32_t sign, left;
    int32_t a_multiplier, a_exponent, b_multiplier, b_exponent;
    int32_t multiplier, exponent;
    double lo, hi; /* whole numbers of the type, but 2^63 is above the greatest s64 */
} pq_binary;
#endif
