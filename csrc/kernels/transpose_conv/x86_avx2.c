#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <stddef.h>

#include "pq.h"
#include "taps.h"
#include "transpose_conv.h"

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
