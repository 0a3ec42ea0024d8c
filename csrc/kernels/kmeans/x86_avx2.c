#if defined(__x86_64__)
#pragma GCC target("avx2")
#define ISA x86_avx2
#include "generic.h"
#endif
