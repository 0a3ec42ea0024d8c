/* take_x8: unit u of y is the `bytes` bytes of x from byte from[u] on, or `fill` where that is -1. The input in slot 0 is x. */
#ifndef PQ_TAKE_H
#define PQ_TAKE_H
#include <stdint.h>

typedef struct {
    int64_t bytes;
    const int64_t *from; /* (units) */
    const void *fill;    /* (bytes) */
} pq_take;
#endif
