/* How the kernels that multiply panels hold what they multiply: define TYPE, include types.h and this file, each time.
 * CELL: an element of a panel, that is of up to ROWS output pixels with their terms side by side, and FACTOR: one of the
 * packed weights. LANE: terms that one lane of a vector multiplies and adds at once.
 * Codes and dynamic terms are stored as unsigned bytes: the term plus NAME(offset). */
#undef CELL
#undef FACTOR
#undef LANE
#undef START
#define CELL PQ_JOIN(PQ_CELL, TYPE)
#define FACTOR PQ_JOIN(PQ_FACTOR, TYPE)
#define LANE ((int32_t)(4 / sizeof(CELL)))
#define START (INTEGER ? sizeof(pq_rescale) : BLOCK * sizeof(float)) /* bytes of what a block's sums start from, and more */

#ifndef PQ_CONV2D_PANEL_H
#define PQ_CONV2D_PANEL_H
#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "rescale.h"

#define PQ_CELL_s8 uint8_t
#define PQ_FACTOR_s8 int8_t
#define PQ_CELL_u8 uint8_t
#define PQ_FACTOR_u8 int8_t
#define PQ_CELL_s16 int16_t
#define PQ_FACTOR_s16 int16_t
#define PQ_CELL_f32 float
#define PQ_FACTOR_f32 float
#define PQ_CELL_f32s8 uint8_t
#define PQ_FACTOR_f32s8 int8_t

/* Packed: this head; for each group its blocks' pq_rescale, for f32 the 16 biases, an even number of them; then the weights,
 * [group][block][filter row][its terms / LANE][16][LANE]. Weights of unsigned bytes have their top bit flipped.
 * exact: every sum fits what pq_rescale holds for, or where doubles scale, 32 bits, and starts hold the biases; else they hold
 * only what offsets lead to, and `finish` scales. narrow: 32 bits hold every sum. floats: they may scale every sum.
 * f32s8: starts are the sums of weights. */
typedef struct {
    int32_t exact;
    int32_t narrow;
    int32_t floats;
    int32_t unused[13];
} pq_panel_head;

static inline int32_t group_blocks(const pq_conv2d *p) { return rounded_up(group_channels(p), BLOCK) / BLOCK; }
static inline int32_t group_starts(const pq_conv2d *p) { return rounded_up(group_blocks(p), 2); }

enum { SCRATCH = 128 << 10 }; /* bytes of a panel */

/* Of a row of cells that are gathered, which may be written in whole vectors. */
static inline size_t row_bytes(int32_t bytes) { return (size_t)bytes + 64; }

static inline bool pointwise(const pq_conv2d *p) {
    return p->filter_height * p->filter_width * p->stride_height * p->stride_width * p->groups == 1 && p->pad_top + p->pad_left == 0;
}
#endif

/* Terms of a filter row, and cells that it takes. */
static inline int32_t NAME(row_terms)(const pq_conv2d *p) { return p->filter_width * group_depth(p); }
static inline int32_t NAME(row_cells)(const pq_conv2d *p) { return rounded_up(NAME(row_terms)(p), LANE); }

/* Whether the image itself is the panel. */
static inline bool NAME(direct)(const pq_conv2d *p) {
    return pointwise(p) && sizeof(CODE) == sizeof(CELL) && ((CODE)-1 < 0) == ((CELL)-1 < 0) && term_count(p) % LANE == 0;
}

/* Whether panels serve: else the weights are packed as for the plain loops, which then do the work. */
static inline bool NAME(by_panels)(const pq_conv2d *p) {
    return NAME(direct)(p) || row_bytes(p->filter_height * NAME(row_cells)(p) * (int32_t)sizeof(CELL)) <= SCRATCH;
}
