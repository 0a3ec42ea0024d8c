/* add and multiply of codes by the vectors of NEON; others are the scalar loops, as the compiler vectorizes them for every ARM. */
#if defined(__aarch64__)
#include <stddef.h>
#include <string.h>

#include "binary.h"
#include "pq.h"
#include "rescale_neon.h"
#include "runs.h"

#define INLINE static inline __attribute__((always_inline))

#define PQ_TWO_BYTES_s8 0
#define PQ_TWO_BYTES_u8 0
#define PQ_TWO_BYTES_s16 1

#define ISA arm_neon
#define TYPE s8
#include "neon.h"
#define TYPE u8
#include "neon.h"
#define TYPE s16
#include "neon.h"
#endif
