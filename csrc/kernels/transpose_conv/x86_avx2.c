#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <stddef.h>

#include "pq.h"
#include "taps.h"
#include "transpose_conv.h"

#define ISA x86_avx2
#define EACH "kernels/transpose_conv/generic.h"
#include "each_type.h"
#endif
