/* Sums of conv2d's panels for one TYPE, by tiles, and the codes or real numbers that are made of them. */

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
                lacks = _mm512_mullo_epi32(_mm512_set1_epi32(NAME(offset)(panel->origins[i])), starts);
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
