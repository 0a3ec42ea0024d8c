/* What the compiler makes of the plain loop. It is not told that x and w stay the same, or it would multiply once. */
#include <stddef.h>
#include <string.h>

#include "peak.h"
#include "pq.h"

#define PEAK(type, CODE, SUM)                                                                      \
    void peak_##type##_scalar(const pq_step *step, int32_t begin, int32_t end) {                   \
        const pq_peak *p = step->params;                                                           \
        const CODE *x = step->in[0], *w = step->in[1];                                             \
        SUM sums[64 / sizeof(CODE)] = {0}, total = 0;                                              \
        for (int64_t n = (int64_t)(end - begin) * p->repeats; n > 0; n--) {                        \
            __asm__ volatile("" ::"r"(x), "r"(w) : "memory");                                      \
            for (size_t i = 0; i < 64 / sizeof(CODE); i++) sums[i] += (SUM)(x[i] * w[i]);          \
        }                                                                                          \
        for (size_t i = 0; i < 64 / sizeof(CODE); i++) total += sums[i];                           \
        memcpy(step->out[0], &total, sizeof total);                                                \
    }

PEAK(s8, int8_t, uint32_t)
PEAK(s16, int16_t, uint32_t)
PEAK(f32, float, float)
