#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <stddef.h>

#include "blockwise.h"
#include "dynamic.h"
#include "fixed.h"
#include "pq.h"

#define ISA x86_avx2
#include "generic.h"
#endif
