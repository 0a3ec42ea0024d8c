/* The best partition of numbers on a line into clusters, by dynamic programming over sorted points. */
#ifndef PQ_KMEANS_H
#define PQ_KMEANS_H
#include <stdint.h>

/* kmeans_f64 finds, for k = 1..clusters and each i, the least sum of squares of points [0, i) in k clusters, and where the last of
 * them starts: starts[k - 1][i], laid out (clusters, n + 1) int32_t after least[k - 1], (clusters,) double, of all n points, and two
 * rows of n + 1 doubles to work in. Of the last k only i = n is there; where i < k, nothing.
 * weight, sum, square: (n + 1,) from 0, sums over the points before i of w > 0, w x, w x x. Where anchored, the center of the first
 * cluster is 0, of the others their mean. 1 <= clusters <= n. */
typedef struct {
    const void *packed;
    const double *weight;
    const double *sum;
    const double *square;
    int32_t n;
    int32_t clusters;
    int32_t anchored;
} pq_kmeans;
#endif
