/* The loops of conv2d over panels for one TYPE, around the tiles of the including file: TILES_<type>, and see panel_store.h. */
#include <math.h>

#include "types.h"
#include "panel.h"

#ifndef PQ_CONV2D_PANELS_H
#define PQ_CONV2D_PANELS_H
/* Rows and blocks of tiles, as tiles.h tells, and sums of one. MOST_ROWS: of a panel, which takes L1_SHARE bytes of the nearest
 * cache, or ROWS rows. FEWEST_COLUMNS: of a row of the output that makes a panel. */
enum {
    ROWS = PQ_JOIN(PQ_ROWS, ISA), MOST_BLOCKS = PQ_JOIN(PQ_BLOCKS, ISA), WIDE_BLOCKS = PQ_JOIN(PQ_WIDE, ISA),
    SUMS = ROWS * MOST_BLOCKS > WIDE_BLOCKS ? ROWS * MOST_BLOCKS : WIDE_BLOCKS, MOST_ROWS = 8 * ROWS, FEWEST_COLUMNS = 5, L1_SHARE = 16 << 10,
};

static const char NOTHING[64]; /* what sums start from where nothing is known of them */

/* Rows of an image, those of the filter from `top` on, `columns` columns from `left` on. */
typedef struct {
    int32_t image, left, columns, top;
} held_rows;
#endif

#define PARAMS pq_conv2d
#include "convert.h"
#undef PARAMS
#include "cell.h"
#include "panel_cells.h"
#include "panel_store.h"

/* Rows of a panel, from `first` on, for a tile. */
static inline NAME(rows) NAME(some_rows)(const NAME(panel) *panel, int32_t first) {
    const int32_t left = panel->rows - first;
    return (NAME(rows)){first, left < panel->together ? left : panel->together};
}

/* All of a panel, where vectors can finish its sums. */
static void NAME(vector_panel)(const NAME(panel) *panel, CODE *y) {
    const pq_conv2d *p = panel->p;
    sixteen sums[MOST_ROWS * MOST_BLOCKS];
    int32_t lacking[MOST_ROWS];
#if INTEGER && !HYBRID
    if (BYTES && FLIPPED) NAME(sum_rows)(panel, lacking);
#endif
    for (int32_t b = 0, together; b * BLOCK < panel->channels; b += together) {
        together = NAME(blocks_together)(panel, b);
        const bool direct = !INTEGER && p->fused && (b + together) * BLOCK <= panel->channels; /* tiles make what is wanted */
        const size_t stride = direct ? (size_t)p->out_channels * sizeof(CODE) : (size_t)together * 64;
        char *to = direct ? (char *)(y + b * BLOCK) : (char *)sums;
        for (NAME(rows) rows = {0, 0}; rows.first < panel->rows; rows.first += rows.count) {
            rows = NAME(some_rows)(panel, rows.first);
            const pq_sums some = {to + (size_t)rows.first * stride, stride, direct ? p->float_lo : -INFINITY, direct ? p->float_hi : INFINITY};
            NAME(multiply)(panel, rows, panel->cells, (const char *)panel->factors, b, together, direct || (INTEGER && !HYBRID), some);
        }
        const int32_t stored = together < NAME(STORED) ? together : NAME(STORED);
        for (int32_t block = b; block < b + together && !direct; block += stored)
            NAME(store)(panel, block, sums + (block - b), stored, lacking, y + block * BLOCK);
    }
}

#if INTEGER && !HYBRID
/* total[row][channel of the piece] += the sums of pieces of cells by factors. */
static void NAME(add_to)(const NAME(panel) *panel, pq_pieces cells, const char *factors, SUM *total) {
    sixteen sums[SUMS];
    for (int32_t b = 0, together; b * BLOCK < panel->channels; b += together) {
        together = NAME(blocks_together)(panel, b);
        const int32_t left = panel->channels - b * BLOCK, n = together * BLOCK < left ? together * BLOCK : left;
        for (NAME(rows) rows = {0, 0}; rows.first < panel->rows; rows.first += rows.count) {
            rows = NAME(some_rows)(panel, rows.first);
            NAME(multiply)(panel, rows, cells, factors, b, together, false, (pq_sums){sums, (size_t)together * 64, 0, 0});
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
    const int32_t most = sizeof(CODE) == 2 && !head->narrow ? 504 / GATHERED : INT32_MAX; /* 504 · 2^22 < 2^31 */
    pq_pieces cells = panel->cells;
    const char *factors = (const char *)panel->factors;
    SUM total[MOST_ROWS * PIECE];
    int32_t lacking[MOST_ROWS];
    NAME(sum_rows)(panel, lacking);
    for (int32_t i = 0; i < panel->rows; i++)
        for (int32_t c = 0; c < panel->channels; c++)
            total[i * PIECE + c] = (SUM)(((const pq_rescale *)panel->starts)[c / BLOCK].start[c % BLOCK] - lacking[i]);
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

/* One piece of the output channels for `rows` pixels from `pixel` on. */
static void NAME(make_panel)(const pq_conv2d *p, pq_pieces cells, CODE *y, const ORIGIN *origins, int32_t piece, int32_t pixel, int32_t rows) {
    const int32_t in_group = group_channels(p), group = piece / pieces_of_group(p), first = piece % pieces_of_group(p) * PIECE;
    const pq_panel_head *head = p->packed;
    const char *starts = (const char *)(head + 1), *weights = starts + (size_t)(p->groups * group_starts(p)) * START;
    const FACTOR *factors = (const FACTOR *)(weights + head->listed);
    const size_t block = (size_t)(p->filter_height * NAME(row_cells)(p)) * BLOCK;
    const int32_t tiles = rounded_up(rows, ROWS) / ROWS;
    NAME(panel) panel = {
        .p = p,
        .cells = cells,
        .factors = head->listed ? factors : factors + (size_t)(group * group_blocks(p) + first / BLOCK) * block,
        .block = block * sizeof(FACTOR),
        .lists = head->listed ? (const int32_t *)weights + first / BLOCK : NULL,
        .places = (const int32_t *)weights + group_blocks(p) + 1,
        .starts = starts + (size_t)(group * group_starts(p) + first / BLOCK) * START,
        .origins = origins,
        .rows = rows,
        .together = rounded_up(rows, tiles) / tiles,
        .channel = group * in_group + first,
        .channels = in_group - first < PIECE ? in_group - first : PIECE,
    };
    y += (size_t)pixel * (size_t)p->out_channels + (size_t)panel.channel;
#if INTEGER && !HYBRID
    if (!head->exact) {
        NAME(plain_panel)(&panel, y);
        return;
    }
#endif
    NAME(vector_panel)(&panel, y);
}

pq_kernel_function PQ_JOIN(NAME(conv2d), x86_avx2_long);

void FULL_NAME(conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_conv2d *p = step->params;
    if (!NAME(by_panels)(p)) {
        PQ_JOIN(NAME(conv2d), x86_avx2_long)(step, begin, end);
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
        for (int32_t i = 0; HYBRID && p->batch > 1 && i < n; i++) {
            if ((pixel + i) / in_image != known) origin = NAME(origin)(p, step->in[0], known = (pixel + i) / in_image);
            origins[i] = origin;
        }
        const int32_t piece = unit / pixels;
        const pq_pieces cells = NAME(cells_of)(p, step->in[0], origins, piece / pieces_of_group(p), pixel, n, &scratch);
        for (int32_t i = 0; i < pieces; i++) NAME(make_panel)(p, cells, step->out[0], origins, piece + i, pixel, n);
    }
}
#undef TYPE
