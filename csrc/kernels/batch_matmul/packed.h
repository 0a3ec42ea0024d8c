/* The loops of batch_matmul for one TYPE around shared tiles: b is packed, some columns at a time, then rows of a meet it. Few
 * rows, which do not pay for packing b, and scalings that vectors do not hold for are left to the loops of generic.h by AVX2. */
#include "lanes.h"

/* Make the cells of rows of a, `stride` apart, from row `first` on. */
static void NAME(gather)(const pq_batch_matmul *p, const CODE *a, int32_t first, int32_t rows, CELL *cells, size_t stride) {
    const int32_t padded = (p->depth + LANE - 1) / LANE * LANE;
    for (int32_t i = 0; i < rows; i++, cells += stride) {
        if (p->transposed_a)
            for (int32_t k = 0; k < p->depth; k++) cells[k] = NAME(cell)(p, a[(size_t)k * (size_t)p->rows + (size_t)(first + i)]);
        else NAME(cells)(p, a + (size_t)(first + i) * (size_t)p->depth, p->depth, cells);
        for (int32_t k = p->depth; k < padded; k++) cells[k] = 0;
    }
}

/* What rows of a meet: some columns of a matrix of b, packed. */
typedef struct {
    const pq_batch_matmul *p;
    const char *factors;
    int32_t lanes, first, columns;
    const int32_t *starts; /* (columns), of s8 */
} NAME(columns);

/* Products of up to ROWS rows: y[i] = row i's codes of these columns. */
PQ_INLINE void NAME(rows_by_columns)(const NAME(columns) *c, const char *cells, size_t stride, int32_t rows, CODE *y) {
    const size_t part = (size_t)c->lanes * 64;
    const int32_t together = PARTS == 2 ? 1 : PQ_JOIN(PQ_BLOCKS, ISA);
    int32_t lacking[ROWS];
    NAME(sum_rows)(c->p, (const CELL *)cells, stride, rows, lacking);
    for (int32_t at = 0; at < c->columns; at += 16 * together) {
        const int32_t blocks = c->columns - at > 16 ? together : 1;
        const char *factors = c->factors + (size_t)(at / 16) * PARTS * part;
        NAME(tile)(c->p, cells, stride, factors, c->lanes, rows, blocks, c->starts + at, lacking, c->columns - at, y + at);
    }
}

/* Rows [first, first + rows) of one matrix of y. */
static void NAME(matrix)(const pq_batch_matmul *p, const CODE *a, const char *b, CODE *y, int32_t first, int32_t rows) {
    const int32_t lanes = (p->depth + LANE - 1) / LANE, most = FACTORS / (PARTS * lanes * 64) * 16;
    const bool direct = NAME(is_direct) && !p->transposed_a && p->depth % LANE == 0;
    const size_t stride = direct ? (size_t)p->depth : ((size_t)lanes * LANE + 64 / sizeof(CELL) + 63) / 64 * 64;
    const int32_t fit = direct ? rows : (int32_t)(CELLS / (stride * sizeof(CELL))), together = fit < ROWS ? fit : ROWS;
    char factors[FACTORS], gathered[CELLS];
    int32_t starts[FACTORS / 64];
    for (int32_t column = 0; column < p->columns; column += most) {
        const int32_t n = p->columns - column < most ? p->columns - column : most, blocks = (n + 15) / 16;
        NAME(pack)(p, b, column, blocks, factors);
        NAME(sum_columns)(p, factors, lanes, blocks, starts);
        const NAME(columns) c = {p, factors, lanes, column, n, starts};
        for (int32_t row = first, some; row < first + rows; row += some) {
            const int32_t left = first + rows - row, tiles = (left + together - 1) / together;
            some = (left + tiles - 1) / tiles; /* tiles of about as many rows each */
            const char *cells = direct ? (const char *)(a + (size_t)row * (size_t)p->depth) : gathered;
            if (!direct) NAME(gather)(p, a, row, some, (CELL *)gathered, stride);
            NAME(rows_by_columns)(&c, cells, stride * sizeof(CELL), some, y + (size_t)row * (size_t)p->columns + (size_t)column);
        }
    }
}

pq_kernel_function PQ_JOIN(NAME(batch_matmul), x86_avx2_plain);

void FULL_NAME(batch_matmul)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_batch_matmul *p = step->params;
    const size_t rows = (size_t)p->rows, depth = (size_t)p->depth, width = (size_t)p->columns;
    const size_t size = sizeof(CODE) == 2 && p->narrow ? 1 : sizeof(CODE);
    if ((p->rows < FEWEST_ROWS && !p->transposed_b) || p->depth > DEEPEST / (int32_t)sizeof(CELL) || !NAME(holds)(p)) {
        PQ_JOIN(NAME(batch_matmul), x86_avx2_plain)(step, begin, end);
        return;
    }
    for (int32_t unit = begin, n; unit < end; unit += n) {
        const int32_t matrix = unit / p->rows, row = unit % p->rows;
        n = end - unit < p->rows - row ? end - unit : p->rows - row;
        const CODE *a = (const CODE *)step->in[0] + (size_t)p->a_matrix[matrix] * rows * depth;
        const char *b = (const char *)step->in[1] + (size_t)p->b_matrix[matrix] * depth * width * size;
        NAME(matrix)(p, a, b, (CODE *)step->out[0] + (size_t)matrix * rows * width, row, n);
    }
}
#undef TYPE
