#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <math.h>

#include "activation.h"
#include "fixed.h"
#include "pq.h"
#include "types.h"

#define ISA x86_avx2
#include "generic.h"
#endif
