/* How the kernels with dot products hold depthwise weights: define TYPE, include types.h and this file, each time.
 * CELL and LANE are as in ../conv2d/panel.h: a lane of 4 bytes holds LANE taps of one channel. */
#undef CELL
#undef FACTOR
#undef LANE
#undef CELLS
#define CELL PQ_JOIN(PQ_TAP_CELL, TYPE)
#define FACTOR PQ_JOIN(PQ_TAP_FACTOR, TYPE)
#define LANE ((int32_t)(4 / sizeof(CELL)))
#define CELLS ((int32_t)(64 / sizeof(CELL))) /* of a vector */

#ifndef PQ_DEPTHWISE_CONV2D_TAPS_H
#define PQ_DEPTHWISE_CONV2D_TAPS_H
#include <stdbool.h>

#include "depthwise_conv2d.h"
#include "rescale.h"

#define PQ_TAP_CELL_s8 uint8_t
#define PQ_TAP_FACTOR_s8 int8_t
#define PQ_TAP_CELL_u8 uint8_t
#define PQ_TAP_FACTOR_u8 int8_t
#define PQ_TAP_CELL_s16 int16_t
#define PQ_TAP_FACTOR_s16 int16_t
#define PQ_TAP_CELL_f32s8 uint8_t
#define PQ_TAP_FACTOR_f32s8 int8_t
#define PQ_TAP_CELL_f32 float
#define PQ_TAP_FACTOR_f32 float

#define start_size_s8 (4 * sizeof(pq_rescale))
#define start_size_u8 (4 * sizeof(pq_rescale))
#define start_size_s16 (2 * sizeof(pq_rescale))
#define start_size_f32 ((size_t)64)
#define start_size_f32s8 ((size_t)64 * 4)

enum { MOST_TAPS = 256 };

enum { ZEROS_AHEAD = 512 }; /* bytes: of pixels side by side, outside the image */
enum { ROWS_SIZE = 192 << 10 }; /* bytes of the rows that are quantized at run time */

/* Input rows that the taps of an output pixel span. */
static inline int32_t spanned_rows(const pq_depthwise_conv2d *p) { return (p->filter_height - 1) * p->dilation_height + 1; }

/* Of a row that is quantized at run time, which is done by 16 at a time. */
static inline int64_t bytes_of_row(const pq_depthwise_conv2d *p) { return ((int64_t)p->width * p->channels + 15) / 16 * 16; }

/* What stands for zero: a pixel, and some beside it. */
static inline int64_t zeros_size(const pq_depthwise_conv2d *p, size_t cell) { return (int64_t)p->channels * (int64_t)cell + ZEROS_AHEAD; }

/* Whether vectors of channels serve: else the weights are packed as for the plain loops, which then do the work. */
static inline bool by_vectors(const pq_depthwise_conv2d *p, bool signed_weights, bool quantized_at_run_time) {
    return p->channels == p->out_channels && !(signed_weights && p->weight_zero != 0) && p->filter_height * p->filter_width <= MOST_TAPS &&
           !(quantized_at_run_time && (spanned_rows(p) > MOST_TAPS || spanned_rows(p) * bytes_of_row(p) + zeros_size(p, 1) > ROWS_SIZE));
}

/* Packed: this head; then for each block of channels what its LANE sums start from and are scaled by (a pq_rescale each, for
 * f32 a vector of biases, for f32s8 the sums of weights by cell), and its factors, [taps / LANE][sum][16][LANE], weights of
 * unsigned bytes with their top bit flipped. A block is a vector of channels, or a half, a quarter or an eighth of one, so
 * that it holds as many pixels.
 * exact, left: as in conv2d/panel.h; exact int16 has wide sums. */
typedef struct {
    uint64_t zeros; /* where what stands for zero is, from here: zeros_size bytes */
    int32_t exact;
    int32_t left;
    int32_t unused[12];
} pq_taps_head;

static inline int32_t block_width(int32_t channels_left, int32_t cells, bool quantized_at_run_time) {
    if (channels_left > cells / 2) return cells;
    if (channels_left > cells / 4) return cells / 2;
    return channels_left > cells / 8 || quantized_at_run_time ? cells / 4 : cells / 8;
}

/* Interleaving taps within each 16 bytes brings a cell into one of LANE sums, and there into a lane. */
static inline int32_t tap_acc(int32_t cell, int32_t lane) { return cell / 4 % lane; }
static inline int32_t tap_lane(int32_t cell, int32_t lane) { return cell / (4 * lane) * 4 + cell % 4; }
#endif
