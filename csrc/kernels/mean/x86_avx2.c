#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <float.h>
#include <stddef.h>

#include "fixed.h"
#include "mean.h"
#include "pq.h"

#define ISA x86_avx2
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE f32
#include "generic.h"
#endif
