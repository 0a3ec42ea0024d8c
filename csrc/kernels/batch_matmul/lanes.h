/* How batch_matmul's tiles hold what they multiply: define ISA and CELL_s8, then TYPE, include this file, each time. CELL: what a
 * number of a becomes. LANE of these fill a lane. PARTS: how many blocks of factors 16 columns of b become. */
#include <math.h>

#include "types.h"

#undef CELL
#undef PARTS
#undef LANE
#define CELL PQ_JOIN(CELL, TYPE)
#define PARTS PQ_JOIN(PARTS, TYPE)
#define LANE ((int32_t)(4 / sizeof(CELL)))

#ifndef PQ_BATCH_MATMUL_LANES_H
#define PQ_BATCH_MATMUL_LANES_H
#define CELL_s16 int16_t
#define CELL_f32 float
#define PARTS_s8 1
#define PARTS_s16 2
#define PARTS_f32 1

/* FACTORS, CELLS: bytes of packed columns, and of gathered rows. DEEPEST: bytes of a row. ROWS: of a tile. */
enum { FACTORS = 128 << 10, CELLS = 32 << 10, DEEPEST = 4 << 10, SHALLOW = 504, FEWEST_ROWS = 3, ROWS = PQ_JOIN(PQ_ROWS, ISA) };

static const char NOTHING[64]; /* what sums start from */

/* Whether rows of a may be their cells themselves. */
enum { is_direct_s8 = false, is_direct_s16 = true, is_direct_f32 = true };

PQ_INLINE int16_t cell_s16(const pq_batch_matmul *p, int16_t a) { return (void)p, a; }
PQ_INLINE float cell_f32(const pq_batch_matmul *p, float a) { return (void)p, a; }

PQ_INLINE void cells_s16(const pq_batch_matmul *p, const int16_t *a, int32_t n, int16_t *cells) {
    (void)p, memcpy(cells, a, (size_t)n * sizeof *a);
}

PQ_INLINE void cells_f32(const pq_batch_matmul *p, const float *a, int32_t n, float *cells) {
    (void)p, memcpy(cells, a, (size_t)n * sizeof *a);
}

/* Whether vectors can scale the sums. */
static bool holds_s16(const pq_batch_matmul *p) { return !p->by_column; }
static bool holds_f32(const pq_batch_matmul *p) { return (void)p, true; }

/* Of types whose zero points are 0, or are subtracted beforehand. */
#define NO_SUMS(TYPE, CELL)                                                                                                        \
    static void sum_columns_##TYPE(const pq_batch_matmul *p, const char *factors, int32_t lanes, int32_t blocks, int32_t *starts) { \
        (void)p, (void)factors, (void)lanes, (void)blocks, (void)starts;                                                          \
    }                                                                                                                             \
    static void sum_rows_##TYPE(const pq_batch_matmul *p, const CELL *cells, size_t stride, int32_t rows, int32_t *lacking) {     \
        (void)p, (void)cells, (void)stride, (void)rows, (void)lacking;                                                            \
    }
NO_SUMS(s16, int16_t)
NO_SUMS(f32, float)

/* A tile's products, n of each row: where there are as many, the tile stores them where they belong. */
PQ_INLINE void tile_f32(const pq_batch_matmul *p, const char *cells, size_t stride, const char *factors, int32_t lanes, int32_t rows,
                        int32_t blocks, const int32_t *starts, const int32_t *lacking, int32_t n, float *y) {
    (void)starts, (void)lacking;
    const int32_t made = 16 * blocks;
    const bool whole = n >= made;
    float sums[ROWS * PQ_JOIN(PQ_BLOCKS, ISA) * 16], *from = sums;
    const pq_sums to = {whole ? y : sums, (size_t)(whole ? p->columns : made) * sizeof *y, -INFINITY, INFINITY};
    const pq_tiles *tiles = p->fused ? &PQ_JOIN(pq_tiles_fused_f32, ISA) : &PQ_JOIN(pq_tiles_f32, ISA);
    const pq_pieces x = {cells, stride, 1, 0, lanes, NULL};
    tiles->of[blocks - 1][rows - 1](&x, factors, (size_t)lanes * 64, NOTHING, 0, &to);
    for (int32_t i = 0; i < rows && !whole; i++, y += p->columns, from += made)
        for (int32_t c = 0; c < n; c += PQ_LANES) pq_put_floats(y + c, n - c, PQ_MM(loadu_ps)(from + c));
}
#endif
