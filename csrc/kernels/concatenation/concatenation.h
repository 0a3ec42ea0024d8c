/* concatenation_x8: y is, for each unit, a run of bytes of every input in turn. Elements of any type, as bytes. */
#ifndef PQ_CONCATENATION_H
#define PQ_CONCATENATION_H
#include <stdint.h>

typedef struct {
    int32_t inputs;
    const int64_t *bytes; /* (inputs): the length of each one's run */
} pq_concatenation;
#endif
