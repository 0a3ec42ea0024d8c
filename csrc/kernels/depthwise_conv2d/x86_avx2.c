/* depthwise_conv2d as the compiler vectorizes it for AVX2. */
#if defined(__x86_64__)
#pragma GCC target("avx2")
#include "depthwise_conv2d.h"
#include "pq.h"

enum { PIECE = 64 };

#define ISA x86_avx2
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
