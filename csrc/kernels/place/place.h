/* greatest_place, least_place: y[u, c] = the i of the first greatest, or least, x[u, i, c], i < size, c < inner; of f32 the
 * first that is not a number, where there is one. Types: s8, u8, s16, s32, f32. y is int64 where `wide`, else int32.
 * top: values y[u, j] and int32 places of the `count` greatest x[u, i], i < size, the greatest first, of equals the first first;
 * of f32 first those that are not numbers. Types: those above, and s64. One unit is one u. */
#ifndef PQ_PLACE_H
#define PQ_PLACE_H
#include <stdint.h>

typedef struct {
    int32_t size, inner, wide;
} pq_place;

typedef struct {
    int32_t size, count;
} pq_top;
#endif
