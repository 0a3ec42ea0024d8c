/* Quantization of float activations at run time by the vectors of the file that is included before: vectors_<isa>.h. */
#ifndef PQ_DYNAMIC_VECTORS_H
#define PQ_DYNAMIC_VECTORS_H
#include "dynamic.h"

/* What is added to a term to make it an unsigned byte. */
static inline int32_t pq_dynamic_offset(pq_dynamic origin) { return (int32_t)(origin.after - origin.lo); }

/* The terms of activations, plus an offset. */
PQ_INLINE pq_ints pq_dynamic_terms(pq_floats x, pq_dynamic origin, int32_t offset) {
    const pq_floats sign = PQ_MM(set1_ps)(-0.0f);
    const pq_floats code = PQ_MM(add_ps)(PQ_MM(mul_ps)(x, PQ_MM(set1_ps)(origin.inverse)), PQ_MM(set1_ps)(origin.before));
    const pq_floats away = PQ_MM(add_ps)(code, PQ_MM(or_ps)(PQ_MM(and_ps)(code, sign), PQ_MM(set1_ps)(0x1.fffffep-2f)));
    const pq_floats above = PQ_MM(max_ps)(away, PQ_MM(set1_ps)(origin.lo)); /* lo for a NaN */
    const pq_ints whole = PQ_MM(cvttps_epi32)(PQ_MM(min_ps)(above, PQ_MM(set1_ps)(origin.hi)));
    return PQ_MM(add_epi32)(whole, PQ_MM(set1_epi32)(offset - (int32_t)origin.after));
}

PQ_INLINE pq_floats pq_first_of(const float *x, size_t n) { return pq_first_floats(x, n < PQ_LANES ? (int32_t)n : PQ_LANES); }

/* The terms of n activations, or the bytes that are made of them; they are written in whole vectors, past n. */
static inline void pq_dynamic_words(const float *x, size_t n, pq_dynamic origin, int16_t *cells) {
    for (size_t i = 0; i < n; i += PQ_LANES) pq_put_words(cells + i, pq_dynamic_terms(pq_first_of(x + i, n - i), origin, 0));
}

static inline void pq_dynamic_bytes(const float *x, size_t n, pq_dynamic origin, uint8_t *cells) {
    const int32_t offset = pq_dynamic_offset(origin);
    size_t i = 0;
    for (; i + 4 * PQ_LANES <= n; i += 4 * PQ_LANES) {
        pq_ints terms[4];
        for (size_t v = 0; v < 4; v++) terms[v] = pq_dynamic_terms(PQ_MM(loadu_ps)(x + i + v * PQ_LANES), origin, offset);
        pq_put_four_bytes(cells + i, terms);
    }
    for (; i < n; i += PQ_LANES) pq_put_bytes(cells + i, pq_dynamic_terms(pq_first_of(x + i, n - i), origin, offset));
}

/* As pq_dynamic_of, whose loop gcc does not make vectors of. */
static inline pq_dynamic pq_dynamic_of_vectors(const float *x, size_t n, int32_t asymmetric, int32_t litert) {
    enum { TOGETHER = 4 };
    pq_floats low[TOGETHER], high[TOGETHER];
    for (int v = 0; v < TOGETHER; v++) low[v] = high[v] = PQ_MM(setzero_ps)();
    for (size_t i = 0; i < n; i += TOGETHER * PQ_LANES) {
        for (size_t v = 0, at = i; v < TOGETHER && at < n; v++, at += PQ_LANES) {
            const pq_floats part = pq_first_of(x + at, n - at);
            low[v] = PQ_MM(min_ps)(part, low[v]); /* which leaves out a NaN */
            high[v] = PQ_MM(max_ps)(part, high[v]);
        }
    }
    float lowest, highest, unused, lanes[2][PQ_LANES];
    PQ_MM(storeu_ps)(lanes[0], PQ_MM(min_ps)(PQ_MM(min_ps)(low[0], low[1]), PQ_MM(min_ps)(low[2], low[3])));
    PQ_MM(storeu_ps)(lanes[1], PQ_MM(max_ps)(PQ_MM(max_ps)(high[0], high[1]), PQ_MM(max_ps)(high[2], high[3])));
    pq_range(lanes[0], PQ_LANES, &lowest, &unused);
    pq_range(lanes[1], PQ_LANES, &unused, &highest);
    return pq_dynamic_between(lowest, highest, asymmetric, litert);
}
#define pq_dynamic_of pq_dynamic_of_vectors
#endif
