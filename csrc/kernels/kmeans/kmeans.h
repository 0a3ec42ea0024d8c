/* The best partition of numbers on a line into clusters, by dynamic programming over the borders between these. */
#ifndef PQ_KMEANS_H
#define PQ_KMEANS_H
#include <stdint.h>

/* kmeans_f64 finds, for border k = 1..rows - 1 and each place i in first[k]..last[k] for it, the least cost up to there,
 *     least(k, i) = min over j <= i in first[k - 1]..last[k - 1] of least(k - 1, j) + cost(j, i),
 * and the first j of that; infinity, and first[k - 1], where there is none. least(0, .) is start, of first[0]..last[0].
 * cost(j, i) is the sum of squares about their mean of points: from and to are (3, n), by place what comes before the first of them
 * and before the first behind them, as sums of w > 0, w x and w x x. Where these are the wrong way round, there are none.
 * Laid out: least of borders 1, 2, ... as double, then their j as int32_t. Neither first nor last falls. */
typedef struct {
    const void *packed;
    const double *from;
    const double *to;
    const double *start;
    const int32_t *first;
    const int32_t *last;
    int32_t n;
    int32_t rows;
} pq_kmeans;
#endif
