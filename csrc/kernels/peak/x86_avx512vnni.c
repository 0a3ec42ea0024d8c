#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include <immintrin.h>

#define PEAK peak_s8_x86_avx512vnni
#define VECTOR __m512i
#define SUM uint32_t
#define MULTIPLY_ADD(sum, x, w) _mm512_dpbusd_epi32(sum, x, w)
#include "generic.h"

#define PEAK peak_s16_x86_avx512vnni
#define VECTOR __m512i
#define SUM uint32_t
#define MULTIPLY_ADD(sum, x, w) _mm512_dpwssd_epi32(sum, x, w)
#include "generic.h"

#define PEAK peak_f32_x86_avx512vnni
#define VECTOR __m512
#define SUM float
#define MULTIPLY_ADD(sum, x, w) _mm512_fmadd_ps(x, w, sum)
#include "generic.h"
#endif
