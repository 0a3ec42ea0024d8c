/* The dynamic program for one ISA. The cost satisfies the quadrangle inequality, so the best j grows with i: a place's best j bounds
 * those of the places on either side, and halving the places takes n log n costs for each border. */
#include <math.h>
#include <stddef.h>

#include "kmeans.h"
#include "types.h"

#define FUNCTION(operation) PQ_JOIN(operation, ISA)

enum { BLOCK = 32 };

/* The best j in lo..hi for place i: the first of equals. before: of lo, lo + 1, ... what is below. */
static inline int32_t best_start(const pq_kmeans *p, const double *restrict before, int32_t i, int32_t lo, int32_t hi,
                                 double *least) {
    const size_t n = (size_t)p->n;
    const double weight = p->to[i], sum = p->to[n + i], square = p->to[2 * n + i];
    const double *restrict weights = p->from + lo, *restrict sums = weights + n, *restrict squares = sums + n;
    double best = INFINITY;
    int32_t start = lo;
    for (int32_t first = 0; first <= hi - lo; first += BLOCK) {
        const int32_t count = hi - lo + 1 - first < BLOCK ? hi - lo + 1 - first : BLOCK;
        double total[BLOCK];
        for (int32_t t = 0; t < count; t++) {
            const int32_t j = first + t;
            const double moment = sum - sums[j], spread = square - squares[j] - moment * moment / (weight - weights[j]);
            total[t] = before[j] + (spread > 0 ? spread : 0); /* not what rounding leaves, nor of no points */
        }
        for (int32_t t = 0; t < count; t++) {
            if (total[t] < best) best = total[t], start = lo + first + t;
        }
    }
    *least = best;
    return start;
}

/* Places first..last of border k, whose best j are in lo..hi. before, now, starts: of all places of the two borders. */
static void solve_places(const pq_kmeans *p, int32_t k, const double *before, double *now, int32_t *starts, int32_t first,
                         int32_t last, int32_t lo, int32_t hi) {
    while (first <= last) {
        const int32_t i = first + (last - first) / 2, place = i - p->first[k];
        starts[place] = best_start(p, before + (lo - p->first[k - 1]), i, lo, hi < i ? hi : i, &now[place]);
        solve_places(p, k, before, now, starts, first, i - 1, lo, starts[place]);
        first = i + 1;
        lo = starts[place];
    }
}

size_t FUNCTION(kmeans_f64)(const void *params, void *packed) {
    const pq_kmeans *p = params;
    size_t places = 0;
    for (int32_t k = 1; k < p->rows; k++) places += (size_t)(p->last[k] - p->first[k] + 1);
    if (packed == NULL) return places * (sizeof(double) + sizeof(int32_t));
    const double *before = p->start;
    double *now = packed;
    int32_t *starts = (int32_t *)(now + places);
    for (int32_t k = 1; k < p->rows; k++) {
        solve_places(p, k, before, now, starts, p->first[k], p->last[k], p->first[k - 1], p->last[k - 1]);
        const int32_t size = p->last[k] - p->first[k] + 1;
        before = now;
        now += size;
        starts += size;
    }
    return places * (sizeof(double) + sizeof(int32_t));
}
