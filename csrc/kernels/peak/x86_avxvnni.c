#include "isa.h"
#if PQ_AVXVNNI
#include "avxvnni.h"

#define PEAK peak_s8_x86_avxvnni
#define VECTOR __m256i
#define SUM uint32_t
#define MULTIPLY_ADD(sum, x, w) pq_dot_bytes(sum, x, w)
#include "generic.h"
#endif
