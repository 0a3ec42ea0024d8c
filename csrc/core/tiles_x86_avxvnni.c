/* The tiles of AVX-VNNI. */
#include "isa.h"
#if PQ_AVXVNNI
#include "avxvnni.h"
#include "vectors_avx2.h"

#define ISA x86_avxvnni
#include "tiles_avx2.h"

TILE(u8, __m256i, four_everywhere, _mm256_loadu_si256, pq_dot_bytes, store_whole)
#endif
