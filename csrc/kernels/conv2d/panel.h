/* How the kernels that multiply panels hold what they multiply: define BYTES and TYPE, include types.h and this file, each time.
 * CELL, FACTOR and GATHERED are those of cells.h, bytes being unsigned: a panel is made of the cells of some output pixels, each
 * one's terms side by side; GATHERED of them fill a lane of a vector. */
#include "cells.h"

#undef START
#define START (INTEGER ? sizeof(pq_rescale) : BLOCK * sizeof(float)) /* bytes of what a block's sums start from, and more */

#ifndef PQ_CONV2D_PANEL_H
#define PQ_CONV2D_PANEL_H
#include <stdbool.h>
#include <stdint.h>

#include "rescale.h"

typedef uint8_t byte;

/* Packed: this head; for each group its blocks' pq_rescale, for f32 the 16 biases, an even number of them; then the weights,
 * [group][block][filter row][its terms / GATHERED][16][GATHERED]. Weights of unsigned bytes, as bytes, have
 * their top bit flipped.
 * exact: every sum fits what pq_rescale holds for, or where doubles scale, 32 bits, and starts hold the biases; else they hold
 * only what offsets lead to, and `finish` scales. narrow: 32 bits hold every sum. floats: they may scale every sum.
 * f32s8: starts are the sums of weights.
 * listed: many weights are zero in all 16 channels of a block for the GATHERED terms of a lane, and such lanes are left out. Then the
 * weights stand behind a list, which takes `listed` bytes: of each block and of what follows the last, where its lanes begin, and
 * of each lane where its terms lie in x, in bytes. */
typedef struct {
    int32_t exact;
    int32_t narrow;
    int32_t floats;
    int32_t listed;
    int32_t unused[12];
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
static inline int32_t NAME(row_cells)(const pq_conv2d *p) { return rounded_up(NAME(row_terms)(p), GATHERED); }

/* Whether the image itself is the panel. */
static inline bool NAME(direct)(const pq_conv2d *p) {
    return pointwise(p) && sizeof(CODE) == sizeof(CELL) && ((CODE)-1 < 0) == ((CELL)-1 < 0) && term_count(p) % GATHERED == 0;
}

/* Whether panels serve: else the weights are packed as for the plain loops, which then do the work. */
static inline bool NAME(by_panels)(const pq_conv2d *p) {
    return NAME(direct)(p) || row_bytes(p->filter_height * NAME(row_cells)(p) * (int32_t)sizeof(CELL)) <= SCRATCH;
}
