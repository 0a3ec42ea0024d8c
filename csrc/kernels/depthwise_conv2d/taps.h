/* How the kernels by vectors of channels hold depthwise weights: define BYTES and TYPE, include types.h and this file, each time.
 * CELL: an activation, FACTOR: a weight, LANE: how many of them, taps of one channel, a lane of 4 bytes holds. CELLS: of 64 bytes,
 * which are a vector here, of however many registers. BYTES 1: cells are unsigned bytes, the term plus NAME(offset), 0: terms.
 * START_SIZE: bytes of what the sums of a block start from. */
#undef CELL
#undef FACTOR
#undef LANE
#undef CELLS
#undef START_SIZE
#if BYTES
#define CELL uint8_t
#define FACTOR int8_t
#else
#define CELL TERM
#define FACTOR TERM
#endif
#define LANE ((int32_t)(4 / sizeof(CELL)))
#define CELLS ((int32_t)(64 / sizeof(CELL)))
#define START_SIZE (HYBRID ? (size_t)CELLS * 4 : INTEGER ? (size_t)LANE * sizeof(pq_rescale) : 64)

#ifndef PQ_DEPTHWISE_CONV2D_TAPS_H
#define PQ_DEPTHWISE_CONV2D_TAPS_H
#include <stdbool.h>

#include "depthwise_conv2d.h"
#include "rescale.h"

enum { MOST_TAPS = 256 };

enum { STRIP_SIZE = 64 << 10 }; /* bytes of the rows that are held of a block of channels */

/* With height for width, of images, filters and all, where there is one column only: it is a row. */
static inline pq_depthwise_conv2d as_rows(const pq_depthwise_conv2d *p) {
    pq_depthwise_conv2d turned = *p;
    if (p->width * p->out_width * p->filter_width * p->stride_width != 1 || p->pad_left != 0) return turned;
    turned.height = p->width, turned.width = p->height, turned.out_height = p->out_width, turned.out_width = p->out_height;
    turned.filter_height = p->filter_width, turned.filter_width = p->filter_height;
    turned.stride_height = p->stride_width, turned.stride_width = p->stride_height;
    turned.dilation_height = p->dilation_width, turned.dilation_width = p->dilation_height;
    turned.pad_top = p->pad_left, turned.pad_left = p->pad_top;
    return turned;
}

/* Rows of the image that the taps of an output pixel span, and columns but the first. */
static inline int64_t spanned_rows(const pq_depthwise_conv2d *p) { return (p->filter_height - 1) * (int64_t)p->dilation_height + 1; }
static inline int64_t columns_ahead(const pq_depthwise_conv2d *p) { return (p->filter_width - 1) * (int64_t)p->dilation_width; }

/* Bytes of every stride_width-th column of a held row, for `columns` output pixels, and of a vector past them. */
static inline int64_t phase_bytes(const pq_depthwise_conv2d *p, int64_t columns, int64_t column_bytes) {
    return ((columns + columns_ahead(p) / p->stride_width) * column_bytes + 127) / 64 * 64;
}

/* Output columns at most, so that their rows can be held, and one of zeros. */
static inline int64_t most_columns(const pq_depthwise_conv2d *p, int64_t column_bytes) {
    const int64_t room = STRIP_SIZE / (spanned_rows(p) + 1) / p->stride_width / 64 * 64 - 64;
    return room / column_bytes - columns_ahead(p) / p->stride_width;
}

/* Whether vectors of channels serve: else the weights are packed as for the plain loops, which then do the work. */
static inline bool by_vectors(const pq_depthwise_conv2d *params, bool signed_weights) {
    const pq_depthwise_conv2d turned = as_rows(params), *p = &turned;
    return p->channels == p->out_channels && !(signed_weights && p->weight_zero != 0) && p->filter_height * p->filter_width <= MOST_TAPS &&
           spanned_rows(p) <= MOST_TAPS && p->stride_width <= MOST_TAPS && most_columns(p, 64) > 0;
}

/* Packed: this head; then for each block of channels what its LANE sums start from and are scaled by (a pq_rescale each, for
 * f32 a vector of biases, for f32s8 the sums of weights by cell), and its factors, [taps / LANE][sum][16][LANE], weights of
 * unsigned bytes with their top bit flipped. A block is a vector of channels, or a half, a quarter or an eighth of one, so
 * that it holds as many pixels.
 * exact, floats: as in conv2d/panel.h; exact int16 has wide sums. */
typedef struct {
    int32_t exact;
    int32_t floats;
    int32_t unused[14];
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
