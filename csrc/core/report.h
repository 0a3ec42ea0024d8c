/* How a kernel tells that a value among its inputs has no result. */
#ifndef PQ_REPORT_H
#define PQ_REPORT_H
#include "pq.h"

/* Atomic, as several threads may report of one step at once. */
static inline void pq_report(const pq_step *step) { __atomic_store_n(step->failed, step->index, __ATOMIC_RELAXED); }
#endif
