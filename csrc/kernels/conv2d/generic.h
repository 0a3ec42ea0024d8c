/* The loops of conv2d for one TYPE. They stand around an inner product that the including file defines for each CELL:
 *   accumulate_bytes(const byte *x, int rows, const int8_t *w, int32_t terms, int32_t *sums), where BYTES, else
 *   accumulate_s16(const int16_t *x, int rows, const int16_t *w, int32_t terms, int32_t *sums)
 *   accumulate_f32(const float *x, int rows, const float *w, int32_t terms, bool fused, float *sums)
 * sums[r][c] += Σ_k x[r][k] · w[k][c] over a packed block of 16 channels, with one rounding or two where fused; x has rows of
 * TERMS, sums has rows of BLOCK. rows is ROWS or 1, a constant where it is called; terms is a multiple of GATHERED. */
#include "types.h"
#include "cells.h"
#define PARAMS pq_conv2d
#include "convert.h"
#undef PARAMS
#include "cell.h"

#if BYTES
/* Make the sums of one pixel's terms from those of its cells, of which x_sum is the sum. */
static void NAME(complete)(const pq_conv2d *p, ORIGIN origin, int32_t x_sum, size_t packed_channel, int32_t channels, SUM *sums) {
    const uint32_t *w_sums = (const uint32_t *)p->packed + packed_channel, x_zero = (uint32_t)NAME(x_zero)(origin);
    const uint32_t same = (uint32_t)(p->weight_zero - FLIPPED) * (uint32_t)x_sum;
    for (int32_t c = 0; c < channels; c++) sums[c] -= x_zero * w_sums[c] + same;
}
#endif

/* Make the cells [first, first + count) of an output pixel; zero terms for those outside the image. */
static void NAME(gather)(const pq_conv2d *p, const CODE *x, ORIGIN origin, int32_t pixel, int32_t group, int32_t first,
                         int32_t count, CELL *cells) {
    const int32_t depth = group_depth(p), row = depth * p->filter_width;
    const int32_t image = pixel / (p->out_height * p->out_width);
    const int32_t top = pixel / p->out_width % p->out_height * p->stride_height - p->pad_top;
    const int32_t left = pixel % p->out_width * p->stride_width - p->pad_left;
    /* a filter row that lies inside the image, channels and all, is one piece of memory */
    const int32_t whole = p->groups == 1 && p->dilation_width == 1 && left >= 0 && left + p->filter_width <= p->width;
    const int32_t piece = whole ? row : depth;
    for (int32_t k = first, n; k < first + count; k += n, cells += n) {
        const int32_t y = top + k / row * p->dilation_height, column = left + k % row / piece * p->dilation_width;
        const int32_t within = k % piece;
        n = piece - within < first + count - k ? piece - within : first + count - k;
        if (y < 0 || y >= p->height || column < 0 || column >= p->width) {
            for (int32_t i = 0; i < n; i++) cells[i] = (CELL)NAME(x_zero)(origin);
            continue;
        }
        const size_t position = ((size_t)image * (size_t)p->height + (size_t)y) * (size_t)p->width + (size_t)column;
        const CODE *from = x + position * (size_t)p->channels + group * depth + within;
        NAME(plain_cells)(from, (size_t)n, origin, cells);
    }
}

/* sums[r][c] += the product of gathered rows with the block of packed weights at w; sums has rows of PIECE. */
static inline __attribute__((always_inline)) void NAME(add_block)(
    const pq_conv2d *p, const CELL *x, int rows, const FACTOR *w, int32_t terms, SUM *sums) {
#if INTEGER
    (void)p;
    int32_t block[ROWS * BLOCK] = {0}; /* holds TERMS products of int16 with int8 */
#if BYTES
    accumulate_bytes(x, rows, w, terms, block);
#else
    accumulate_s16(x, rows, w, terms, block);
#endif
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < BLOCK; c++) sums[r * PIECE + c] += (SUM)block[r * BLOCK + c];
#else
    float block[ROWS * BLOCK];
    for (int r = 0; r < rows; r++) memcpy(block + r * BLOCK, sums + r * PIECE, sizeof(float) * BLOCK);
    accumulate_f32(x, rows, w, terms, p->fused, block);
    for (int r = 0; r < rows; r++) memcpy(sums + r * PIECE, block + r * BLOCK, sizeof(float) * BLOCK);
#endif
}

/* One piece of the output channels for `count` pixels from `pixel` on, at most PIXELS, each with its image's origin. */
static void NAME(piece)(const pq_conv2d *p, const CODE *x, CODE *y, const ORIGIN *origins, int32_t piece, int32_t pixel,
                        int32_t count) {
    const int32_t in_group = group_channels(p), group = piece / pieces_of_group(p);
    const int32_t first = piece % pieces_of_group(p) * PIECE, channel = group * in_group + first;
    const int32_t channels = in_group - first < PIECE ? in_group - first : PIECE;
    const int32_t terms = term_count(p), padded = rounded_up(terms, GATHERED);
    const size_t packed_channel = (size_t)group * (size_t)rounded_up(in_group, BLOCK) + (size_t)first;
    const int32_t *packed_sums = p->packed;
    const FACTOR *weights = (const FACTOR *)(packed_sums + (BYTES ? packed_channels(p) : 0)) + packed_channel * (size_t)padded;
    _Alignas(16) CELL cells[PIXELS * TERMS];
    SUM sums[PIXELS * PIECE] = {0};
#if BYTES
    int32_t x_sums[PIXELS] = {0};
#endif
    for (int32_t k = 0; k < terms; k += TERMS) {
        const int32_t n = terms - k < TERMS ? terms - k : TERMS, even = rounded_up(n, GATHERED);
        for (int32_t i = 0; i < count; i++) {
            CELL *own = cells + i * TERMS;
            NAME(gather)(p, x, origins[i], pixel + i, group, k, n, own);
            for (int32_t j = n; j < even; j++) own[j] = 0;
#if BYTES
            for (int32_t j = 0; j < n && p->weight_zero != FLIPPED; j++) x_sums[i] += own[j];
#endif
        }
        for (int32_t c = 0; c < channels; c += BLOCK) {
            const FACTOR *w = weights + (size_t)c * (size_t)padded + (size_t)k * BLOCK;
            int32_t i = 0;
            for (; i + ROWS <= count; i += ROWS) NAME(add_block)(p, cells + i * TERMS, ROWS, w, even, sums + i * PIECE + c);
            for (; i < count; i++) NAME(add_block)(p, cells + i * TERMS, 1, w, even, sums + i * PIECE + c);
        }
    }
    y += (size_t)pixel * (size_t)p->out_channels + (size_t)channel;
    for (int32_t i = 0; i < count; i++, y += p->out_channels) {
#if BYTES
        NAME(complete)(p, origins[i], x_sums[i], packed_channel, channels, sums + i * PIECE);
#endif
        NAME(finish)(p, origins[i], channel, channels, sums + i * PIECE, y);
    }
}

void FULL_NAME(conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_conv2d *p = step->params;
    const int32_t in_image = p->out_height * p->out_width, pixels = p->batch * in_image;
    int32_t known = begin % pixels / in_image;
    ORIGIN origin = NAME(origin)(p, step->in[0], known), origins[PIXELS];
    for (int32_t unit = begin, n; unit < end; unit += n) {
        const int32_t pixel = unit % pixels, left = end - unit < pixels - pixel ? end - unit : pixels - pixel;
        n = left < PIXELS ? left : PIXELS;
        for (int32_t i = 0; i < n; i++) {
            if ((pixel + i) / in_image != known) origin = NAME(origin)(p, step->in[0], known = (pixel + i) / in_image);
            origins[i] = origin;
        }
        NAME(piece)(p, step->in[0], step->out[0], origins, unit / pixels, pixel, n);
    }
}
#undef TYPE
