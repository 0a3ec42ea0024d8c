/* What conv2d's plain loops multiply: define BYTES, then TYPE, include types.h and this file, each time.
 * CELL: the elements of x multiplied, FACTOR: those of w. GATHERED: as many of them as one instruction multiplies and adds up.
 * BYTES 0: both are the terms. BYTES 1: cells are of the including file's type `byte`, factors are signed bytes; a term is
 * x' - x_zero and a weight w' - w_zero, so that
 *   sum = Σ x' w' - w_zero Σ x' - x_zero Σ (w' - w_zero);
 * x' and w' are the codes moved to where they fit: x' = x - MOVED, w' = w - FLIPPED.
 *
 * Packed: where BYTES, Σ (w' - w_zero) of each channel, int32 [group][block][16]; then the weights, for each group in blocks of
 * 16 output channels, zeros where there are fewer; in a block the terms (ky, kx, c) in order, GATHERED at a time:
 * [group][block][terms / GATHERED][16][GATHERED] of FACTOR. */
#undef CELL
#undef FACTOR
#undef GATHERED
#undef FLIPPED
#undef LOWEST
#undef MOVED
#if BYTES
#define CELL byte
#define FACTOR int8_t
#define GATHERED 4
#else
#define CELL TERM
#define FACTOR TERM
#define GATHERED (INTEGER ? 2 : 1)
#endif
#define FLIPPED (sizeof(WEIGHT) == 1 && (WEIGHT)-1 > 0 ? 128 : 0)
#define LOWEST ((CELL)-1 < 0 ? -128 : 0)
#define MOVED (((CODE)-1 < 0 ? -128 : 0) - LOWEST)

#ifndef PQ_CONV2D_CELLS_H
#define PQ_CONV2D_CELLS_H
#include "layout.h"

/* Channels with those that fill up each group's last block. */
static inline size_t packed_channels(const pq_conv2d *p) { return (size_t)p->groups * (size_t)rounded_up(group_channels(p), BLOCK); }
#endif
