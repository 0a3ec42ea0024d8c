/* Turns AVX-VNNI on, in the encoding that isa.h says. pq_dot_bytes adds to a sum four unsigned bytes times four signed ones. */
#if PQ_AVXVNNI_BY_AVX512
#pragma GCC target("avx512vl,avx512vnni")
#define pq_dot_bytes _mm256_dpbusd_epi32
#else
#pragma GCC target("avx2,avxvnni")
#define pq_dot_bytes _mm256_dpbusd_avx_epi32
#endif
#include <immintrin.h>
