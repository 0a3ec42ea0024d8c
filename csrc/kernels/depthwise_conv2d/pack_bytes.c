#if defined(__x86_64__)
#pragma GCC target("avx2") /* which all have whose kernels multiply bytes */
#endif
#include <stdlib.h>
#include <string.h>

#include "depthwise_conv2d.h"

#define PACK depthwise_conv2d_pack_bytes_taps
#define BYTES 1
#define TYPE s8
#include "pack_taps.h"
#define TYPE u8
#include "pack_taps.h"
#define TYPE f32s8
#include "pack_taps.h"
