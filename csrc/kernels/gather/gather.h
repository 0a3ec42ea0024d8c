/* Runs of elements at places that a run of the plan tells. An index is `depth` coordinates, int64 where `wide`, else int32; each
 * must be from 0 and below its size, else the kernel reports, and counts `stride`. Strides are bytes, of scatter elements.
 *
 * gather_x8: run i of group g of y is the `bytes` bytes of x from g·group + the place of indices[g / outer, i] on. One unit is one
 * run, `count` of them in a group.
 *
 * scatter: y is 0, but where updates[i], of `inner` elements, are added at the place of indices[i], i < count, in this order.
 * Types: s8, s16, s32, s64, which wrap; f32; u8 truth values, of which one suffices. One unit is all.
 *
 * update_slice_x8: y = x, but for an `update` that begins at `start`, moved inward until it fits: 0 <= start <= limit, for each
 * dimension. It has `rows` runs of `run` bytes, in `outer` loops of `shape`, the last one fastest. One unit is all. */
#ifndef PQ_GATHER_H
#define PQ_GATHER_H
#include <stdint.h>

typedef struct {
    int32_t wide, depth, count, outer;
    int64_t group, bytes;
    const int64_t *size;   /* (depth) */
    const int64_t *stride; /* (depth) */
} pq_gather;

typedef struct {
    int32_t wide, depth, count;
    int64_t inner, elements; /* elements: of y */
    const int64_t *size;     /* (depth) */
    const int64_t *stride;   /* (depth) */
} pq_scatter;

typedef struct {
    int32_t wide, rank, outer;
    int64_t bytes, rows, run; /* bytes: of x */
    const int64_t *limit;     /* (rank) */
    const int64_t *stride;    /* (rank) */
    const int64_t *shape;     /* (outer) */
} pq_update_slice;
#endif
