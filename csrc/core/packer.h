/* What sessions ask a packer. */
#ifndef PQ_PACKER_H
#define PQ_PACKER_H
#include <stdbool.h>

#include "pq.h"

/* Whether all jobs are done of a packer that has ended. */
bool pq_packer_is_done(pq_packer *packer);
#endif
