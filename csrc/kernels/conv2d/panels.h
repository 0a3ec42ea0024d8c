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
    const int32_t depth = p->channels / p->groups, row = NAME(row_terms)(p);
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
            CELL *to = cells + ky * NAME(row_cells)(p);
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
    pq_pieces cells;
    const FACTOR *factors;
    const pq_rescale *rescale;
    const ORIGIN *origins; /* of each row; where all have the same, of the first */
    int32_t rows, channel, channels;
} NAME(panel);

/* Some rows of a panel, at most ROWS. */
typedef struct {
    int32_t first, count;
} NAME(rows);

/* Sums of pieces of cells by the blocks [first, first + blocks), 64 bytes each: [row][block]; factors: those of the pieces in
 * the first block. started: from where each channel's sums start, else from 0. */
static void NAME(multiply)(const NAME(panel) *panel, NAME(rows) rows, pq_pieces cells, const char *factors, int32_t first,
                           int32_t blocks, bool started, void *sums) {
    const size_t block = (size_t)(panel->p->filter_height * NAME(row_cells)(panel->p)) * BLOCK * sizeof(FACTOR);
    const pq_tiles *tiles = PQ_JOIN(TILES, TYPE);
    pq_tile *run = blocks == WIDE_BLOCKS ? tiles->wide : tiles->of[blocks - 1][rows.count - 1];
    const char *start = started ? (const char *)panel->rescale[first].start : NOTHING;
    cells.x += (size_t)rows.first * cells.stride;
    run(&cells, factors + (size_t)first * block, block, start, started ? sizeof(pq_rescale) : 0, sums);
}

static inline int32_t NAME(blocks_together)(const NAME(panel) *panel, int32_t first) {
    const int32_t blocks = rounded_up(panel->channels, BLOCK) / BLOCK - first;
    return panel->rows == 1 && blocks >= WIDE_BLOCKS ? WIDE_BLOCKS : blocks > 1 ? 2 : 1;
}

#if INTEGER && !HYBRID
/* What each row's sums lack, as unsigned bytes of weights had their top bit flipped. */
static void NAME(sum_rows)(const NAME(panel) *panel, int32_t *lacking) {
    const pq_conv2d *p = panel->p;
    const int32_t zero = p->weight_zero - (sizeof(WEIGHT) == 1 && (WEIGHT)-1 > 0 ? 128 : 0);
    const size_t pitch = panel->cells.segments > 1 ? panel->cells.pitch : (size_t)NAME(row_cells)(p);
    for (int32_t i = 0; i < panel->rows; i++) {
        const uint8_t *cells = (const uint8_t *)panel->cells.x + (size_t)i * panel->cells.stride;
        lacking[i] = zero == 0 ? 0 : zero * sum_of_bytes(cells, (size_t)p->filter_height, pitch, (size_t)NAME(row_terms)(p));
    }
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

/* The same by doubles. */
PQ_INLINE void NAME(store_real)(const NAME(panel) *panel, int32_t rows, int32_t first, const __m512i *sums, int32_t stride,
                                const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi);
    const __m512d lo = _mm512_set1_pd(p->lo - p->output_zero), hi = _mm512_set1_pd(p->hi - p->output_zero);
    const double *real = p->real + panel->channel + first * BLOCK;
    for (int32_t i = 0; i < rows; i++, sums += stride, y += p->out_channels) {
        __m512i scaled[2];
        for (int32_t b = 0; b < 2; b++) {
            const int32_t left = n - b * BLOCK;
            const __mmask16 mask = left >= BLOCK ? 0xFFFF : left > 0 ? (__mmask16)((1 << left) - 1) : 0;
            scaled[b] = scaled_by_doubles(NAME(full)(sums[stride > 1 ? b : 0], lacking, i), real + b * BLOCK, mask, lo, hi);
        }
        store_codes(scaled[0], scaled[1], limits, n, sizeof(CODE) == 2, y);
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
    if (p->real != NULL) NAME(store_real)(panel, rows.count, first, sums, stride, lacking, n, y);
    else if (stride == 1 && wide && p->wide) NAME(store_single)(panel, rows.count, r, sums, wide, false, lacking, n, y);
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
        __m512i lacks = starts;
        __m512 scale = scales, both = scales;
#endif
        for (int32_t i = rows.first; i < rows.first + rows.count; i++, from += 64 * stride, to += p->out_channels) {
#if HYBRID
            if (i == rows.first || p->batch > 1) { /* what all pixels of an image share */
                lacks = _mm512_mullo_epi32(_mm512_set1_epi32(NAME(offset)(p, panel->origins[i])), starts);
                scale = _mm512_set1_ps(panel->origins[i].scale);
                both = _mm512_mul_ps(scales, scale);
            }
            const __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(from), lacks));
            const __m512 real = p->stepwise ? _mm512_mul_ps(_mm512_mul_ps(sum, scales), scale) : _mm512_mul_ps(sum, both);
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
static void NAME(vector_panel)(const NAME(panel) *panel, CODE *y) {
    __m512i sums[ROWS * 2];
    int32_t lacking[MOST_ROWS];
#if INTEGER && !HYBRID
    if ((WEIGHT)-1 > 0) NAME(sum_rows)(panel, lacking);
#endif
    for (int32_t b = 0, together; b * BLOCK < panel->channels; b += together) {
        together = NAME(blocks_together)(panel, b);
        for (NAME(rows) rows = {0, 0}; rows.first < panel->rows; rows.first += rows.count) {
            rows = NAME(some_rows)(panel, rows.first);
            NAME(multiply)(panel, rows, panel->cells, (const char *)panel->factors, b, together, INTEGER && !HYBRID, sums);
            for (int32_t pair = b; pair < b + together; pair += 2)
                NAME(store)(panel, rows, pair, sums + (pair - b), together, lacking, y + pair * BLOCK);
        }
    }
}

#if INTEGER && !HYBRID
/* total[row][channel of the piece] += the sums of pieces of cells by factors. */
static void NAME(add_to)(const NAME(panel) *panel, pq_pieces cells, const char *factors, SUM *total) {
    __m512i sums[ROWS * 2];
    for (int32_t b = 0, together; b * BLOCK < panel->channels; b += together) {
        together = NAME(blocks_together)(panel, b);
        const int32_t left = panel->channels - b * BLOCK, n = together * BLOCK < left ? together * BLOCK : left;
        for (NAME(rows) rows = {0, 0}; rows.first < panel->rows; rows.first += rows.count) {
            rows = NAME(some_rows)(panel, rows.first);
            NAME(multiply)(panel, rows, cells, factors, b, together, false, sums);
            for (int32_t i = 0; i < rows.count; i++) {
                SUM *restrict to = total + (rows.first + i) * PIECE + b * BLOCK;
                const int32_t *restrict from = (const int32_t *)sums + i * together * BLOCK;
                for (int32_t c = 0; c < n; c++) to[c] += (SUM)from[c];
            }
        }
    }
}

/* All of a panel, its sums put together first; of int16 by pieces that 32 bits hold. */
static void NAME(plain_panel)(const NAME(panel) *panel, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_panel_head *head = p->packed;
    const int32_t most = sizeof(CODE) == 2 && !head->narrow ? 504 / LANE : INT32_MAX; /* 504 · 2^22 < 2^31 */
    pq_pieces cells = panel->cells;
    const char *factors = (const char *)panel->factors;
    SUM total[MOST_ROWS * PIECE];
    int32_t lacking[MOST_ROWS];
    NAME(sum_rows)(panel, lacking);
    for (int32_t i = 0; i < panel->rows; i++)
        for (int32_t c = 0; c < panel->channels; c++)
            total[i * PIECE + c] = (SUM)(panel->rescale[c / BLOCK].start[c % BLOCK] - lacking[i]);
    cells.segments = 1;
    for (int32_t segment = 0; segment < panel->cells.segments; segment++) {
        for (int32_t k = 0; k < panel->cells.lanes; k += cells.lanes, factors += (size_t)cells.lanes * 64) {
            cells.x = panel->cells.x + (size_t)segment * cells.pitch + (size_t)k * 4;
            cells.lanes = panel->cells.lanes - k < most ? panel->cells.lanes - k : most;
            NAME(add_to)(panel, cells, factors, total);
        }
    }
    for (int32_t i = 0; i < panel->rows; i++, y += p->out_channels)
        NAME(finish)(p, panel->origins[0], panel->channel, panel->channels, total + i * PIECE, y);
}
#endif

/* Whether a panel is made of the pixels of one row of the output: then its rows of the image, which overlap, are its cells. */
static inline bool NAME(by_rows)(const pq_conv2d *p) {
    const int32_t most = p->out_width < MOST_ROWS ? p->out_width : MOST_ROWS;
    const int64_t columns = (int64_t)(most - 1) * p->stride_width + p->filter_width;
    return !pointwise(p) && p->groups == 1 && p->dilation_width == 1 && p->out_width >= ROWS &&
           p->filter_height * (columns * p->channels * (int32_t)sizeof(CELL) + 64) <= SCRATCH;
}

/* Where cells are made, and what they hold of rows that were quantized at run time. */
typedef struct {
    CELL cells[SCRATCH / sizeof(CELL) + 64];
    held_rows held;
} NAME(scratch);

/* Make the cells of `rows` pixels of one row of the output, its first one `pixel`, for all rows of the filter. */
static pq_pieces NAME(gather_rows)(const pq_conv2d *p, const CODE *x, ORIGIN origin, int32_t pixel, int32_t rows, NAME(scratch) *scratch) {
    const int32_t left = pixel % p->out_width * p->stride_width - p->pad_left, columns = (rows - 1) * p->stride_width + p->filter_width;
    const int32_t top = pixel / p->out_width % p->out_height * p->stride_height - p->pad_top;
    const ptrdiff_t row_size = (ptrdiff_t)p->width * p->channels;
    const size_t pitch = row_bytes(columns * p->channels * (int32_t)sizeof(CELL)) / sizeof(CELL);
    const CELL zero = (CELL)NAME(offset)(p, origin);
    x += pixel / (p->out_height * p->out_width) * (p->height * row_size);
    pq_conv2d window = *p;
    window.filter_width = columns; /* a row as of a filter that is as wide as all of them */
    CELL *cells = scratch->cells;
    int32_t ready = 0; /* rows that are there from the row of the output before */
#if HYBRID
    const held_rows now = {pixel / (p->out_height * p->out_width), left, columns, top};
    const int32_t moved = top - scratch->held.top;
    const bool follows = now.image == scratch->held.image && left == scratch->held.left && columns == scratch->held.columns;
    if (follows && moved >= 0 && moved < p->filter_height && p->dilation_height == 1) {
        ready = p->filter_height - moved;
        memmove(cells, cells + (size_t)moved * pitch, (size_t)ready * pitch * sizeof(CELL));
    }
    scratch->held = now;
#endif
    for (int32_t ky = ready; ky < p->filter_height; ky++) {
        const int32_t iy = top + ky * p->dilation_height;
        NAME(gather_row)(&window, x + iy * row_size, origin, left, iy >= 0 && iy < p->height, zero, cells + (size_t)ky * pitch);
    }
    const size_t stride = (size_t)(p->stride_width * p->channels) * sizeof(CELL);
    return (pq_pieces){(const char *)cells, stride, p->filter_height, pitch * sizeof(CELL), NAME(row_cells)(p) / LANE};
}

/* The cells of `rows` pixels from `pixel` on; made in the scratch, where the image does not have them. */
static pq_pieces NAME(cells_of)(const pq_conv2d *p, const CODE *x, const ORIGIN *origins, int32_t group, int32_t pixel, int32_t rows,
                             NAME(scratch) *scratch) {
    CELL *cells = scratch->cells;
    const int32_t padded = p->filter_height * NAME(row_cells)(p);
    const CODE *from = x + (size_t)pixel * (size_t)p->channels;
    pq_pieces all = {(const char *)cells, (size_t)padded * sizeof(CELL), 1, 0, padded / LANE};
    if (NAME(direct)(p)) {
        all.x = (const char *)from;
    } else if (pointwise(p) && padded == p->channels && (!HYBRID || p->batch == 1)) {
        NAME(cells)(from, (size_t)(rows * padded), origins[0], cells);
    } else if (NAME(by_rows)(p)) {
        return NAME(gather_rows)(p, x, origins[0], pixel, rows, scratch);
    } else {
        all.stride = row_bytes(padded * (int32_t)sizeof(CELL));
        NAME(gather_panel)(p, x, origins, pixel, rows, group, cells, (int32_t)(all.stride / sizeof(CELL)));
    }
    return all;
}

/* One piece of the output channels for `rows` pixels from `pixel` on. */
static void NAME(make_panel)(const pq_conv2d *p, pq_pieces cells, CODE *y, const ORIGIN *origins, int32_t piece, int32_t pixel, int32_t rows) {
    const int32_t in_group = group_channels(p), group = piece / pieces_of_group(p), first = piece % pieces_of_group(p) * PIECE;
    const pq_rescale *rescale = (const pq_rescale *)((const pq_panel_head *)p->packed + 1);
    const FACTOR *factors = (const FACTOR *)(rescale + (INTEGER ? p->groups * group_rescales(p) : 0));
    const size_t block = (size_t)(p->filter_height * NAME(row_cells)(p)) * BLOCK;
    NAME(panel) panel = {
        .p = p,
        .cells = cells,
        .factors = factors + (size_t)(group * group_blocks(p) + first / BLOCK) * block,
        .rescale = rescale + group * group_rescales(p) + first / BLOCK,
        .origins = origins,
        .rows = rows,
        .channel = group * in_group + first,
        .channels = in_group - first < PIECE ? in_group - first : PIECE,
    };
    y += (size_t)pixel * (size_t)p->out_channels + (size_t)panel.channel;
#if INTEGER && !HYBRID
    if (!((const pq_panel_head *)p->packed)->exact) {
        NAME(plain_panel)(&panel, y);
        return;
    }
#endif
    NAME(vector_panel)(&panel, y);
}

void FULL_NAME(conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_conv2d *p = step->params;
    if (!NAME(by_panels)(p)) {
        PQ_JOIN(NAME(conv2d), x86_avx2)(step, begin, end);
        return;
    }
    const int32_t in_image = p->out_height * p->out_width, pixels = p->batch * in_image;
    const int32_t most = SCRATCH / (int32_t)row_bytes(p->filter_height * NAME(row_cells)(p) * (int32_t)sizeof(CELL));
    const int32_t near = L1_SHARE / (int32_t)row_bytes(term_count(p) * (int32_t)sizeof(CELL)) / ROWS * ROWS;
    const int32_t wanted = near < ROWS ? ROWS : near < MOST_ROWS ? near : MOST_ROWS;
    const bool by_rows = NAME(by_rows)(p);
    const int32_t most_rows = by_rows ? MOST_ROWS : NAME(direct)(p) || most > wanted ? wanted : most;
    int32_t known = begin % pixels / in_image;
    ORIGIN origin = NAME(origin)(p, step->in[0], known), origins[MOST_ROWS];
    NAME(scratch) scratch;
    scratch.held.image = -1;
    /* cells that are quantized at run time serve all pieces, where none is cut */
    const bool whole = HYBRID && p->groups == 1 && begin % pixels == 0 && end % pixels == 0;
    const int32_t pieces = whole ? (end - begin) / pixels : 1, last = whole ? begin + pixels : end;
    for (int32_t unit = begin, n; unit < last; unit += n) {
        const int32_t pixel = unit % pixels, there = by_rows ? p->out_width - pixel % p->out_width : pixels - pixel;
        const int32_t left = last - unit < there ? last - unit : there;
        const int32_t panels = rounded_up(left, most_rows) / most_rows;
        n = rounded_up(left, panels) / panels; /* panels of about as many rows each */
        origins[0] = origin;
        for (int32_t i = 0; HYBRID && i < n; i++) {
            if ((pixel + i) / in_image != known) origin = NAME(origin)(p, step->in[0], known = (pixel + i) / in_image);
            origins[i] = origin;
        }
        const int32_t piece = unit / pixels;
        const pq_pieces cells = NAME(cells_of)(p, step->in[0], origins, piece / pieces_of_group(p), pixel, n, &scratch);
        for (int32_t i = 0; i < pieces; i++) NAME(make_panel)(p, cells, step->out[0], origins, piece + i, pixel, n);
    }
}
#undef TYPE
