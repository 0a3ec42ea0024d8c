#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <stddef.h>
#include <string.h>

#include "fixed.h"
#include "pq.h"
#include "recurrent.h"
#include "types.h"

enum { IN_W = 1, IN_R = 5, IN_P = 9, IN_B = 12, IN_PROJECTION = 16, IN_H = 18, IN_N = 20 };

static inline int16_t saturated(int64_t x) { return (int16_t)(x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x); }

#define ISA x86_avx2
#include "generic.h"
#endif
