/* strided_copy: each output is filled, in order, with elements of one input.
 *
 * Output i has rank[i] outer loops of the sizes shape[6 i ...], the last one fastest, each going stride[6 i ...] bytes on in
 * the input, and an inner one over length[i] elements that are step[i] bytes apart. One unit is one row: a run of the inner
 * loop, first those of output 0, rows[0] of them. */
#ifndef PQ_STRIDED_H
#define PQ_STRIDED_H
#include <stdint.h>

typedef struct {
    int32_t outputs;
    int32_t element; /* bytes: 1, 2, 4 or 8 */
    int32_t source;  /* index of the input */
    const int64_t *rank;
    const int64_t *rows;
    const int64_t *start; /* bytes, of the first element in the input */
    const int64_t *length;
    const int64_t *step;
    const int64_t *shape;
    const int64_t *stride;
} pq_strided;
#endif
