/* The loops from real numbers to codes for one ISA, all in one unit. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "codes.h"
#include "types.h"

#define FUNCTION(operation) PQ_JOIN(operation, ISA)

enum { BLOCK = 64 };

static inline int32_t code(float x, double scale, const pq_codes *p) {
    const double least = p->lo - p->zero - 1, most = p->hi - p->zero + 1;
    double steps = x / scale;
    steps = steps < least ? least : steps;
    steps = steps > most ? most : steps;
    int32_t whole = (int32_t)steps;
    whole += (steps - whole >= 0.5 ? 1 : 0) - (steps - whole <= -0.5 ? 1 : 0) + p->zero;
    whole = whole < p->lo ? p->lo : whole;
    return whole > p->hi ? p->hi : whole;
}

/* n elements, at most BLOCK, with one scale, or one each. Quotients of floats, and products with an inverse, are less than 2^-15
 * off, at most 2^9 as they are: only where one is as near to a half as that, the block is done again as defined. */
static inline void round_block(const pq_codes *p, const float *restrict x, const float *restrict scale, bool each, int32_t n,
                               int8_t *restrict y) {
    const float least = (float)(p->lo - p->zero), most = (float)(p->hi - p->zero), whole = 0x1.8p23f;
    const float inverse = 1.0f / scale[0];
    int32_t unsure = !each && !(inverse > 0x1p-100f && inverse < 0x1p100f);
    for (int32_t i = 0; i < n; i++) {
        float steps = each ? x[i] / scale[i] : x[i] * inverse;
        steps = steps < least ? least : steps;
        steps = steps > most ? most : steps;
        const float nearest = steps + whole - whole;
        unsure |= fabsf(steps - nearest) > 0.5f - 0x1p-15f;
        y[i] = (int8_t)((int32_t)nearest + p->zero);
    }
    for (int32_t i = 0; unsure && i < n; i++) y[i] = (int8_t)code(x[i], scale[each ? i : 0], p);
}

static inline void round_run(const pq_codes *p, const float *restrict x, const float *restrict scale, bool each, int64_t n,
                             int8_t *restrict y) {
    int64_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK) round_block(p, x + i, scale + (each ? i : 0), each, BLOCK, y + i);
    round_block(p, x + i, scale + (each ? i : 0), each, (int32_t)(n - i), y + i);
}

size_t FUNCTION(codes_f32)(const void *params, void *packed) {
    const pq_codes p = *(const pq_codes *)params;
    int8_t *restrict narrow = packed;
    int16_t *restrict wide = packed;
    for (int64_t run = 0; packed != NULL && run < p.outer * p.channels; run++) {
        const float *restrict x = p.x + run * p.inner, *scale = p.scale + run % p.channels;
        if (p.wide) {
            for (int64_t i = 0; i < p.inner; i++) wide[run * p.inner + i] = (int16_t)code(x[i], *scale, &p);
        } else if (p.inner > 1) {
            round_run(&p, x, scale, false, p.inner, narrow + run * p.inner);
        } else {
            round_run(&p, x, scale, true, p.channels, narrow + run);
            run += p.channels - 1;
        }
    }
    return (size_t)(p.outer * p.channels * p.inner) << p.wide;
}

/* Without its sign, a float's bits as a whole number are in the order of floats. */
static inline int32_t greater(int32_t most, int32_t bits) {
    bits &= INT32_MAX;
    return bits > most ? bits : most;
}

size_t FUNCTION(magnitudes_f32)(const void *params, void *packed) {
    const pq_magnitudes p = *(const pq_magnitudes *)params;
    const int32_t *restrict x = (const int32_t *)p.x;
    int32_t *restrict y = packed;
    const size_t bytes = (size_t)p.channels * sizeof *y;
    if (packed == NULL) return bytes;
    memset(y, 0, bytes);
    for (int64_t row = 0; row < p.outer; row++, x += p.channels * p.inner) {
        for (int64_t c = 0; p.inner == 1 && c < p.channels; c++) y[c] = greater(y[c], x[c]);
        for (int64_t c = 0; p.inner > 1 && c < p.channels; c++) {
            int32_t most = y[c];
            for (int64_t i = 0; i < p.inner; i++) most = greater(most, x[c * p.inner + i]);
            y[c] = most;
        }
    }
    return bytes;
}
