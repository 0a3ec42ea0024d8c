/* greatest_place, least_place: y[u, c] = the i of the first greatest, or least, x[u, i, c], i < size, c < inner; of f32 the
 * first that is not a number, where there is one. Types: s8, u8, s16, f32. y is int64 where `wide`, else int32. One unit is one u. */
#ifndef PQ_PLACE_H
#define PQ_PLACE_H
#include <stdint.h>

typedef struct {
    int32_t size, inner, wide;
} pq_place;
#endif
