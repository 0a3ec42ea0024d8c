/* The dynamic program for one ISA: least(k, i) = min over j of least(k - 1, j) + cost(j, i). The cost of points [j, i) around their
 * mean satisfies the quadrangle inequality, so the best j grows with i: a row's best j bounds those of the rows on either side, and
 * halving the rows takes n log n costs for each k. */
#include <math.h>
#include <stddef.h>

#include "kmeans.h"
#include "types.h"

#define FUNCTION(operation) PQ_JOIN(operation, ISA)

enum { BLOCK = 32 };

/* The best j in lo..hi for points [0, i), hi < i: the first of equals. */
static inline int32_t best_start(const pq_kmeans *p, const double *restrict before, int32_t i, int32_t lo, int32_t hi,
                                 double *least) {
    const double weight = p->weight[i], sum = p->sum[i], square = p->square[i];
    const double *restrict weights = p->weight, *restrict sums = p->sum, *restrict squares = p->square;
    double best = INFINITY;
    int32_t start = lo;
    for (int32_t first = lo; first <= hi; first += BLOCK) {
        const int32_t n = hi - first + 1 < BLOCK ? hi - first + 1 : BLOCK;
        double total[BLOCK];
        for (int32_t t = 0; t < n; t++) {
            const int32_t j = first + t;
            const double moment = sum - sums[j], spread = square - squares[j] - moment * moment / (weight - weights[j]);
            total[t] = before[j] + (spread > 0 ? spread : 0); /* rounding may leave less than nothing */
        }
        for (int32_t t = 0; t < n; t++) {
            if (total[t] < best) best = total[t], start = first + t;
        }
    }
    *least = best;
    return start;
}

/* Rows first..last of one k, whose best j are in lo..hi. */
static void solve_rows(const pq_kmeans *p, const double *before, double *now, int32_t *starts, int32_t first, int32_t last,
                       int32_t lo, int32_t hi) {
    while (first <= last) {
        const int32_t i = first + (last - first) / 2;
        const int32_t start = best_start(p, before, i, lo, hi < i ? hi : i - 1, &now[i]);
        starts[i] = start;
        solve_rows(p, before, now, starts, first, i - 1, lo, start);
        first = i + 1;
        lo = start;
    }
}

size_t FUNCTION(kmeans_f64)(const void *params, void *packed) {
    const pq_kmeans *p = params;
    const size_t rows = (size_t)p->n + 1, clusters = (size_t)p->clusters;
    double *least = packed;
    if (packed == NULL) return (clusters + 2 * rows) * sizeof *least + clusters * rows * sizeof(int32_t);
    double *before = least + clusters, *now = before + rows;
    int32_t *starts = (int32_t *)(now + rows);
    for (int32_t i = 1; i <= p->n; i++) {
        const double spread = p->square[i] - (p->anchored ? 0 : p->sum[i] * p->sum[i] / p->weight[i]);
        now[i] = spread > 0 ? spread : 0;
        starts[i] = 0;
    }
    least[0] = now[p->n];
    for (int32_t k = 1; k < p->clusters; k++) {
        double *other = before;
        before = now;
        now = other;
        starts += rows;
        solve_rows(p, before, now, starts, k + 1 < p->clusters ? k + 1 : p->n, p->n, k, p->n - 1);
        least[k] = now[p->n];
    }
    return (size_t)((char *)(starts + rows) - (char *)packed);
}
