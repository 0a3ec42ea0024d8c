/* The loops of depthwise_conv2d by vectors of channels for one TYPE: an image is taken in strips of columns, block of channels by
 * block, row of the output by row. The rows of the image that a filter spans are held as cells, with zeros beside them: columns
 * that are stride_width apart stand side by side, so that the taps of pixels do. */
#include "types.h"
#include "taps.h"

#ifndef PQ_DEPTHWISE_CONV2D_VECTORS_H
#define PQ_DEPTHWISE_CONV2D_VECTORS_H
enum { BAND_SIZE = 512 << 10, FEWEST_ROWS = 4 }; /* bytes of the image, rows of the output */

/* The columns of an image that stand side by side where a strip holds them: of `all`, those in [from, end) are inside, the first
 * of these being `column`. */
typedef struct {
    int32_t from, end, all, column;
} held_phase;

/* Columns start, start + step and so on of an image of that width. */
static held_phase phase_of(int32_t start, int32_t width, int32_t step, int32_t all) {
    const int32_t from = start < 0 ? (-start + step - 1) / step : 0, end = start < width ? (width - start + step - 1) / step : 0;
    const int32_t last = end < all ? end : all, first = from < last ? from : last;
    return (held_phase){first, last, all, start + first * step};
}
#endif

#define PARAMS pq_depthwise_conv2d
#include "convert.h"
#undef PARAMS

#define SIGNED_CODES ((CODE)-1 < 0)
#define SUMS PQ_JOIN(PQ_SUMS, TYPE)

#include "vector_sums.h"

/* The output columns [first, first + columns) in one block of channels. Row iy of the image is held in place iy % spanned, where
 * `holds` says so; after all of them is a row of zeros. */
typedef struct {
    int32_t first, columns, spanned;
    ptrdiff_t phase, row; /* cells of columns stride_width apart, and of all */
    held_phase phases[MOST_TAPS];
    ptrdiff_t taps[MOST_TAPS]; /* where the taps of a row of the filter are, for the first output pixel */
    int32_t holds[MOST_TAPS];
    _Alignas(64) CELL cells[STRIP_SIZE / sizeof(CELL)];
} NAME(strip);

/* Lay out a strip for a block, all zeros. */
static void NAME(lay_out)(const NAME(block) *block, NAME(strip) *strip) {
    const pq_depthwise_conv2d *p = block->p;
    const int32_t step = p->stride_width, left = strip->first * step - p->pad_left;
    const int32_t columns = (strip->columns - 1) * step + (int32_t)columns_ahead(p) + 1;
    strip->phase = phase_bytes(p, strip->columns, block->width * (int32_t)sizeof(CELL)) / (int32_t)sizeof(CELL);
    strip->row = strip->phase * step;
    for (int32_t i = 0; i < step; i++) strip->phases[i] = phase_of(left + i, p->width, step, (columns - i + step - 1) / step);
    for (int32_t kx = 0, column = 0; kx < p->filter_width; kx++, column += p->dilation_width)
        strip->taps[kx] = column % step * strip->phase + column / step * block->width;
    for (int32_t i = 0; i < strip->spanned; i++) strip->holds[i] = -1;
    memset(strip->cells, NAME(offset)(block->origin), (size_t)((strip->spanned + 1) * strip->row) * sizeof(CELL));
}

/* Hold the columns of one phase, n cells of each. */
PQ_INLINE void NAME(hold_columns)(const NAME(block) *block, held_phase phase, const CODE *x, size_t n, CELL *to) {
    const ptrdiff_t step = (ptrdiff_t)block->p->stride_width * block->p->channels;
    for (int32_t i = phase.from; i < phase.end; i++, x += step, to += block->width) NAME(cells)(x, n, block->origin, to);
}

/* Hold row iy of the image. */
static void NAME(hold)(const NAME(block) *block, NAME(strip) *strip, const CODE *x, int32_t iy, CELL *held) {
    const pq_depthwise_conv2d *p = block->p;
    x += iy * ((ptrdiff_t)p->width * p->channels) + block->channel;
    for (int32_t i = 0; i < p->stride_width; i++, held += strip->phase) {
        const held_phase phase = strip->phases[i];
        const CODE *from = x + phase.column * (ptrdiff_t)p->channels;
        CELL *to = held + phase.from * block->width, *end = held + phase.end * block->width;
        if (p->stride_width == 1 && block->width == p->channels) NAME(cells)(from, (size_t)(end - to), block->origin, to); /* one piece */
        else if (block->channels == CELLS) NAME(hold_columns)(block, phase, from, (size_t)CELLS, to);
        else NAME(hold_columns)(block, phase, from, (size_t)block->channels, to);
        if (phase.all > phase.end) memset(end, NAME(offset)(block->origin), (size_t)((phase.all - phase.end) * block->width) * sizeof(CELL));
    }
}

/* Find the taps of the strip's first output pixel of a row, whose window starts at row `top` of the image. */
static void NAME(find_taps)(const NAME(block) *block, NAME(strip) *strip, const CODE *x, int32_t top, const char **taps) {
    const pq_depthwise_conv2d *p = block->p;
    const char **tap = taps;
    for (int32_t ky = 0, iy = top; ky < p->filter_height; ky++, iy += p->dilation_height) {
        const bool inside = iy >= 0 && iy < p->height;
        const int32_t place = inside ? iy % strip->spanned : strip->spanned;
        CELL *row = strip->cells + place * strip->row;
        if (inside && strip->holds[place] != iy) NAME(hold)(block, strip, x, strip->holds[place] = iy, row);
        for (int32_t kx = 0; kx < p->filter_width; kx++) *tap++ = (const char *)(row + strip->taps[kx]);
    }
    while (tap < taps + block->groups * LANE) *tap++ = taps[0]; /* whose factors are zeros */
}

/* The output pixels [from, to) of an image that are in a strip. x, y: the image. */
static void NAME(strip_rows)(const NAME(block) *block, NAME(strip) *strip, const CODE *x, int32_t from, int32_t to, CODE *y) {
    const pq_depthwise_conv2d *p = block->p;
    const int32_t pixels = CELLS / block->width, end = strip->first + strip->columns;
    NAME(lay_out)(block, strip);
    for (int32_t oy = from / p->out_width; oy * p->out_width < to; oy++) {
        const int32_t first = from - oy * p->out_width, last = to - oy * p->out_width; /* of the row, where not all of it */
        int32_t ox = first > strip->first ? first : strip->first;
        const int32_t stop = last < end ? last : end;
        if (ox >= stop) continue;
        const char *taps[MOST_TAPS + 4];
        NAME(find_taps)(block, strip, x, oy * p->stride_height - p->pad_top, taps);
        for (int32_t at = strip->first, n; ox < stop; ox += n * pixels) {
            for (int32_t t = 0; t < block->groups * LANE && ox > at; t++) taps[t] += (ox - at) * block->width * (int32_t)sizeof(CELL);
            at = ox;
            const int32_t vectors = (stop - ox + pixels - 1) / pixels, runs = (vectors + VECTORS - 1) / VECTORS;
            n = runs == 1 ? vectors : (vectors + runs - 1) / runs; /* about as many in each */
            const int32_t count = stop - ox < n * pixels ? stop - ox : n * pixels;
            NAME(runs)[n - 1](block, taps, count, y + (oy * p->out_width + ox) * (ptrdiff_t)p->channels + block->channel);
        }
    }
}

/* The output pixels [from, to) of an image. x, y: the image. */
static void NAME(image)(const pq_depthwise_conv2d *p, const CODE *x, ORIGIN origin, int32_t from, int32_t to, CODE *y) {
    NAME(strip) strip;
    strip.spanned = (int32_t)spanned_rows(p);
    NAME(block) block = {.p = p, .groups = (p->filter_height * p->filter_width + LANE - 1) / LANE, .origin = origin};
    const int64_t most = most_columns(p, block_width(p->channels, CELLS, HYBRID) * (int32_t)sizeof(CELL));
    const int32_t strips = (int32_t)((p->out_width + most - 1) / most), columns = (p->out_width + strips - 1) / strips;
    for (strip.first = 0; strip.first < p->out_width; strip.first += columns) {
        strip.columns = p->out_width - strip.first < columns ? p->out_width - strip.first : columns;
        block.packed = (const char *)p->packed + sizeof(pq_taps_head);
        for (block.channel = 0; block.channel < p->channels; block.channel += block.width) {
            const int32_t left = p->channels - block.channel;
            block.width = block_width(left, CELLS, HYBRID);
            block.channels = left < block.width ? left : block.width;
            NAME(strip_rows)(&block, &strip, x, from, to, y);
            block.packed += START_SIZE + (size_t)block.groups * (size_t)LANE * 64;
        }
    }
}

pq_kernel_function PQ_JOIN(NAME(depthwise_conv2d), x86_avx2_plain);

void FULL_NAME(depthwise_conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_depthwise_conv2d *params = step->params;
    if (!by_vectors(params, (WEIGHT)-1 < 0)) {
        PQ_JOIN(NAME(depthwise_conv2d), x86_avx2_plain)(step, begin, end);
        return;
    }
    const pq_depthwise_conv2d rows = as_rows(params), *p = &rows;
    const int32_t pixels = p->out_height * p->out_width;
    const ptrdiff_t row = (ptrdiff_t)p->width * p->channels, size = p->height * row;
    /* rows that a near cache keeps until all blocks have read them */
    const ptrdiff_t near = BAND_SIZE / (row * p->stride_height * (ptrdiff_t)sizeof(CODE));
    const int32_t band = near > p->out_height ? pixels : (near > FEWEST_ROWS ? (int32_t)near : FEWEST_ROWS) * p->out_width;
    ORIGIN origin = NAME(origin)(p, step->in[0], begin / pixels);
    for (int32_t unit = begin, n; unit < end; unit += n) {
        const int32_t image = unit / pixels, from = unit % pixels;
        if (from == 0 && unit > begin) origin = NAME(origin)(p, step->in[0], image);
        n = pixels - from < end - unit ? pixels - from : end - unit;
        if (n > band) n = band;
        CODE *y = (CODE *)step->out[0] + (ptrdiff_t)image * pixels * p->channels;
        NAME(image)(p, (const CODE *)step->in[0] + image * size, origin, from, from + n, y);
    }
}
#undef SIGNED_CODES
#undef SUMS
#undef TYPE
