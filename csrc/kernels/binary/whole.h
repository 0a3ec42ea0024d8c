/* Quotients of whole numbers that never trap: by 0 it is 0. */
#ifndef PQ_WHOLE_H
#define PQ_WHOLE_H
#include <stdint.h>

static inline int64_t quotient(int64_t a, int64_t b) {
    return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b; /* the least number by -1 wraps */
}

/* Of a quotient down to a whole number; it has the sign of b. */
static inline int64_t floor_rest(int64_t a, int64_t b) {
    const int64_t rest = b == 0 || b == -1 ? 0 : a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static inline int64_t floor_quotient(int64_t a, int64_t b) {
    return quotient(a, b) - ((a < 0) != (b < 0) && floor_rest(a, b) != 0);
}

/* Of a type: 2^63 stands for the greatest s64. */
static inline int64_t limit(double hi) { return hi < 0x1p63 ? (int64_t)hi : INT64_MAX; }
#endif
