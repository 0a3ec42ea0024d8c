#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <stddef.h>
#include <string.h>

#include "cell.h"
#include "fixed.h"
#include "pq.h"
#include "recurrent.h"
#include "types.h"

#define ISA x86_avx2
#include "generic.h"
#endif
