/* Sixteen channels' scaling, ready for vectors: the exact pq_multiply, or for wide sums pq_multiply64, without a branch. */
#ifndef PQ_RESCALE_H
#define PQ_RESCALE_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { RESCALED = 16 };

/* pq_multiply: x·2^left, the product with m, plus 2^30 to round and 2^31·half for the second rounding, less 1 where the
 * first one's result is negative, shifted by 31 and by n; half = 2^(n - 1). Nothing may reach 2^31: see
 * pq_rescale_holds.
 * In floats, for codes of 8 bits: real is 2^16 of the scaling, and the first rounding makes a half of 2^16·(1/2 - tie) and more.
 * pq_multiply64 with t = 15 - e: the product of x and m's upper 15 bits, plus 2^(t - 1), shifted by t. */
typedef struct {
    int32_t start[RESCALED]; /* what a sum begins with */
    int32_t multiplier[RESCALED];
    int32_t left[RESCALED]; /* not in wide ones */
    int64_t rounding[2][RESCALED / 2]; /* of the even lanes, and of the odd ones */
    union {
        struct {
            int32_t half[RESCALED];
            int32_t shift[RESCALED];
            float real[RESCALED];
            float tie[RESCALED];
        };
        int64_t wide_shift[2][RESCALED / 2];
    };
} pq_rescale;

/* 2^n for -1022 <= n <= 1023, far faster than by ldexp. */
static inline double pq_power_of_2(int32_t n) {
    const uint64_t bits = (uint64_t)(n + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* What a multiplier and its exponent stand for. */
static inline double pq_scaling(int32_t multiplier, int32_t exponent) { return multiplier * pq_power_of_2(exponent - 31); }

/* Set the scaling of one lane. */
static inline void pq_rescale_set(pq_rescale *r, int lane, int32_t multiplier, int32_t exponent, bool wide) {
    if (wide) {
        const int32_t t = 15 - exponent;
        r->multiplier[lane] = multiplier >= 0x7FFF0000 ? 0x7FFF : (multiplier + (1 << 15)) >> 16;
        r->rounding[lane % 2][lane / 2] = INT64_C(1) << (t - 1);
        r->wide_shift[lane % 2][lane / 2] = t;
        return;
    }
    const int32_t n = exponent < 0 ? -exponent : 0;
    r->multiplier[lane] = multiplier;
    r->left[lane] = exponent > 0 ? exponent : 0;
    r->half[lane] = n > 0 ? INT32_C(1) << (n - 1) : INT32_MIN;
    r->rounding[lane % 2][lane / 2] = (INT64_C(1) << 30) + (n > 0 ? INT64_C(1) << (n + 30) : 0);
    r->shift[lane] = n;
    r->real[lane] = (float)(pq_scaling(multiplier, exponent) * 0x1p16);
    r->tie[lane] = n > 0 ? (float)pq_power_of_2(15 - n) : 0;
}

/* Whether sums of up to that size, either way, can be scaled so. */
static inline bool pq_rescale_holds(int64_t most, int32_t multiplier, int32_t exponent, bool wide) {
    const int64_t limit = INT64_C(1) << 31;
    if (wide || most >= limit) return most < limit;
    const int64_t shifted = exponent > 0 ? most << exponent : most;
    const int64_t half = exponent < 0 ? INT64_C(1) << (-exponent - 1) : 0;
    return shifted < limit && ((shifted * multiplier) >> 31) + 1 + half < limit;
}

/* For floats alone: a scaling that rounds once, half away from zero. */
static inline void pq_rescale_set_real(pq_rescale *r, int lane, double scaling) {
    r->real[lane] = (float)(scaling * 0x1p16);
    r->tie[lane] = 0;
}

/* Whether floats may scale sums of up to that size: see pq_rescaled_by_floats. */
static inline bool pq_rescale_by_floats(int64_t most, double scaling) { return scaling >= 0 && (double)most * scaling < 0x7FF0; }
#endif
