/* The C interface of pyquant. Python reads this file as the cffi declaration, so it holds declarations only. */
#ifndef PQ_H
#define PQ_H
#include <stddef.h>
#include <stdint.h>

/* One operator of a finished plan, its memory resolved. A kernel does the work units [begin, end) of it and checks nothing. */
typedef struct pq_step pq_step;
typedef void (*pq_kernel)(const pq_step *step, int32_t begin, int32_t end);
struct pq_step {
    pq_kernel run;
    const void *params;    /* the kernel's own struct, see kernels/<family>/<family>.h */
    const void *const *in; /* one pointer per operator input, NULL for an absent one */
    void *const *out;
    int32_t units; /* independent pieces of work */
    int32_t chunk; /* units that one worker takes at a time */
};
#endif
