#if defined(__x86_64__)
#pragma GCC target("avx2")
#define OBSERVE observe_f32_x86_avx2
#include "generic.h"
#endif
