/* depthwise_conv2d as the compiler vectorizes it for NEON. */
#if defined(__aarch64__)
#include "depthwise_conv2d.h"
#include "pq.h"
#include "rescale_neon.h"

enum { PIECE = 64 };

#define ISA arm_neon
#define EACH "kernels/depthwise_conv2d/generic.h"
#include "each_type.h"
#endif
