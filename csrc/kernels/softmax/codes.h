/* Steps of softmax of codes that are taken once for a row. */
#ifndef PQ_SOFTMAX_CODES_H
#define PQ_SOFTMAX_CODES_H
#include "fixed.h"

static inline int32_t leading_zeros(int32_t x) { return __builtin_clz((uint32_t)x); }

/* 1 / (1 + a) for 0 <= a <= 1, both in units of 2^-31: three steps of Newton's method, in units of 2^-29. */
static inline int32_t one_over_one_plus(int32_t a) {
    const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1);
    int32_t x = 1515870810 + pq_sdhm(half, -1010580540);
    for (int step = 0; step < 3; step++) x += pq_shift_left(pq_sdhm(x, (1 << 29) - pq_sdhm(half, x)), 2);
    return pq_shift_left(x, 1);
}

/* Linear interpolation between the nodes of a table. */
static inline int32_t lookup(const int16_t *table, int32_t x) {
    const int32_t i = 256 + (x >> 7), slope = (int16_t)(table[i + 1] - table[i]);
    return table[i] + ((slope * (x & 127) + 64) >> 7);
}
#endif
