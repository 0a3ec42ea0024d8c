/* Packs batch_matmul's b of one TYPE for the tiles of AVX2. */
#include "lanes.h"

/* Pack `blocks` blocks of 16 columns from `first` on: [block][part][depth / LANE][16][LANE], zeros past the ends. */
static void NAME(pack)(const pq_batch_matmul *p, const char *b, int32_t first, int32_t blocks, char *to) {
    const int32_t lanes = (p->depth + LANE - 1) / LANE, narrow = sizeof(CODE) == 2 && p->narrow;
    const size_t part = (size_t)lanes * (64 / sizeof(CELL));
    memset(to, 0, (size_t)blocks * PARTS * part * sizeof(CELL));
    for (int32_t block = 0; block < blocks; block++, first += 16, to += PARTS * part * sizeof(CELL)) {
        const int32_t n = p->columns - first < 16 ? p->columns - first : 16;
        const size_t row = p->transposed_b ? 1 : (size_t)p->columns, column = p->transposed_b ? (size_t)p->depth : 1;
        for (int32_t c = 0; c < n; c++) {
            const size_t at = (size_t)(first + c) * column;
            CELL *factor = (CELL *)to + c * LANE;
            for (int32_t k = 0; k < p->depth; k++)
                NAME(put)(p, NAME(other)(b, at + (size_t)k * row, narrow), factor + k / LANE * 16 * LANE + k % LANE, part);
        }
    }
}
