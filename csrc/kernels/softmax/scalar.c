#include <math.h>
#include <stddef.h>

#include "codes.h"
#include "fixed.h"
#include "in_place.h"
#include "pq.h"
#include "softmax.h"

/* f of every row, which has `depth` numbers. */
static inline void rows(
    void (*f)(const pq_softmax *, const float *, float *), const pq_step *step, int32_t begin, int32_t end) {
    const pq_softmax *p = step->params;
    for (int32_t unit = begin; unit < end; unit++) {
        const size_t first = (size_t)unit * (size_t)p->depth;
        f(p, (const float *)step->in[0] + first, (float *)step->out[0] + first);
    }
}

static inline float greatest(const float *x, int32_t n) {
    float max = x[0];
    for (int32_t c = 1; c < n; c++) max = max < x[c] ? x[c] : max;
    return max;
}

static void softmax(const pq_softmax *p, const float *x, float *y) {
    const float max = greatest(x, p->depth);
    float sum = 0;
    for (int32_t c = 0; c < p->depth; c++) sum += y[c] = expf((x[c] - max) * p->beta);
    for (int32_t c = 0; c < p->depth; c++) y[c] /= sum;
}

static void log_softmax(const pq_softmax *p, const float *x, float *y) {
    const float max = greatest(x, p->depth);
    float sum = 0;
    for (int32_t c = 0; c < p->depth; c++) sum += expf(x[c] - max);
    const float log = logf(sum);
    PQ_IN_PLACE for (int32_t c = 0; c < p->depth; c++) y[c] = x[c] - max - log;
}

static void l2_normalization(const pq_softmax *p, const float *x, float *y) {
    float sum = 0;
    for (int32_t c = 0; c < p->depth; c++) sum += x[c] * x[c];
    const float norm = sqrtf(sum), divisor = norm < 1e-6f ? 1e-6f : norm;
    PQ_IN_PLACE for (int32_t c = 0; c < p->depth; c++) y[c] = x[c] / divisor;
}

void softmax_f32_scalar(const pq_step *step, int32_t begin, int32_t end) { rows(softmax, step, begin, end); }

void log_softmax_f32_scalar(const pq_step *step, int32_t begin, int32_t end) { rows(log_softmax, step, begin, end); }

void l2_normalization_f32_scalar(const pq_step *step, int32_t begin, int32_t end) { rows(l2_normalization, step, begin, end); }

#define SOFTMAX(type, code)                                                                             \
    void softmax_##type##_scalar(const pq_step *step, int32_t begin, int32_t end) {                     \
        const pq_softmax *p = step->params;                                                             \
        const int32_t bits = p->wide ? 16 : 8, hi = (int32_t)((INT64_C(1) << bits) - 1);                \
        for (int32_t unit = begin; unit < end; unit++) {                                                \
            const size_t first = (size_t)unit * (size_t)p->depth;                                       \
            const code *x = (const code *)step->in[0] + first;                                 \
            int32_t max = x[0];                                                                         \
            uint64_t total = 0; /* in units of 2^-19 */                                                 \
            for (int32_t c = 1; c < p->depth; c++) max = max < x[c] ? x[c] : max;                       \
            for (int32_t c = 0; c < p->depth; c++) total += (uint64_t)pq_rounding_shift(p->powers[max - x[c]], 12); \
            const uint32_t sum = total < UINT32_MAX ? (uint32_t)total : UINT32_MAX;                     \
            const int32_t zeros = leading_zeros((int32_t)sum);                                          \
            const int32_t scale = one_over_one_plus((int32_t)((sum << zeros) - (1u << 31)));            \
            const int32_t shift = 12 - zeros + 31 - bits;                                               \
            for (int32_t c = 0; c < p->depth; c++) {                                                    \
                const int32_t power = pq_sdhm(scale, p->powers[max - x[c]]);                            \
                const int32_t share = pq_clamp(shift > 31 ? 0 : pq_rounding_shift(power, shift), 0, hi) + p->lo; \
                if (p->wide)                                                                            \
                    ((int16_t *)step->out[0] + first)[c] = (int16_t)share;                              \
                else                                                                                    \
                    ((int8_t *)step->out[0] + first)[c] = (int8_t)share;                                \
            }                                                                                           \
        }                                                                                               \
    }
SOFTMAX(s8, int8_t)
SOFTMAX(u8, uint8_t)

void softmax_s16_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_softmax *p = step->params;
    for (int32_t unit = begin; unit < end; unit++) {
        const int16_t *x = (const int16_t *)step->in[0] + (size_t)unit * (size_t)p->depth;
        int16_t *y = (int16_t *)step->out[0] + (size_t)unit * (size_t)p->depth;
        int32_t max = INT16_MIN;
        uint64_t total = 0; /* in units of 2^-15 */
        for (int32_t c = 0; c < p->depth; c++) max = max < x[c] ? x[c] : max;
        for (int32_t c = 0; c < p->depth; c++) {
            const int32_t below = pq_multiply(x[c] - max, p->multiplier, p->exponent); /* exp's table ends at 0 */
            total += (uint64_t)(y[c] = (int16_t)lookup(p->exp, pq_clamp(below, INT16_MIN - INT16_MAX, 0) + INT16_MAX));
        }
        const int32_t sum = total < INT32_MAX ? (int32_t)total : INT32_MAX;
        const int32_t zeros = leading_zeros(sum);
        const int64_t mantissa = (((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14; /* 1 + t in units of 2^-16 */
        const int32_t scale = lookup(p->reciprocal, pq_clamp((int32_t)mantissa - 98304, INT16_MIN, INT16_MAX));
        for (int32_t c = 0; c < p->depth; c++)
            y[c] = (int16_t)pq_clamp((y[c] * scale + (1 << (30 - zeros))) >> (31 - zeros), 0, INT16_MAX);
    }
}
