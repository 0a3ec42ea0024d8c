/* The loop of observe_f32, compiled once for each instruction set: OBSERVE names the function. */
#include <float.h>
#include <math.h>

#include "observe.h"
#include "pq.h"

enum { LANES = 16 }; /* independent minima and maxima, so that the compiler may use vectors without reordering */

typedef struct {
    float lo[LANES], hi[LANES];
    int32_t finite[LANES], nan[LANES];
} lanes;

/* An element that is not finite compares false with both limits, or is replaced by the limit it is compared with. */
static void fold(lanes *s, const float *restrict x, int32_t n) {
    for (int32_t j = 0; j < n; j++) {
        int32_t finite = fabsf(x[j]) <= FLT_MAX;
        float low = finite ? x[j] : s->lo[j], high = finite ? x[j] : s->hi[j];
        s->lo[j] = low < s->lo[j] ? low : s->lo[j];
        s->hi[j] = high > s->hi[j] ? high : s->hi[j];
        s->finite[j] += finite;
        s->nan[j] += x[j] != x[j];
    }
}

void OBSERVE(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_observe *p = step->params;
    const float *x = step->in[0];
    pq_observation *seen = step->out[0];
    lanes s;
    for (int32_t j = 0; j < LANES; j++) s.lo[j] = seen->low, s.hi[j] = seen->high, s.finite[j] = s.nan[j] = 0;
    int64_t whole = p->size / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES) fold(&s, x + i, LANES);
    fold(&s, x + whole, (int32_t)(p->size - whole));
    int64_t finite = 0, nan = 0;
    for (int32_t j = 0; j < LANES; j++) {
        seen->low = s.lo[j] < seen->low ? s.lo[j] : seen->low;
        seen->high = s.hi[j] > seen->high ? s.hi[j] : seen->high;
        finite += s.finite[j];
        nan += s.nan[j];
    }
    seen->count += p->size;
    seen->nan += nan;
    seen->infinite += p->size - finite - nan;
}
