#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <math.h>
#include <stddef.h>

#include "binary.h"
#include "fixed.h"
#include "pq.h"
#include "report.h"
#include "whole.h"

#define ISA x86_avx2
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE s32
#include "generic.h"
#define TYPE s64
#include "generic.h"
#define TYPE f32
#include "generic.h"
#endif
