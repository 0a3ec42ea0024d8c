/* The loops of depthwise_conv2d by vectors of channels for one TYPE: each row of the output, block of channels by block. */
#include "types.h"
#include "taps.h"
#define PARAMS pq_depthwise_conv2d
#include "convert.h"
#undef PARAMS

#define SIGNED_CODES ((CODE)-1 < 0)
#define SUMS PQ_JOIN(PQ_SUMS, TYPE)

#include "vector_sums.h"

/* Where an output pixel whose first column is `left` finds its taps in the first channel. */
static void NAME(find_taps)(const NAME(block) *block, int32_t left, const char **taps) {
    const pq_depthwise_conv2d *p = block->p;
    for (int32_t ky = 0; ky < p->filter_height; ky++) {
        const CELL *row = block->rows[ky];
        for (int32_t kx = 0; kx < p->filter_width; kx++) {
            const int32_t ix = left + kx * p->dilation_width;
            const bool inside = row != NULL && ix >= 0 && ix < p->width;
            *taps++ = inside ? (const char *)(row + (size_t)ix * (size_t)p->channels) : block->zero;
        }
    }
    /* those that fill up the last lane are never summed */
    for (int32_t t = p->filter_height * p->filter_width; t < block->groups * LANE; t++, taps++) taps[0] = taps[-1];
}

/* The place of an output pixel among those that are not inside. */
static inline int32_t NAME(place_outside)(const NAME(block) *block, int32_t ox) {
    return ox < block->first_inside ? ox : ox - (block->end_inside - block->first_inside);
}

/* Find the taps of a row of output pixels, as far as there is room for them. */
static void NAME(find_row)(NAME(block) *block) {
    const pq_depthwise_conv2d *p = block->p;
    const int32_t stride = block->groups * LANE;
    if (block->first_inside < block->end_inside)
        NAME(find_taps)(block, block->first_inside * p->stride_width - p->pad_left, block->inside);
    for (int32_t ox = 0; ox < p->out_width; ox++) {
        if (ox == block->first_inside && block->end_inside > ox) ox = block->end_inside;
        if (ox == p->out_width || (NAME(place_outside)(block, ox) + 1) * stride > MOST_OUTSIDE) return;
        NAME(find_taps)(block, ox * p->stride_width - p->pad_left, block->outside + NAME(place_outside)(block, ox) * stride);
    }
}

/* The taps of an output pixel in a block. */
PQ_INLINE void NAME(taps_of)(const NAME(block) *block, int32_t ox, const char **taps) {
    const int32_t stride = block->groups * LANE, place = NAME(place_outside)(block, ox);
    const ptrdiff_t channel = block->channel * (ptrdiff_t)sizeof(CELL);
    if (ox >= block->first_inside && ox < block->end_inside) {
        for (int32_t t = 0; t < stride; t++) taps[t] = block->inside[t] + (ox - block->first_inside) * block->step[t] + channel;
        return;
    }
    const char *const *from = block->outside + place * stride;
    if ((place + 1) * stride > MOST_OUTSIDE) {
        NAME(find_taps)(block, ox * block->p->stride_width - block->p->pad_left, taps);
        from = taps;
    }
    for (int32_t t = 0; t < stride; t++) taps[t] = from[t] + channel;
}

/* The output pixels [from, to) of one row of an image, for one block. */
static void NAME(row)(const NAME(block) *block, int32_t from, int32_t to, int32_t pixels, NAME(run) *run, bool entire, CODE *y) {
    const pq_depthwise_conv2d *p = block->p;
    const int together = VECTORS * pixels;
    const int32_t stride = block->groups * LANE;
    const ptrdiff_t step = (ptrdiff_t)p->stride_width * p->channels * (ptrdiff_t)sizeof(CELL);
    const char *taps[VECTORS * 8 * (MOST_TAPS + 4)];
    for (int32_t i = 0; i < together * stride; i++) taps[i] = block->zero;
    /* pixels inside the image are as far apart as their taps are; those outside find zeros that far */
    const bool regular = block->every_row || (together - 1) * step + 64 <= ZEROS_AHEAD;
#if HYBRID
    NAME(run) *const inside_run = run;
    (void)entire;
#else
    NAME(run) *const inside_run = pixels > 1 && entire && step * pixels == 64 ? NAME(joined) : run; /* side by side */
#endif
    tap_places places = {taps, 0, step};
    int32_t known = -1; /* the pixel whose taps are known, inside the image */
    for (int32_t ox = from, there; ox < to; ox += there) {
        const int32_t end = block->end_inside < to ? block->end_inside : to;
        CODE *to_y = y + (ptrdiff_t)(ox - from) * p->channels;
        there = to - ox < together ? to - ox : together;
        if (regular && ox >= block->first_inside && ox + together <= end) {
            if (known >= 0 && ox == known + together)
                for (int32_t t = 0; t < stride; t++) taps[t] += together * block->step[t];
            else NAME(taps_of)(block, ox, taps);
            known = ox;
            inside_run(block, &places, pixels, together, to_y);
            /* the last ones inside are made with some that are there already, rather than with those outside */
            const int32_t inside = end - ox - together;
            if (pixels > 1 && inside > 0 && inside < together) there = inside;
        } else if (pixels > 1 && (ox < block->first_inside || ox >= end)) {
            NAME(taps_of)(block, ox, taps);
            NAME(single)(block, &places, pixels, there = 1, to_y);
            known = -1;
        } else {
            for (int32_t i = 0; i < there; i++) NAME(taps_of)(block, ox + i, taps + i * stride);
            run(block, &(tap_places){taps, (size_t)stride, 0}, pixels, there, to_y);
            known = -1;
        }
    }
}

/* The output pixels [from, to) of one row of an image, all channels. */
static void NAME(channels)(NAME(block) *block, int32_t from, int32_t to, CODE *y) {
    const pq_depthwise_conv2d *p = block->p;
#if HYBRID
    NAME(run) *const runs[3][2] = {{NAME(one_partial), NAME(one_entire)}, {NAME(two_partial), NAME(two_entire)},
                                   {NAME(four_partial), NAME(four_entire)}};
#else
    NAME(run) *const runs[4][2] = {{NAME(one_partial), NAME(one_entire)}, {NAME(two_partial), NAME(two_entire)},
                                   {NAME(four_partial), NAME(four_entire)}, {NAME(eight_partial), NAME(eight_entire)}};
#endif
    block->packed = (const char *)p->packed + sizeof(pq_taps_head);
    for (int32_t width, channel = 0; channel < p->channels; channel += width) {
        const int32_t left = p->channels - channel;
        width = block_width(left, CELLS, HYBRID);
        block->channel = channel;
        block->channels = left < width ? left : width;
        const int32_t pixels = CELLS / width;
        NAME(row)(block, from, to, pixels, runs[__builtin_ctz((unsigned)pixels)][left >= width], left >= width, y + channel);
        block->packed += NAME(start_size) + (size_t)block->groups * (size_t)LANE * 64;
    }
}

void FULL_NAME(depthwise_conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_depthwise_conv2d *p = step->params;
    if (!by_vectors(p, (WEIGHT)-1 < 0, HYBRID)) {
        PQ_JOIN(NAME(depthwise_conv2d), x86_avx2)(step, begin, end);
        return;
    }
    pq_depthwise_conv2d turned = *p;
    if (p->width * p->out_width * p->filter_width * p->stride_width == 1 && p->pad_left == 0) {
        turn(&turned); /* a column is a row */
        p = &turned;
    }
    const size_t row_size = (size_t)p->width * (size_t)p->channels;
    NAME(block) block;
    block.p = p;
    block.groups = (p->filter_height * p->filter_width + LANE - 1) / LANE;
    block.zero = (const char *)p->packed + ((const pq_taps_head *)p->packed)->zeros;
    const int32_t last = p->width - 1 - (p->filter_width - 1) * p->dilation_width; /* where a window inside starts at most */
    block.first_inside = (p->pad_left + p->stride_width - 1) / p->stride_width;
    block.end_inside = last + p->pad_left >= 0 ? (last + p->pad_left) / p->stride_width + 1 : 0;
    if (block.end_inside > p->out_width) block.end_inside = p->out_width;
    if (block.end_inside < block.first_inside) block.first_inside = block.end_inside = 0;
#if HYBRID
    CELL cells[ROWS_SIZE], *zeros = cells + spanned_rows(p) * bytes_of_row(p);
    int32_t image_known = -1, rows_known[MOST_TAPS]; /* the input row that each row of cells holds */
    const int32_t spanned = spanned_rows(p);
    block.zero = (const char *)zeros;
    block.origin = (ORIGIN){0};
#else
    block.origin = (ORIGIN)0;
#endif
    for (int32_t unit = begin, n; unit < end; unit += n) {
        const int32_t image = unit / (p->out_height * p->out_width), from = unit % p->out_width;
        const int32_t top = unit / p->out_width % p->out_height * p->stride_height - p->pad_top;
        const int32_t to = p->out_width - from < end - unit ? p->out_width : from + end - unit;
        n = to - from;
        const CODE *x = (const CODE *)step->in[0] + (size_t)image * (size_t)p->height * row_size;
#if HYBRID
        if (image != image_known) {
            block.origin = NAME(origin)(p, step->in[0], image_known = image);
            memset(zeros, pq_dynamic_offset(block.origin), (size_t)zeros_size(p, 1));
            for (int32_t i = 0; i < spanned; i++) rows_known[i] = -1;
        }
#endif
        const ptrdiff_t step_inside = (ptrdiff_t)p->stride_width * p->channels * (ptrdiff_t)sizeof(CELL);
        block.every_row = true;
        for (int32_t ky = 0, t = 0; ky < p->filter_height; ky++) {
            const int32_t iy = top + ky * p->dilation_height;
            const bool inside = iy >= 0 && iy < p->height;
            block.every_row = block.every_row && inside;
            for (int32_t kx = 0; kx < p->filter_width; kx++) block.step[t++] = inside ? step_inside : 0;
            for (int32_t i = t; i < block.groups * LANE; i++) block.step[i] = block.step[t - 1];
            block.rows[ky] = NULL;
            if (!inside) continue;
#if HYBRID
            CELL *row = cells + iy % spanned * bytes_of_row(p);
            if (rows_known[iy % spanned] != iy) {
                pq_dynamic_bytes(x + (size_t)iy * row_size, row_size, block.origin, row);
                rows_known[iy % spanned] = iy;
            }
            block.rows[ky] = row;
#else
            block.rows[ky] = (const CELL *)x + (size_t)iy * row_size;
#endif
        }
        NAME(find_row)(&block);
        NAME(channels)(&block, from, to, (CODE *)step->out[0] + (size_t)unit * (size_t)p->channels);
    }
}
#undef SIGNED_CODES
#undef SUMS
#undef TYPE
