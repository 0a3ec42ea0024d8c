/* Tiles of products of matrices by the vectors of AVX-512: sums[r][b] = start[b] + Σ_k x[r][k] · w[b][k] for 16 columns a
 * block, 64 bytes each. w has blocks of w_stride bytes, 64 for each lane of x, and starts are start_stride bytes apart. A lane of
 * x, 4 bytes, meets [16][4] of int8 where x is uint8, [16][2] of int16, or [16] of float. */
#ifndef PQ_TILES_H
#define PQ_TILES_H
#include <stddef.h>
#include <stdint.h>

enum { PQ_TILE_ROWS = 12, PQ_WIDE_BLOCKS = 8 };

/* What a tile multiplies: of each row of x `segments` pieces of `lanes` lanes, `pitch` bytes apart. */
typedef struct {
    const char *x;
    size_t stride; /* from row to row */
    int32_t segments;
    size_t pitch;
    int32_t lanes;
} pq_pieces;

/* Where a tile's sums go, rows `stride` bytes apart. Of fused_f32 they are clamped, a NaN stays one. */
typedef struct {
    void *first;
    size_t stride;
    float lo, hi;
} pq_sums;

typedef void pq_tile(const pq_pieces *x, const char *w, size_t w_stride, const char *start, size_t start_stride, const pq_sums *sums);

/* of[b - 1][r - 1]: of r rows and b blocks. wide: of one row and PQ_WIDE_BLOCKS blocks. */
typedef struct {
    pq_tile *of[2][PQ_TILE_ROWS];
    pq_tile *wide;
} pq_tiles;

/* f32 rounds each product and each sum, in the order of k; fused_f32 both at once. */
extern const pq_tiles pq_tiles_u8, pq_tiles_s16, pq_tiles_f32, pq_tiles_fused_f32;
#endif
