/* depthwise_conv2d as the compiler vectorizes it for AVX2, where channels have several filters each and for filters of many taps. */
#if defined(__x86_64__)
#pragma GCC target("avx2")
#include "depthwise_conv2d.h"
#include "pq.h"

enum { PIECE = 64 };

#define ISA x86_avx2_plain
#define EACH "kernels/depthwise_conv2d/generic.h"
#include "each_type.h"
#endif
