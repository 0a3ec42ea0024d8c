/* The loop of tiles.h for the vectors of one instruction set, those of vectors_<isa>.h. The including file defines
 *   ISA
 *   TILES_OF(name)  a TILE_OF(name, rows, blocks) for each size, and a LISTED_TILE_OF(name, rows)
 *   TABLE_OF(name)  what a pq_tiles of them consists of. */
#include <stdbool.h>
#include <string.h>

#include "tiles.h"
#include "types.h"

#define PQ_UNROLL(n) PQ_PRAGMA(GCC unroll n)
#define PQ_PRAGMA(...) _Pragma(#__VA_ARGS__)

/* DOT(sum, terms, factors): what a lane of x, in all lanes of a VECTOR, adds to the sums of as many columns. STORE: how these go to memory. */
#define TILE(name, VECTOR, BROADCAST, LOAD, DOT, STORE)                                                               \
    PQ_INLINE void name##_tile(pq_pieces p, const char *w, size_t w_stride, const char *start, size_t start_stride,   \
                               const int rows, const int blocks, const bool listed, const pq_sums *sums) {            \
        enum { SIZE = sizeof(VECTOR), PARTS = 64 / SIZE, MOST = PQ_JOIN(PQ_WIDE, ISA) * PARTS };                      \
        const int vectors = blocks * PARTS;                                                                           \
        VECTOR acc[PQ_JOIN(PQ_ROWS, ISA)][MOST];                                                                      \
        PQ_UNROLL(12) for (int r = 0; r < rows; r++)                                                                  \
            PQ_UNROLL(8) for (int v = 0; v < vectors; v++)                                                            \
                acc[r][v] = LOAD((const void *)(start + (size_t)(v / PARTS) * start_stride + v % PARTS * SIZE));      \
        for (int32_t s = 0; s < p.segments; s++, p.x += p.pitch) {                                                    \
            const char *x = p.x;                                                                                      \
            for (int32_t k = 0; k < p.lanes; k++, w += 64) {                                                          \
                x = listed ? p.x + p.places[k] : p.x + (ptrdiff_t)k * 4;                                              \
                VECTOR factors[MOST];                                                                                 \
                PQ_UNROLL(8) for (int v = 0; v < vectors; v++)                                                        \
                    factors[v] = LOAD((const void *)(w + (size_t)(v / PARTS) * w_stride + v % PARTS * SIZE));         \
                PQ_UNROLL(12) for (int r = 0; r < rows; r++) {                                                        \
                    const VECTOR terms = BROADCAST(x + (size_t)r * p.stride);                                         \
                    PQ_UNROLL(8) for (int v = 0; v < vectors; v++) acc[r][v] = DOT(acc[r][v], terms, factors[v]);     \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        PQ_UNROLL(12) for (int r = 0; r < rows; r++)                                                                  \
            PQ_UNROLL(8) for (int v = 0; v < vectors; v++)                                                            \
                STORE((char *)sums->first + (size_t)r * sums->stride + v * SIZE, acc[r][v], sums);                    \
    }                                                                                                                 \
    TILES_OF(name)                                                                                                    \
    const pq_tiles PQ_JOIN(pq_tiles_##name, ISA) = {TABLE_OF(name)};

#define TILE_OF(name, rows, blocks)                                                                                   \
    static void name##_##rows##x##blocks(const pq_pieces *p, const char *w, size_t w_stride, const char *start,       \
                                         size_t start_stride, const pq_sums *sums) {                                  \
        name##_tile(*p, w, w_stride, start, start_stride, rows, blocks, false, sums);                                 \
    }

#define LISTED_TILE_OF(name, rows)                                                                                    \
    static void name##_##rows##_listed(const pq_pieces *p, const char *w, size_t w_stride, const char *start,         \
                                       size_t start_stride, const pq_sums *sums) {                                    \
        name##_tile(*p, w, w_stride, start, start_stride, rows, 1, true, sums);                                       \
    }

PQ_INLINE int32_t four_bytes(const char *x) {
    int32_t lane;
    memcpy(&lane, x, sizeof lane);
    return lane;
}

PQ_INLINE float one_float(const char *x) {
    float lane;
    memcpy(&lane, x, sizeof lane);
    return lane;
}

PQ_INLINE void store_whole(char *to, pq_ints sum, const pq_sums *sums) { (void)sums, memcpy(to, &sum, sizeof sum); }

PQ_INLINE void store_real(char *to, pq_floats sum, const pq_sums *sums) { (void)sums, memcpy(to, &sum, sizeof sum); }

PQ_INLINE void store_clamped(char *to, pq_floats sum, const pq_sums *sums) {
    store_real(to, PQ_MM(min_ps)(PQ_MM(set1_ps)(sums->hi), PQ_MM(max_ps)(PQ_MM(set1_ps)(sums->lo), sum)), sums);
}
