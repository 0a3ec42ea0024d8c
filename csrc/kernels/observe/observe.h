/* Observe: fold the elements of x: (size,) into the record at out[0]: a pq_observation, with `detailed` a pq_histogram behind
 * it, and then the sums of x as (size / channels, channels) over its rows, double. One unit, as the record has one writer. */
#ifndef PQ_OBSERVE_H
#define PQ_OBSERVE_H
#include <stdint.h>

typedef struct {
    int64_t size;
    int64_t channels;
    int32_t detailed;
} pq_observe;

/* Least and greatest of the finite elements seen, and how many were seen, not a number, and infinite. */
typedef struct {
    float low;
    float high;
    int64_t count;
    int64_t nan;
    int64_t infinite;
} pq_observation;

enum { PQ_BINS = 2048, PQ_LEAST_EXPONENT = -160 };

/* counts[PQ_BINS / 2 + i]: finite elements in [i, i + 1) times 2^exponent. It begins with no counts and PQ_LEAST_EXPONENT. */
typedef struct {
    int64_t exponent;
    int64_t counts[2048];
} pq_histogram;
#endif
