/* Tiles of products of matrices by vectors: sums[r][b] = start[b] + Σ_k x[r][k] · w[b][k] for 16 columns a block, 64 bytes each.
 * w has blocks of w_stride bytes, 64 for each lane of x, and starts are start_stride bytes apart. A lane of x, 4 bytes, meets
 * [16][4] of int8 where x is uint8, [16][2] of int16, or [16] of float. */
#ifndef PQ_TILES_H
#define PQ_TILES_H
#include <stddef.h>
#include <stdint.h>

#include "isa.h"

/* What a tile multiplies: of each row of x `segments` pieces of `lanes` lanes, `pitch` bytes apart. */
typedef struct {
    const char *x;
    size_t stride; /* from row to row */
    int32_t segments;
    size_t pitch;
    int32_t lanes;
    const int32_t *places; /* of the lanes of the one piece, in bytes, for tiles of listed lanes */
} pq_pieces;

/* Where a tile's sums go, rows `stride` bytes apart. Of fused_f32 they are clamped, a NaN stays one. */
typedef struct {
    void *first;
    size_t stride;
    float lo, hi;
} pq_sums;

typedef void pq_tile(const pq_pieces *x, const char *w, size_t w_stride, const char *start, size_t start_stride, const pq_sums *sums);

/* How large tiles are whose sums stay in registers: of so many rows and blocks, or of one row and WIDE blocks. */
enum {
    PQ_ROWS_x86_avx512vnni = 12, PQ_BLOCKS_x86_avx512vnni = 2, PQ_WIDE_x86_avx512vnni = 8,
    PQ_ROWS_x86_avx2 = 6, PQ_BLOCKS_x86_avx2 = 1, PQ_WIDE_x86_avx2 = 4,
    PQ_ROWS_x86_avxvnni = PQ_ROWS_x86_avx2, PQ_BLOCKS_x86_avxvnni = PQ_BLOCKS_x86_avx2, PQ_WIDE_x86_avxvnni = PQ_WIDE_x86_avx2,
};

/* of[b - 1][r - 1]: of r rows and b blocks. wide: of one row and WIDE blocks. listed[r - 1]: of r rows and a block, whose lanes of x
 * lie at `places`. */
typedef struct {
    pq_tile *listed[PQ_ROWS_x86_avx512vnni];
    pq_tile *of[PQ_BLOCKS_x86_avx512vnni][PQ_ROWS_x86_avx512vnni];
    pq_tile *wide;
} pq_tiles;

/* f32 rounds each product and each sum, in the order of k; fused_f32 both at once. */
PQ_FOR_x86_avx512vnni(
    extern const pq_tiles pq_tiles_u8_x86_avx512vnni, pq_tiles_s16_x86_avx512vnni, pq_tiles_f32_x86_avx512vnni,
                          pq_tiles_fused_f32_x86_avx512vnni;
)
PQ_FOR_x86_avxvnni(extern const pq_tiles pq_tiles_u8_x86_avxvnni;)
PQ_FOR_x86_avx2(extern const pq_tiles pq_tiles_s16_x86_avx2, pq_tiles_f32_x86_avx2, pq_tiles_fused_f32_x86_avx2;)
#endif
