#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include <immintrin.h>

#define PEAK peak_s8_x86_avx2
#define VECTOR __m256i
#define SUM uint32_t
#define MULTIPLY_ADD(sum, x, w) \
    _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)))
#include "generic.h"

#define PEAK peak_s16_x86_avx2
#define VECTOR __m256i
#define SUM uint32_t
#define MULTIPLY_ADD(sum, x, w) _mm256_add_epi32(sum, _mm256_madd_epi16(x, w))
#include "generic.h"

#define PEAK peak_f32_x86_avx2
#define VECTOR __m256
#define SUM float
#define MULTIPLY_ADD(sum, x, w) _mm256_fmadd_ps(x, w, sum)
#include "generic.h"
#endif
