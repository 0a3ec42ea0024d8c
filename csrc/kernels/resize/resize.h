/* resize_bilinear: y[n, i, j, c] is x between rows row_lower[i] and row_upper[i], columns column_lower[j] and column_upper[j],
 * weighted by how far it is from the lower ones: row_fraction and column_fraction for f32 and u8, which
 * adds a half and cuts; row_units and column_units, in units of 2^-10, for s8 and s16, which round half away from zero. The others are NULL.
 * Unit u is row u % out_height of image u / out_height of y. */
#ifndef PQ_RESIZE_H
#define PQ_RESIZE_H
#include <stdint.h>

typedef struct {
    int32_t in_height, in_width, channels, out_height, out_width;
    const int32_t *row_lower, *row_upper, *row_units;          /* (out_height) */
    const int32_t *column_lower, *column_upper, *column_units; /* (out_width) */
    const float *row_fraction, *column_fraction;
} pq_resize;
#endif
