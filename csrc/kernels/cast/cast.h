/* cast: y = x in another type: bool, which is x != 0; integers, which keep their low bits; or float32. Types: s8, u8 (bool too),
 * s16, u16, s32, u32, s64, f32. Floats lose their fraction, and are below or above where they are not in least <= x < beyond;
 * what is not a number is above. One unit is one element; y may be x, where it is as wide. */
#ifndef PQ_CAST_H
#define PQ_CAST_H
#include <stdint.h>

typedef struct {
    int32_t to;   /* bits of an integer: 8, 16, 32 or 64; 1 for bool, -32 for float32 */
    int32_t wide; /* floats go through 64 bits, else 32 */
    float least, beyond;
    int64_t below, above;
} pq_cast;
#endif
