/* copy: y = x, byte for byte. assign: the first input, a variable, becomes the second. One unit is a block of bytes, the last one what is left. */
#ifndef PQ_COPY_H
#define PQ_COPY_H
#include <stdint.h>

typedef struct {
    int64_t bytes;
    int64_t block; /* bytes of one unit */
} pq_copy;
#endif
