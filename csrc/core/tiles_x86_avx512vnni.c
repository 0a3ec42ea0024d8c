/* The tiles of AVX-512 VNNI. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include "vectors_avx512.h"

#define ISA x86_avx512vnni
#define TILES_OF(name)                                                                                    \
    TILE_OF(name, 1, 8)                                                                                   \
    TILE_OF(name, 1, 1) TILE_OF(name, 2, 1) TILE_OF(name, 3, 1) TILE_OF(name, 4, 1) TILE_OF(name, 5, 1)   \
    TILE_OF(name, 6, 1) TILE_OF(name, 7, 1) TILE_OF(name, 8, 1) TILE_OF(name, 9, 1) TILE_OF(name, 10, 1)  \
    TILE_OF(name, 11, 1) TILE_OF(name, 12, 1)                                                             \
    TILE_OF(name, 1, 2) TILE_OF(name, 2, 2) TILE_OF(name, 3, 2) TILE_OF(name, 4, 2) TILE_OF(name, 5, 2)   \
    TILE_OF(name, 6, 2) TILE_OF(name, 7, 2) TILE_OF(name, 8, 2) TILE_OF(name, 9, 2) TILE_OF(name, 10, 2)  \
    TILE_OF(name, 11, 2) TILE_OF(name, 12, 2)                                                             \
    LISTED_TILE_OF(name, 1) LISTED_TILE_OF(name, 2) LISTED_TILE_OF(name, 3) LISTED_TILE_OF(name, 4)       \
    LISTED_TILE_OF(name, 5) LISTED_TILE_OF(name, 6) LISTED_TILE_OF(name, 7) LISTED_TILE_OF(name, 8)       \
    LISTED_TILE_OF(name, 9) LISTED_TILE_OF(name, 10) LISTED_TILE_OF(name, 11) LISTED_TILE_OF(name, 12)
#define TABLE_OF(name)                                                                                            \
    .of = {{name##_1x1, name##_2x1, name##_3x1, name##_4x1, name##_5x1, name##_6x1, name##_7x1, name##_8x1,        \
            name##_9x1, name##_10x1, name##_11x1, name##_12x1},                                                   \
           {name##_1x2, name##_2x2, name##_3x2, name##_4x2, name##_5x2, name##_6x2, name##_7x2, name##_8x2,        \
            name##_9x2, name##_10x2, name##_11x2, name##_12x2}},                                                  \
    .listed = {name##_1_listed, name##_2_listed, name##_3_listed, name##_4_listed, name##_5_listed,                 \
               name##_6_listed, name##_7_listed, name##_8_listed, name##_9_listed, name##_10_listed,                \
               name##_11_listed, name##_12_listed},                                                                 \
    .wide = name##_1x8
#include "tiles_loop.h"

PQ_INLINE __m512i four_everywhere(const char *x) { return _mm512_set1_epi32(four_bytes(x)); }

PQ_INLINE __m512 float_everywhere(const char *x) { return _mm512_set1_ps(one_float(x)); }

PQ_INLINE __m512 ordered(__m512 sum, __m512 x, __m512 w) { return _mm512_add_ps(sum, _mm512_mul_ps(x, w)); }

PQ_INLINE __m512 fused(__m512 sum, __m512 x, __m512 w) { return _mm512_fmadd_ps(x, w, sum); }

TILE(u8, __m512i, four_everywhere, _mm512_loadu_si512, _mm512_dpbusd_epi32, store_whole)
TILE(s16, __m512i, four_everywhere, _mm512_loadu_si512, _mm512_dpwssd_epi32, store_whole)
TILE(f32, __m512, float_everywhere, _mm512_loadu_ps, ordered, store_real)
TILE(fused_f32, __m512, float_everywhere, _mm512_loadu_ps, fused, store_clamped)
#endif
