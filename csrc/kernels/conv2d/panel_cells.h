/* The cells of conv2d's panels for one TYPE: the terms of output pixels, gathered from the image where it does not have them
 * side by side. */

/* Zero terms. */
PQ_INLINE void NAME(fill)(int32_t n, CELL zero, CELL *cells) {
    for (int32_t i = 0; i < n; i++) cells[i] = zero;
}

/* Make the cells of one filter row of an output pixel, whose image has its row at x; it starts at column `left`. */
PQ_INLINE void NAME(gather_row)(const pq_conv2d *p, const CODE *x, ORIGIN origin, int32_t left, bool inside, CELL zero, CELL *cells) {
    const int32_t depth = group_depth(p), width = p->filter_width;
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
    const int32_t depth = group_depth(p), row = NAME(row_terms)(p);
    const ptrdiff_t row_size = (ptrdiff_t)p->width * p->channels, image_size = p->height * row_size;
    const ptrdiff_t step = (ptrdiff_t)p->stride_width * p->channels; /* from an output pixel to the next one */
    const int32_t last = p->width - p->filter_width; /* where a window inside the image starts at most */
    int32_t image = pixel / (p->out_height * p->out_width);
    int32_t oy = pixel / p->out_width % p->out_height, ox = pixel % p->out_width;
    for (int32_t i = 0, run; i < pixels; i += run, cells += (ptrdiff_t)run * stride) {
        const int32_t top = oy * p->stride_height - p->pad_top, left = ox * p->stride_width - p->pad_left;
        const CODE *from = x + image * image_size + group * depth;
        const ORIGIN origin = origins[HYBRID && p->batch > 1 ? i : 0];
        const CELL zero = (CELL)NAME(x_zero)(origin);
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

/* Whether a panel is made of the pixels of one row of the output: then its rows of the image, which overlap, are its cells. */
static inline bool NAME(by_rows)(const pq_conv2d *p) {
    const int32_t most = p->out_width < MOST_ROWS ? p->out_width : MOST_ROWS;
    const int64_t columns = (int64_t)(most - 1) * p->stride_width + p->filter_width;
    return !pointwise(p) && p->groups == 1 && p->dilation_width == 1 && p->out_width >= FEWEST_COLUMNS &&
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
    const CELL zero = (CELL)NAME(x_zero)(origin);
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
    return (pq_pieces){(const char *)cells, stride, p->filter_height, pitch * sizeof(CELL), NAME(row_cells)(p) / GATHERED, NULL};
}

/* The cells of `rows` pixels from `pixel` on; made in the scratch, where the image does not have them. */
static pq_pieces NAME(cells_of)(const pq_conv2d *p, const CODE *x, const ORIGIN *origins, int32_t group, int32_t pixel, int32_t rows,
                             NAME(scratch) *scratch) {
    CELL *cells = scratch->cells;
    const int32_t padded = p->filter_height * NAME(row_cells)(p);
    const CODE *from = x + (size_t)pixel * (size_t)p->channels;
    pq_pieces all = {(const char *)cells, (size_t)padded * sizeof(CELL), 1, 0, padded / GATHERED, NULL};
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
