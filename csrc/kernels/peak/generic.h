/* The loop in registers: define PEAK, the function's name, VECTOR and SUM, its type and that of its lanes' sums, and
   MULTIPLY_ADD(sum, x, w), then include this file, each time. So many sums are under way that none waits for the one before. */
#include <string.h>

#include "peak.h"
#include "pq.h"

#define PARTS (64 / (int)sizeof(VECTOR))
#if defined(__aarch64__)
#define SUMS 16
#else
#define SUMS (16 / PARTS) /* a set of wide vectors has twice the registers */
#endif

/* The compiler must not see that sums and products are alike, for it would compute one of each; and it leaves a sum that it
   does not see where it is, in one register. */
#if defined(__aarch64__)
#define REGISTER "+w"
#else
#define REGISTER "+v"
#endif
#undef HIDE
#define HIDE(vector)                         \
    do {                                     \
        VECTOR hidden = (vector);            \
        __asm__ volatile("" : REGISTER(hidden)); \
        (vector) = hidden;                   \
    } while (0)

void PEAK(const pq_step *step, int32_t begin, int32_t end) {
    const pq_peak *p = step->params;
    VECTOR x[PARTS], w[PARTS], sums[SUMS];
    memcpy(x, step->in[0], sizeof x);
    memcpy(w, step->in[1], sizeof w);
    memset(sums, 0, sizeof sums);
    for (int i = 0; i < SUMS; i++) HIDE(sums[i]);
    for (int64_t n = (int64_t)(end - begin) * (p->repeats / (SUMS / PARTS)); n > 0; n--)
        for (int i = 0; i < SUMS; i++) {
            HIDE(x[i % PARTS]);
            sums[i] = MULTIPLY_ADD(sums[i], x[i % PARTS], w[i % PARTS]);
            HIDE(sums[i]);
        }
    SUM lanes[sizeof sums / (sizeof(SUM))], total = 0;
    memcpy(lanes, sums, sizeof lanes);
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) total += lanes[i];
    memcpy(step->out[0], &total, sizeof total);
}

#undef REGISTER
#undef PARTS
#undef SUMS
#undef PEAK
#undef VECTOR
#undef SUM
#undef MULTIPLY_ADD
