/* The tiles of AVX2, which has no dot product of bytes, and of FMA, which every processor has that has AVX2. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include "vectors_avx2.h"

#define ISA x86_avx2
#include "tiles_avx2.h"

PQ_INLINE __m256 float_everywhere(const char *x) { return _mm256_set1_ps(one_float(x)); }

PQ_INLINE __m256i pairs(__m256i sum, __m256i x, __m256i w) { return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)); }

PQ_INLINE __m256 ordered(__m256 sum, __m256 x, __m256 w) { return _mm256_add_ps(sum, _mm256_mul_ps(x, w)); }

PQ_INLINE __m256 fused(__m256 sum, __m256 x, __m256 w) { return _mm256_fmadd_ps(x, w, sum); }

TILE(s16, __m256i, four_everywhere, _mm256_loadu_si256, pairs, store_whole)
TILE(f32, __m256, float_everywhere, _mm256_loadu_ps, ordered, store_real)
TILE(fused_f32, __m256, float_everywhere, _mm256_loadu_ps, fused, store_clamped)
#endif
