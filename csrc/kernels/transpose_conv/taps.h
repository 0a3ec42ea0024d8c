#ifndef PQ_TAPS_H
#define PQ_TAPS_H
#include <stdint.h>

enum { MOST_OUTPUTS = 4096 };

/* The last tap that reaches output `at` from a whole number of strides; negative where there is none. */
static inline int32_t last_tap(int32_t at, int32_t taps, int32_t stride) {
    return at < taps ? at : taps - 1 - (taps - 1 - at % stride + stride) % stride;
}
#endif
