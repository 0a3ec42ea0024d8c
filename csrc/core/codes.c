/* Real numbers to the codes that a file holds. */
#include "pq.h"

/* x / scale to the nearest whole number, ties away from zero, plus zero, within lo..hi. x is no NaN. */
static inline int32_t code(float x, double scale, int32_t zero, int32_t lo, int32_t hi) {
    const double least = lo - zero - 1, most = hi - zero + 1;
    double steps = x / scale;
    steps = steps < least ? least : steps;
    steps = steps > most ? most : steps;
    int32_t whole = (int32_t)steps;
    whole += (steps - whole >= 0.5 ? 1 : 0) - (steps - whole <= -0.5 ? 1 : 0) + zero;
    whole = whole < lo ? lo : whole;
    return whole > hi ? hi : whole;
}

#define ROUND(NAME, CODE)                                                                                                  \
    static void NAME(const pq_codes *p, const float *restrict x, CODE *restrict y) {                                       \
        const int32_t zero = p->zero, lo = p->lo, hi = p->hi;                                                              \
        const int64_t channels = p->channels, inner = p->inner;                                                            \
        for (int64_t row = 0; row < p->outer; row++) {                                                                     \
            const float *restrict scale = p->scale;                                                                        \
            for (int64_t c = 0; inner == 1 && c < channels; c++) y[c] = (CODE)code(x[c], scale[c], zero, lo, hi);          \
            for (int64_t c = 0; inner > 1 && c < channels; c++)                                                            \
                for (int64_t i = 0; i < inner; i++) y[c * inner + i] = (CODE)code(x[c * inner + i], scale[c], zero, lo, hi); \
            x += channels * inner;                                                                                         \
            y += channels * inner;                                                                                         \
        }                                                                                                                  \
    }
ROUND(round_8, int8_t)
ROUND(round_16, int16_t)

void pq_codes_round(const pq_codes *p, const float *x, void *y) {
    if (p->hi > INT8_MAX) round_16(p, x, y);
    else round_8(p, x, y);
}
