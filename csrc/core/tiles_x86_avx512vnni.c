/* The tiles of tiles.h. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include <immintrin.h>
#include <string.h>

#include "tiles.h"

#define PQ_INLINE static inline __attribute__((always_inline))

/* A tile of at most PQ_TILE_ROWS rows and 2 blocks, or of one row, stays in registers. */
#define TILE(name, VECTOR, BROADCAST, LOAD, DOT, STORE)                                                             \
    PQ_INLINE void name##_tile(pq_pieces p, const char *w, size_t w_stride, const char *start, size_t start_stride,    \
                               const int rows, const int blocks, const pq_sums *sums) {                            \
        VECTOR acc[PQ_TILE_ROWS][PQ_WIDE_BLOCKS];                                                                              \
        _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++)                                                     \
            _Pragma("GCC unroll 8") for (int b = 0; b < blocks; b++) acc[r][b] = LOAD(start + (size_t)b * start_stride); \
        for (int32_t s = 0; s < p.segments; s++, p.x += p.pitch) {                                                  \
            const char *x = p.x;                                                                                    \
            for (int32_t k = 0; k < p.lanes; k++, x += 4, w += 64) {                                                \
                VECTOR factors[PQ_WIDE_BLOCKS];                                                                        \
                _Pragma("GCC unroll 8") for (int b = 0; b < blocks; b++) factors[b] = LOAD(w + (size_t)b * w_stride); \
                _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++) {                                           \
                    const VECTOR terms = BROADCAST(x + (size_t)r * p.stride);                                       \
                    _Pragma("GCC unroll 8") for (int b = 0; b < blocks; b++) acc[r][b] = DOT(acc[r][b], terms, factors[b]); \
                }                                                                                                   \
            }                                                                                                       \
        }                                                                                                           \
        _Pragma("GCC unroll 12") for (int r = 0; r < rows; r++)                                                     \
            _Pragma("GCC unroll 8") for (int b = 0; b < blocks; b++)                                                \
                STORE((char *)sums->first + (size_t)r * sums->stride + b * 64, acc[r][b], sums);                   \
    }                                                                                                               \
    TILES(name)

#define TILE_OF(name, rows, blocks)                                                                                 \
    static void name##_##rows##x##blocks(const pq_pieces *p, const char *w, size_t w_stride, const char *start,        \
                                         size_t start_stride, const pq_sums *sums) {                                \
        name##_tile(*p, w, w_stride, start, start_stride, rows, blocks, sums);                                      \
    }
#define TILES(name)                                                                                      \
    TILE_OF(name, 1, 8)                                                                                  \
    TILE_OF(name, 1, 1) TILE_OF(name, 2, 1) TILE_OF(name, 3, 1) TILE_OF(name, 4, 1) TILE_OF(name, 5, 1)   \
    TILE_OF(name, 6, 1) TILE_OF(name, 7, 1) TILE_OF(name, 8, 1) TILE_OF(name, 9, 1) TILE_OF(name, 10, 1)  \
    TILE_OF(name, 11, 1) TILE_OF(name, 12, 1)                                                            \
    TILE_OF(name, 1, 2) TILE_OF(name, 2, 2) TILE_OF(name, 3, 2) TILE_OF(name, 4, 2) TILE_OF(name, 5, 2)   \
    TILE_OF(name, 6, 2) TILE_OF(name, 7, 2) TILE_OF(name, 8, 2) TILE_OF(name, 9, 2) TILE_OF(name, 10, 2)  \
    TILE_OF(name, 11, 2) TILE_OF(name, 12, 2)                                                            \
    const pq_tiles pq_tiles_##name = {                                                                   \
        .of = {{name##_1x1, name##_2x1, name##_3x1, name##_4x1, name##_5x1, name##_6x1, name##_7x1, name##_8x1, \
                name##_9x1, name##_10x1, name##_11x1, name##_12x1},                                      \
               {name##_1x2, name##_2x2, name##_3x2, name##_4x2, name##_5x2, name##_6x2, name##_7x2, name##_8x2, \
                name##_9x2, name##_10x2, name##_11x2, name##_12x2}},                                     \
        .wide = name##_1x8};

PQ_INLINE __m512i four_bytes(const char *x) {
    int32_t lane;
    memcpy(&lane, x, sizeof lane);
    return _mm512_set1_epi32(lane);
}

PQ_INLINE __m512 one_float(const char *x) {
    float lane;
    memcpy(&lane, x, sizeof lane);
    return _mm512_set1_ps(lane);
}

PQ_INLINE __m512 ordered(__m512 sum, __m512 x, __m512 w) { return _mm512_add_ps(sum, _mm512_mul_ps(x, w)); }

PQ_INLINE __m512 fused(__m512 sum, __m512 x, __m512 w) { return _mm512_fmadd_ps(x, w, sum); }

PQ_INLINE void store_whole(char *to, __m512i sum, const pq_sums *sums) { (void)sums, _mm512_storeu_si512(to, sum); }

PQ_INLINE void store_real(char *to, __m512 sum, const pq_sums *sums) { (void)sums, _mm512_storeu_ps(to, sum); }

PQ_INLINE void store_clamped(char *to, __m512 sum, const pq_sums *sums) {
    _mm512_storeu_ps(to, _mm512_min_ps(_mm512_set1_ps(sums->hi), _mm512_max_ps(_mm512_set1_ps(sums->lo), sum)));
}

TILE(u8, __m512i, four_bytes, _mm512_loadu_si512, _mm512_dpbusd_epi32, store_whole)
TILE(s16, __m512i, four_bytes, _mm512_loadu_si512, _mm512_dpwssd_epi32, store_whole)
TILE(f32, __m512, one_float, _mm512_loadu_ps, ordered, store_real)
TILE(fused_f32, __m512, one_float, _mm512_loadu_ps, fused, store_clamped)
#endif
