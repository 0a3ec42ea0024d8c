#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <stddef.h>

#include "pq.h"
#include "resize.h"

#define IS_FIXED_s8 1
#define IS_FIXED_s16 1
#define IS_FIXED_u8 0
#define IS_FIXED_f32 0

#define ISA x86_avx2
#define TYPE s8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE f32
#include "generic.h"
#endif
