/* Fixed-point arithmetic as TensorFlow Lite's reference kernels do it; the twin of pyquant/fixed.py.
 * A real multiplier is a pair (m, e): m / 2^31 * 2^e, with -2^31 < m < 2^31 and -31 <= e <= 30. */
#ifndef PQ_FIXED_H
#define PQ_FIXED_H
#include <stdint.h>

/* High word of 2ab, to nearest, ties toward +infinity; only (-2^31)^2 saturates. */
static inline int32_t pq_sdhm(int32_t a, int32_t b) {
    int64_t high = ((int64_t)a * b + (1 << 30)) >> 31;
    return high > INT32_MAX ? INT32_MAX : (int32_t)high;
}

/* x / 2^n for 0 <= n <= 31, to nearest, ties away from zero. */
static inline int32_t pq_rounding_shift(int32_t x, int32_t n) {
    int32_t mask = (int32_t)((1u << n) - 1);
    return (x >> n) + ((x & mask) > (mask >> 1) + (x < 0));
}

/* x·2^n, saturating. */
static inline int32_t pq_shift_left(int32_t x, int32_t n) {
    const int64_t shifted = (int64_t)x * (1 << n);
    return shifted > INT32_MAX ? INT32_MAX : shifted < INT32_MIN ? INT32_MIN : (int32_t)shifted;
}

/* x times (m, e), rounded twice; a left shift wraps. As m is never -2^31 the product cannot saturate,
 * and as only its low word is kept a logical shift serves, which vectorizes where an arithmetic one does not. */
static inline int32_t pq_multiply(int32_t x, int32_t m, int32_t e) {
    int32_t left = e > 0 ? e : 0, right = e > 0 ? 0 : -e;
    int32_t shifted = (int32_t)((uint32_t)x << left);
    int32_t high = (int32_t)((uint64_t)((int64_t)shifted * m + (1 << 30)) >> 31);
    return pq_rounding_shift(high, right);
}

/* x times (m, e), rounded once, half up. */
static inline int32_t pq_multiply_once(int32_t x, int32_t m, int32_t e) {
    const int32_t shift = 31 - (e > 30 ? 30 : e);
    const int64_t factor = e > 30 ? INT32_MAX : m;
    return (int32_t)((x * factor + (INT64_C(1) << (shift - 1))) >> shift);
}

/* x, |x| < 2^47, times (m, e) with m reduced to 15 bits; one rounding, half up. Needs e < 15. */
static inline int32_t pq_multiply64(int64_t x, int32_t m, int32_t e) {
    int64_t reduced = m >= 0x7FFF0000 ? 0x7FFF : (m + (1 << 15)) >> 16;
    int32_t shift = 15 - e;
    return (int32_t)((int64_t)((uint64_t)x * (uint64_t)reduced + ((uint64_t)1 << (shift - 1))) >> shift);
}

/* min(max(x, lo), hi) */
static inline int32_t pq_clamp(int32_t x, int32_t lo, int32_t hi) {
    int32_t above = x > lo ? x : lo;
    return above < hi ? above : hi;
}

/* A NaN stays one. */
static inline float pq_clampf(float x, float lo, float hi) {
    float above = x < lo ? lo : x;
    return above > hi ? hi : above;
}
#endif
