/* Observe: fold the elements of x: (size,) into the record at out[0]. One unit, as the record has one writer. */
#ifndef PQ_OBSERVE_H
#define PQ_OBSERVE_H
#include <stdint.h>

typedef struct {
    int64_t size;
} pq_observe;

/* Least and greatest of the finite elements seen, and how many were seen, not a number, and infinite. */
typedef struct {
    float low;
    float high;
    int64_t count;
    int64_t nan;
    int64_t infinite;
} pq_observation;
#endif
