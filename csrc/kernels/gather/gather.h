/* gather_x8: run i of group g of y is the `bytes` bytes of x from byte g·group + indices[g / outer, i]·stride on. An index is
 * `depth` coordinates below `size`, each times its stride; one outside is reported. indices are int64 where `wide`, else int32.
 * One unit is one run, `count` of them in a group. */
#ifndef PQ_GATHER_H
#define PQ_GATHER_H
#include <stdint.h>

typedef struct {
    int32_t wide, depth, count, outer;
    int64_t group, bytes;
    const int64_t *size;   /* (depth) */
    const int64_t *stride; /* (depth), bytes */
} pq_gather;
#endif
