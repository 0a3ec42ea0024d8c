/* depthwise_conv2d as the compiler vectorizes it for NEON. */
#if defined(__aarch64__)
#include "depthwise_conv2d.h"
#include "pq.h"
#include "rescale_neon.h"

enum { PIECE = 64 };

#define ISA arm_neon
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE f32
#include "generic.h"
#define TYPE f32s8
#include "generic.h"
#endif
