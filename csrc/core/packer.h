/* What else packers do, and what sessions ask them. */
#ifndef PQ_PACKER_H
#define PQ_PACKER_H
#include <stdbool.h>

#include "pq.h"

/* Makes the pages of *bytes, a size_t, of memory that nobody else uses yet. */
size_t pq_make_pages(const void *bytes, void *memory);

/* Whether all jobs are done of a packer that has ended. */
bool pq_packer_is_done(pq_packer *packer);
#endif
