/* For the loops of kernels whose output may lie in the memory of an input. */
#ifndef PQ_IN_PLACE_H
#define PQ_IN_PLACE_H
/* Before a loop that reads and writes one place in each turn: turns may be done at once, as with `restrict`, which would be
 * untrue. */
#if defined(__clang__)
#define PQ_IN_PLACE _Pragma("clang loop vectorize(assume_safety)")
#else
#define PQ_IN_PLACE _Pragma("GCC ivdep")
#endif
#endif
