/* Peak: how fast the processor multiplies and adds at most. x and w: 64 bytes of one type, int8 from 0 to 127; y: (1,) int32,
   or float32 for that type, gets the sum of x[i] * w[i], taken `repeats` times a unit. int32 wraps. y has one writer. */
#ifndef PQ_PEAK_H
#define PQ_PEAK_H
#include <stdint.h>

typedef struct {
    int32_t repeats; /* a multiple of 16 */
} pq_peak;
#endif
