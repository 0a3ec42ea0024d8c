/* pad_x8: x inside y, and the bytes of `fill` around it. Elements of any type, as bytes.
 * Unit u is row u of y, counted in `rank` axes of out_shape, the last one fastest. A row outside x is fill; one inside is
 * row_before bytes of fill, row_inside bytes of x, and fill to its end. */
#ifndef PQ_PAD_H
#define PQ_PAD_H
#include <stdint.h>

typedef struct {
    int32_t rank;
    int32_t in_shape[5];
    int32_t out_shape[5];
    int32_t before[5]; /* rows of fill in front of x */
    int64_t row, row_before, row_inside;
    const void *fill; /* (row) bytes */
} pq_pad;
#endif
