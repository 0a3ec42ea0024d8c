/* What recurrent cells need of integers, whatever the ISA; and where an LSTM's inputs are. */
#ifndef PQ_CELL_H
#define PQ_CELL_H
#include "fixed.h"

enum { IN_W = 1, IN_R = 5, IN_P = 9, IN_B = 12, IN_PROJECTION = 16, IN_H = 18, IN_N = 20 };

static inline int16_t saturated(int64_t x) { return (int16_t)(x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x); }

typedef struct {
    int32_t multiplier, exponent;
} root;

/* 1 / sqrt(v) as of pq_multiply: five steps of Newton's method; 1 up to 1. */
static root inverse_square_root(int32_t v) {
    if (v <= 1) return (root){INT32_MAX, 0};
    int32_t shift = 11;
    for (; v >= 1 << 29; v /= 4) shift++;
    const int32_t spare = (__builtin_clz((uint32_t)v) - 1) / 2 - 1;
    const int32_t half = pq_rounding_shift((v << 2 * spare) >> 1, 1);
    int32_t x = 1 << 28;
    for (int step = 0; step < 5; step++) {
        const int32_t cube = pq_shift_left(pq_sdhm(pq_sdhm(x, x), x), 6);
        x = pq_shift_left(pq_sdhm(3 << 27, x) - pq_sdhm(half, cube), 3);
    }
    x = pq_sdhm(x, 1518500250); /* the root of 1/2 */
    shift -= spare;
    return shift < 0 ? (root){x << -shift, 0} : (root){x, -shift};
}
#endif
