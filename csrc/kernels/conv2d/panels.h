/* The loops of conv2d over panels for one TYPE, around the tiles of the including file. */
#include "types.h"
#include "panel.h"
#define PARAMS pq_conv2d
#include "convert.h"
#undef PARAMS

/* Zero terms. */
PQ_INLINE void NAME(fill)(int32_t n, CELL zero, CELL *cells) {
    for (int32_t i = 0; i < n; i++) cells[i] = zero;
}

/* Make the cells of one filter row of an output pixel, whose image has its row at x; it starts at column `left`. */
PQ_INLINE void NAME(gather_row)(const pq_conv2d *p, const CODE *x, ORIGIN origin, int32_t left, bool inside, CELL zero, CELL *cells) {
    const int32_t depth = p->channels / p->groups, width = p->filter_width;
    if (!inside) {
        NAME(fill)(depth * width, zero, cells);
    } else if (p->groups == 1 && p->dilation_width == 1) { /* its taps in the image are one piece of memory */
        const int32_t from = left < 0 ? (-left < width ? -left : width) : 0;
        const int32_t end = p->width - left < width ? (p->width - left > from ? p->width - left : from) : width;
        if (from > 0) NAME(fill)(from * depth, zero, cells);
        NAME(cells)(x + (ptrdiff_t)(left + from) * depth, (size_t)((end - from) * depth), origin, cells + from * depth);
        if (end < width) NAME(fill)((width - end) * depth, zero, cells + end * depth);
    } else {
        for (int32_t kx = 0; kx < width; kx++, cells += depth) {
            const int32_t ix = left + kx * p->dilation_width;
            if (ix < 0 || ix >= p->width) NAME(fill)(depth, zero, cells);
            else NAME(cells)(x + (size_t)ix * (size_t)p->channels, (size_t)depth, origin, cells);
        }
    }
}

/* Make the cells of output pixels, all their terms, rows `stride` apart; a row may be written in whole vectors. */
static void NAME(gather_panel)(const pq_conv2d *p, const CODE *x, const ORIGIN *origins, int32_t pixel, int32_t pixels, int32_t group,
                               CELL *cells, int32_t stride) {
    const int32_t depth = p->channels / p->groups, row = depth * p->filter_width;
    const ptrdiff_t row_size = (ptrdiff_t)p->width * p->channels, image_size = p->height * row_size;
    const ptrdiff_t step = (ptrdiff_t)p->stride_width * p->channels; /* from an output pixel to the next one */
    const int32_t last = p->width - p->filter_width; /* where a window inside the image starts at most */
    int32_t image = pixel / (p->out_height * p->out_width);
    int32_t oy = pixel / p->out_width % p->out_height, ox = pixel % p->out_width;
    for (int32_t i = 0, run; i < pixels; i += run, cells += (ptrdiff_t)run * stride) {
        const int32_t top = oy * p->stride_height - p->pad_top, left = ox * p->stride_width - p->pad_left;
        const CODE *from = x + image * image_size + group * depth;
        const ORIGIN origin = origins[HYBRID ? i : 0];
        const CELL zero = (CELL)NAME(offset)(p, origin);
        run = 1;
        if (p->groups == 1 && p->dilation_width == 1 && left >= 0 && left <= last) {
            const int32_t inside = (last - left) / p->stride_width + 1, in_row = p->out_width - ox;
            run = inside < in_row ? inside : in_row;
            if (run > pixels - i) run = pixels - i;
        }
        for (int32_t ky = 0; ky < p->filter_height; ky++) {
            const int32_t iy = top + ky * p->dilation_height;
            const bool inside = iy >= 0 && iy < p->height;
            CELL *to = cells + ky * row;
            if (run > 1 && inside) {
                const CODE *pixel_row = from + iy * row_size + (ptrdiff_t)left * p->channels;
                for (int32_t j = 0; j < run; j++, pixel_row += step) NAME(cells)(pixel_row, (size_t)row, origin, to + (ptrdiff_t)j * stride);
            } else {
                for (int32_t j = 0; j < run; j++)
                    NAME(gather_row)(p, from + iy * row_size, origin, left + j * p->stride_width, inside, zero, to + (ptrdiff_t)j * stride);
            }
        }
        ox += run;
        if (ox == p->out_width) ox = 0, oy++;
        if (oy == p->out_height) oy = 0, image++;
    }
}

/* Some pixels' cells with the piece of the output channels [channel, channel + channels) that they are to make. */
typedef struct {
    const pq_conv2d *p;
    const char *cells;
    size_t stride; /* bytes of a row of cells */
    const FACTOR *factors;
    const pq_rescale *rescale;
    const ORIGIN *origins; /* of each row; where all have the same, of the first */
    int32_t rows, channel, channels;
} NAME(panel);

/* Some rows of a panel, at most ROWS. */
typedef struct {
    int32_t first, count;
} NAME(rows);

/* Sums over the lanes [from, to) of the blocks [first, first + blocks), 64 bytes each: [row][block]. started: from where each
 * channel's sums start, else from 0. */
static void NAME(multiply)(const NAME(panel) *panel, NAME(rows) rows, int32_t from, int32_t to, int32_t first, int32_t blocks,
                           bool started, void *sums) {
    const size_t block = (size_t)rounded_up(term_count(panel->p), LANE) * BLOCK * sizeof(FACTOR);
    const char *factors = (const char *)panel->factors + (size_t)first * block + (size_t)from * 64;
    const pq_tiles *tiles = PQ_JOIN(TILES, TYPE);
    pq_tile *run = blocks == WIDE_BLOCKS ? tiles->wide : tiles->of[blocks - 1][rows.count - 1];
    const char *start = started ? (const char *)panel->rescale[first].start : NOTHING;
    const char *cells = panel->cells + (size_t)rows.first * panel->stride + (size_t)from * 4;
    run(cells, panel->stride, factors, block, to - from, start, started ? sizeof(pq_rescale) : 0, sums);
}

static inline int32_t NAME(blocks_together)(const NAME(panel) *panel, int32_t first) {
    const int32_t blocks = rounded_up(panel->channels, BLOCK) / BLOCK - first;
    return panel->rows == 1 && blocks >= WIDE_BLOCKS ? WIDE_BLOCKS : blocks > 1 ? 2 : 1;
}

#if INTEGER && !HYBRID
/* What each row's sums lack, as unsigned bytes of weights had their top bit flipped. */
static void NAME(sum_rows)(const NAME(panel) *panel, int32_t *lacking) {
    const int32_t zero = panel->p->weight_zero - (sizeof(WEIGHT) == 1 && (WEIGHT)-1 > 0 ? 128 : 0);
    for (int32_t i = 0; i < panel->rows; i++)
        lacking[i] = zero == 0 ? 0 : zero * sum_of_bytes((const uint8_t *)panel->cells + (size_t)i * panel->stride, (size_t)term_count(panel->p));
}

#endif
#if INTEGER && !HYBRID
PQ_INLINE __m512i NAME(full)(__m512i sums, const int32_t *lacking, int32_t row) {
    return (WEIGHT)-1 < 0 ? sums : _mm512_sub_epi32(sums, _mm512_set1_epi32(lacking[row]));
}

/* Scale the sums of two blocks, `stride` vectors from row to row, and store the codes of n channels of each row. */
PQ_INLINE void NAME(store_pair)(const NAME(panel) *panel, int32_t rows, const pq_rescale *r, const __m512i *sums, int32_t stride, bool wide,
                                bool left, const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_rescale_vectors a = pq_rescale_load(&r[0], wide, left), b = pq_rescale_load(&r[1], wide, left);
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi);
    const int32_t out_channels = p->out_channels;
    for (int32_t i = 0; i < rows; i++, sums += stride, y += out_channels) {
        const __m512i first = pq_rescaled(NAME(full)(sums[0], lacking, i), a, wide, left);
        const __m512i second = pq_rescaled(NAME(full)(sums[1], lacking, i), b, wide, left);
        store_codes(first, second, limits, n, sizeof(CODE) == 2, y);
    }
}

/* The same where there is one block only: two rows at a time. */
PQ_INLINE void NAME(store_single)(const NAME(panel) *panel, int32_t rows, const pq_rescale *r, const __m512i *sums, bool wide, bool left,
                                  const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_rescale_vectors v = pq_rescale_load(r, wide, left);
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi);
    const int32_t out_channels = p->out_channels;
    for (int32_t i = 0; i < rows; i += 2, y += 2 * out_channels) {
        const int32_t next = i + 1 < rows ? i + 1 : i;
        const __m512i first = pq_rescaled(NAME(full)(sums[i], lacking, i), v, wide, left);
        const __m512i second = pq_rescaled(NAME(full)(sums[next], lacking, next), v, wide, left);
        store_two_rows(first, second, limits, n, sizeof(CODE) == 2, y, next == i ? NULL : y + out_channels);
    }
}

/* As store_pair, for the scaling that a layer has. */
static void NAME(store)(const NAME(panel) *panel, NAME(rows) rows, int32_t first, const __m512i *sums, int32_t stride,
                        const int32_t *lacking, CODE *y) {
    const pq_conv2d *p = panel->p;
    lacking += rows.first;
    y += (size_t)rows.first * (size_t)p->out_channels;
    const pq_rescale *r = panel->rescale + first;
    const int32_t n = panel->channels - first * BLOCK;
    const bool wide = sizeof(CODE) == 2, shifted = ((const pq_panel_head *)p->packed)->left;
    if (stride == 1 && wide && p->wide) NAME(store_single)(panel, rows.count, r, sums, wide, false, lacking, n, y);
    else if (stride == 1 && shifted) NAME(store_single)(panel, rows.count, r, sums, false, true, lacking, n, y);
    else if (stride == 1) NAME(store_single)(panel, rows.count, r, sums, false, false, lacking, n, y);
    else if (wide && p->wide) NAME(store_pair)(panel, rows.count, r, sums, stride, wide, false, lacking, n, y);
    else if (shifted) NAME(store_pair)(panel, rows.count, r, sums, stride, false, true, lacking, n, y);
    else NAME(store_pair)(panel, rows.count, r, sums, stride, false, false, lacking, n, y);
}
#else
/* Make real numbers of the sums of two blocks, `stride` vectors from row to row, and store those of each row. */
static void NAME(store)(const NAME(panel) *panel, NAME(rows) rows, int32_t first, const void *sums, int32_t stride,
                        const int32_t *lacking, CODE *y) {
    const pq_conv2d *p = panel->p;
    y += (size_t)rows.first * (size_t)p->out_channels;
    const __m512 lo = _mm512_set1_ps(p->float_lo), hi = _mm512_set1_ps(p->float_hi);
    (void)lacking;
    for (int32_t b = 0; b < 2 && (first + b) * BLOCK < panel->channels; b++, sums = (const char *)sums + 64, y += BLOCK) {
        const int32_t channel = panel->channel + (first + b) * BLOCK, left = panel->channels - (first + b) * BLOCK;
        const __mmask16 mask = left >= BLOCK ? 0xFFFF : (__mmask16)((1 << left) - 1);
        const __m512 bias = p->bias == NULL ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, (const float *)p->bias + channel);
        const char *from = sums;
        CODE *to = y;
#if HYBRID
        const __m512i starts = _mm512_loadu_si512(panel->rescale[first + b].start);
        const __m512 scales = _mm512_maskz_loadu_ps(mask, p->weight_scales + channel);
#endif
        for (int32_t i = rows.first; i < rows.first + rows.count; i++, from += 64 * stride, to += p->out_channels) {
#if HYBRID
            const __m512i offset = _mm512_set1_epi32(NAME(offset)(p, panel->origins[i]));
            const __m512i whole = _mm512_sub_epi32(_mm512_loadu_si512(from), _mm512_mullo_epi32(offset, starts));
            const __m512 sum = _mm512_cvtepi32_ps(whole), scale = _mm512_set1_ps(panel->origins[i].scale);
            const __m512 real = p->stepwise ? _mm512_mul_ps(_mm512_mul_ps(sum, scales), scale) : _mm512_mul_ps(sum, _mm512_mul_ps(scales, scale));
#else
            const __m512 real = _mm512_loadu_ps(from);
#endif
            const __m512 above = _mm512_max_ps(lo, p->bias == NULL ? real : _mm512_add_ps(real, bias)); /* a NaN stays one */
            _mm512_mask_storeu_ps(to, mask, _mm512_min_ps(hi, above));
        }
    }
}
#endif

/* Rows of a panel, from `first` on: about as many in each tile. */
static inline NAME(rows) NAME(some_rows)(const NAME(panel) *panel, int32_t first) {
    const int32_t left = panel->rows - first, tiles = rounded_up(left, ROWS) / ROWS;
    return (NAME(rows)){first, rounded_up(left, tiles) / tiles};
}

/* All of a panel, where vectors can finish its sums. */
static void NAME(vector_panel)(const NAME(panel) *panel, int32_t lanes, CODE *y) {
    __m512i sums[ROWS * 2];
    int32_t lacking[MOST_ROWS];
#if INTEGER && !HYBRID
    if ((WEIGHT)-1 > 0) NAME(sum_rows)(panel, lacking);
#endif
    for (int32_t b = 0, together; b * BLOCK < panel->channels; b += together) {
        together = NAME(blocks_together)(panel, b);
        for (NAME(rows) rows = {0, 0}; rows.first < panel->rows; rows.first += rows.count) {
            rows = NAME(some_rows)(panel, rows.first);
            NAME(multiply)(panel, rows, 0, lanes, b, together, INTEGER && !HYBRID, sums);
            for (int32_t pair = b; pair < b + together; pair += 2)
                NAME(store)(panel, rows, pair, sums + (pair - b), together, lacking, y + pair * BLOCK);
        }
    }
}

#if INTEGER && !HYBRID
/* All of a panel, its sums put together first; of int16 by pieces that 32 bits hold. */
static void NAME(plain_panel)(const NAME(panel) *panel, int32_t lanes, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_panel_head *head = p->packed;
    const int32_t most = sizeof(CODE) == 2 && !head->narrow ? 504 / LANE : lanes; /* 504 · 2^22 < 2^31 */
    __m512i sums[ROWS * 2];
    SUM total[MOST_ROWS * PIECE];
    int32_t lacking[MOST_ROWS];
    NAME(sum_rows)(panel, lacking);
    for (int32_t i = 0; i < panel->rows; i++)
        for (int32_t c = 0; c < panel->channels; c++)
            total[i * PIECE + c] = (SUM)(panel->rescale[c / BLOCK].start[c % BLOCK] - lacking[i]);
    for (int32_t k = 0; k < lanes; k += most) {
        for (int32_t b = 0, together; b * BLOCK < panel->channels; b += together) {
            together = NAME(blocks_together)(panel, b);
            const int32_t left = panel->channels - b * BLOCK, n = together * BLOCK < left ? together * BLOCK : left;
            for (NAME(rows) rows = {0, 0}; rows.first < panel->rows; rows.first += rows.count) {
                rows = NAME(some_rows)(panel, rows.first);
                NAME(multiply)(panel, rows, k, lanes - k < most ? lanes : k + most, b, together, false, sums);
                for (int32_t i = 0; i < rows.count; i++) {
                    SUM *restrict to = total + (rows.first + i) * PIECE + b * BLOCK;
                    const int32_t *restrict from = (const int32_t *)sums + i * together * BLOCK;
                    for (int32_t c = 0; c < n; c++) to[c] += (SUM)from[c];
                }
            }
        }
    }
    for (int32_t i = 0; i < panel->rows; i++, y += p->out_channels)
        NAME(finish)(p, panel->origins[0], panel->channel, panel->channels, total + i * PIECE, y);
}
#endif

/* One piece of the output channels for `rows` pixels from `pixel` on. */
static void NAME(make_panel)(const pq_conv2d *p, const CODE *x, CODE *y, const ORIGIN *origins, int32_t piece, int32_t pixel, int32_t rows) {
    const int32_t in_group = group_channels(p), group = piece / pieces_of_group(p), first = piece % pieces_of_group(p) * PIECE;
    const int32_t terms = term_count(p), padded = rounded_up(terms, LANE);
    const pq_rescale *rescale = (const pq_rescale *)((const pq_panel_head *)p->packed + 1);
    const FACTOR *factors = (const FACTOR *)(rescale + (INTEGER ? p->groups * group_rescales(p) : 0));
    CELL cells[SCRATCH / sizeof(CELL) + 64];
    NAME(panel) panel = {
        .p = p,
        .cells = (const char *)cells,
        .stride = (size_t)padded * sizeof(CELL),
        .factors = factors + (size_t)(group * group_blocks(p) + first / BLOCK) * BLOCK * (size_t)padded,
        .rescale = rescale + group * group_rescales(p) + first / BLOCK,
        .origins = origins,
        .rows = rows,
        .channel = group * in_group + first,
        .channels = in_group - first < PIECE ? in_group - first : PIECE,
    };
    const CODE *from = x + (size_t)pixel * (size_t)p->channels;
    if (NAME(direct)(p)) {
        panel.cells = (const char *)from;
    } else if (pointwise(p) && padded == terms && (!HYBRID || p->batch == 1)) {
        NAME(cells)(from, (size_t)(rows * terms), origins[0], cells);
    } else {
        panel.stride = row_bytes(padded * (int32_t)sizeof(CELL));
        NAME(gather_panel)(p, x, origins, pixel, rows, group, cells, (int32_t)(panel.stride / sizeof(CELL)));
    }
    y += (size_t)pixel * (size_t)p->out_channels + (size_t)panel.channel;
#if INTEGER && !HYBRID
    if (!((const pq_panel_head *)p->packed)->exact) {
        NAME(plain_panel)(&panel, padded / LANE, y);
        return;
    }
#endif
    NAME(vector_panel)(&panel, padded / LANE, y);
}

void FULL_NAME(conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_conv2d *p = step->params;
    if (!NAME(by_panels)(p)) {
        PQ_JOIN(NAME(conv2d), x86_avx2)(step, begin, end);
        return;
    }
    const int32_t in_image = p->out_height * p->out_width, pixels = p->batch * in_image;
    const int32_t most = SCRATCH / (int32_t)row_bytes(rounded_up(term_count(p), LANE) * (int32_t)sizeof(CELL));
    const int32_t near = L1_SHARE / (int32_t)row_bytes(term_count(p) * (int32_t)sizeof(CELL)) / ROWS * ROWS;
    const int32_t wanted = near < ROWS ? ROWS : near < MOST_ROWS ? near : MOST_ROWS;
    const int32_t most_rows = NAME(direct)(p) || most > wanted ? wanted : most;
    int32_t known = begin % pixels / in_image;
    ORIGIN origin = NAME(origin)(p, step->in[0], known), origins[MOST_ROWS];
    for (int32_t unit = begin, n; unit < end; unit += n) {
        const int32_t pixel = unit % pixels, left = end - unit < pixels - pixel ? end - unit : pixels - pixel;
        const int32_t panels = rounded_up(left, most_rows) / most_rows;
        n = rounded_up(left, panels) / panels; /* panels of about as many rows each */
        origins[0] = origin;
        for (int32_t i = 0; HYBRID && i < n; i++) {
            if ((pixel + i) / in_image != known) origin = NAME(origin)(p, step->in[0], known = (pixel + i) / in_image);
            origins[i] = origin;
        }
        NAME(make_panel)(p, step->in[0], step->out[0], origins, unit / pixels, pixel, n);
    }
}
#undef TYPE
