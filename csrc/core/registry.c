/* The kernel table, expanded from the rows of kernels.inc. */
#include "isa.h"
#include "pq.h"

#define PQ_PACK(pack) size_t pack(const void *, void *);
#define PQ_KERNEL(operation, isa, pack) PQ_FOR_##isa(void operation##_##isa(const pq_step *, int32_t, int32_t);)
#define PQ_LAYOUT(operation, isa) PQ_FOR_##isa(size_t operation##_##isa(const void *, void *);)
#include "kernels.inc"
#undef PQ_PACK
#undef PQ_KERNEL
#undef PQ_LAYOUT

#define PQ_PACK(pack)
#define PQ_KERNEL(operation, isa, pack) PQ_FOR_##isa({#operation, #isa, operation##_##isa, pack},)
#define PQ_LAYOUT(operation, isa) PQ_FOR_##isa({#operation, #isa, NULL, operation##_##isa},)
static const pq_row rows[] = {
#include "kernels.inc"
};
#undef PQ_PACK
#undef PQ_KERNEL
#undef PQ_LAYOUT

const pq_row *pq_rows(int32_t *count) {
    *count = (int32_t)(sizeof rows / sizeof *rows);
    return rows;
}
