/* Scales: whether they are sound; the real multipliers that they make, split into the pairs (m, e) of fixed.h. */
#include <math.h>

#include "pq.h"

void pq_real_multipliers(float input, const float *weights, int32_t n, float output, int32_t single, double *real) {
    for (int32_t i = 0; i < n; i++) real[i] = (single ? (double)(input * weights[i]) : (double)input * weights[i]) / output;
}

int32_t pq_quantize_multipliers(const double *real, int32_t n, int32_t *m, int32_t *e) {
    for (int32_t i = 0; i < n; i++) {
        int exponent;
        const double fraction = frexp(real[i], &exponent);
        if (!isfinite(real[i])) return i;
        int64_t whole = (int64_t)(fraction * 2147483648.0 + copysign(0.5, fraction)); /* half away from zero */
        if (whole == INT64_C(1) << 31) {
            whole >>= 1;
            exponent++;
        }
        const int flushed = exponent < -31 || whole == 0;
        if (!flushed && exponent > 30) return i;
        m[i] = flushed ? 0 : (int32_t)whole;
        e[i] = flushed ? 0 : exponent;
    }
    return -1;
}

int32_t pq_scales_fault(const float *scales, int32_t n, float least, const int64_t *zero_points, int32_t m, int64_t lo, int64_t hi) {
    for (int32_t i = 0; i < n; i++)
        if (!(scales[i] >= least && scales[i] < INFINITY)) return 1; /* of NaN, too */
    for (int32_t i = 0; i < m; i++)
        if (zero_points[i] < lo || zero_points[i] > hi) return 2;
    return 0;
}
