/* Counts elements by bins whose width is a power of two: bins of any width count what the narrower ones in them count, so
 * that histograms of parts add up to that of the whole, whatever the parts and their order. */
#include <math.h>
#include <string.h>

#include "observe.h"

enum { HALF = PQ_BINS / 2, MOST_HALVINGS = 11, AT_A_TIME = 512, TABLES = 4, APART = 16 };

/* The least width 2^e with all elements in -HALF .. HALF - 1 widths, for elements of at most that magnitude. */
static inline int32_t bin_exponent(float magnitude) {
    int exponent;
    frexpf(magnitude, &exponent);
    return (magnitude > 0 ? exponent : PQ_LEAST_EXPONENT + MOST_HALVINGS - 1) - (MOST_HALVINGS - 1);
}

/* Bins of 2^halvings times the width. */
static inline void widen(pq_histogram *seen, int32_t halvings) {
    for (int32_t times = halvings < MOST_HALVINGS ? halvings : MOST_HALVINGS; times > 0; times--) {
        int64_t wider[PQ_BINS] = {0};
        for (int32_t bin = 0; bin < PQ_BINS; bin++) wider[HALF + ((bin - HALF) >> 1)] += seen->counts[bin];
        memcpy(seen->counts, wider, sizeof wider);
    }
    seen->exponent += halvings;
}

static inline void count_bins(const float *restrict x, int64_t size, float magnitude, pq_histogram *seen) {
    const int32_t needed = bin_exponent(magnitude);
    if (needed > seen->exponent) widen(seen, needed - seen->exponent);
    const double per_width = ldexp(1, -seen->exponent);
    const float as_float = seen->exponent > -126 && seen->exponent < 126 ? (float)per_width : 0; /* with which products are exact, or next to 0 */
    /* several, as one counter waits for its last count; not pages apart, where a load waits for stores to other tables */
    uint32_t counts[TABLES][PQ_BINS + APART];
    for (int64_t done = 0; done < size;) {
        const int64_t end = size - done < INT32_MAX ? size : done + INT32_MAX;
        memset(counts, 0, sizeof counts);
        for (int32_t bins[AT_A_TIME]; done < end;) {
            const int32_t n = end - done < AT_A_TIME ? (int32_t)(end - done) : AT_A_TIME;
            if (as_float > 0) {
                for (int32_t i = 0; i < n; i++) {
                    const float v = fabsf(x[done + i]) <= magnitude ? x[done + i] : 0; /* what is not finite is taken back */
                    const float widths = v * as_float;
                    bins[i] = (int32_t)floorf(widths) + HALF - (v < 0 && widths == 0); /* which was too little for a float */
                }
            } else {
                for (int32_t i = 0; i < n; i++) {
                    const float v = fabsf(x[done + i]) <= magnitude ? x[done + i] : 0;
                    bins[i] = (int32_t)floor(v * per_width) + HALF;
                }
            }
            int32_t counted = 0;
            for (; counted + TABLES <= n; counted += TABLES)
                for (int32_t table = 0; table < TABLES; table++) counts[table][bins[counted + table]]++;
            for (; counted < n; counted++) counts[0][bins[counted]]++;
            done += n;
        }
        for (int32_t bin = 0; bin < PQ_BINS; bin++)
            for (int32_t table = 0; table < TABLES; table++) seen->counts[bin] += counts[table][bin];
    }
}
