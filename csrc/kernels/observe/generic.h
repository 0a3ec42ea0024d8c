/* The loop of observe_f32, compiled once for each instruction set: OBSERVE names the function. */
#include <float.h>
#include <math.h>

#include "histogram.h"
#include "observe.h"
#include "pq.h"

enum { LANES = 16 }; /* independent records, so that the compiler may use vectors without reordering */

static inline void fold(float x, float *low, float *high, int32_t *finite, int32_t *nan) {
    const int32_t is_finite = fabsf(x) <= FLT_MAX;
    const float least = is_finite ? x : INFINITY, greatest = is_finite ? x : -INFINITY;
    *low = least < *low ? least : *low;
    *high = greatest > *high ? greatest : *high;
    *finite += is_finite;
    *nan += x != x;
}

void OBSERVE(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_observe *p = step->params;
    const float *restrict x = step->in[0];
    pq_observation *seen = step->out[0];
    float low[LANES], high[LANES];
    int32_t finite[LANES] = {0}, nan[LANES] = {0}; /* at most 2^31 / LANES each */
    for (int32_t j = 0; j < LANES; j++) low[j] = seen->low, high[j] = seen->high;
    const int64_t whole = p->size / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int32_t j = 0; j < LANES; j++) fold(x[i + j], &low[j], &high[j], &finite[j], &nan[j]);
    for (int64_t i = whole; i < p->size; i++) fold(x[i], low, high, finite, nan);
    int64_t all_finite = 0, all_nan = 0;
    for (int32_t j = 0; j < LANES; j++) {
        seen->low = low[j] < seen->low ? low[j] : seen->low;
        seen->high = high[j] > seen->high ? high[j] : seen->high;
        all_finite += finite[j];
        all_nan += nan[j];
    }
    seen->count += p->size;
    seen->nan += all_nan;
    seen->infinite += p->size - all_finite - all_nan;
    if (!p->detailed || all_finite == 0) return;
    pq_histogram *histogram = (pq_histogram *)(seen + 1);
    count_bins(x, p->size, fmaxf(fabsf(seen->low), fabsf(seen->high)), histogram);
    histogram->counts[HALF] -= p->size - all_finite;
    double *restrict sums = (double *)(histogram + 1);
    for (const float *row = x; row < x + p->size; row += p->channels)
        for (int64_t c = 0; c < p->channels; c++) sums[c] += row[c];
}
