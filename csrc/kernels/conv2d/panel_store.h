/* Sums of conv2d's panels for one TYPE, by tiles, and the codes or real numbers that are made of them. */

/* Some pixels' cells with the piece of the output channels [channel, channel + channels) that they are to make. */
typedef struct {
    const pq_conv2d *p;
    pq_pieces cells;
    const FACTOR *factors;
    const char *starts;
    const ORIGIN *origins; /* of each row; where all have the same, of the first */
    int32_t rows, channel, channels;
} NAME(panel);

/* Some rows of a panel, at most ROWS. */
typedef struct {
    int32_t first, count;
} NAME(rows);

/* Sums of pieces of cells by the blocks [first, first + blocks), 64 bytes each; factors: those of the pieces in
 * the first block. started: from where each channel's sums start, else from 0. */
static void NAME(multiply)(const NAME(panel) *panel, NAME(rows) rows, pq_pieces cells, const char *factors, int32_t first,
                           int32_t blocks, bool started, pq_sums sums) {
    const size_t block = (size_t)(panel->p->filter_height * NAME(row_cells)(panel->p)) * BLOCK * sizeof(FACTOR);
    const pq_tiles *tiles = PQ_JOIN(TILES, TYPE);
    pq_tile *run = blocks == WIDE_BLOCKS ? tiles->wide : tiles->of[blocks - 1][rows.count - 1];
    const char *start = started ? panel->starts + (size_t)first * START : NOTHING;
    cells.x += (size_t)rows.first * cells.stride;
    run(&cells, factors + (size_t)first * block, block, start, started ? START : 0, &sums);
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

enum { NAME(VECTORS) = sizeof(CODE) == 2 ? 2 : 4 }; /* of sums, whose codes are a vector */

/* The sums of two vectors scaled, as words; they are those of the block `first`, or of it and the next. */
PQ_INLINE __m512i NAME(scaled)(const NAME(panel) *panel, const __m512i *sums, int32_t first, int32_t blocks, const scaling how) {
    const pq_conv2d *p = panel->p;
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i scaled[2];
    for (int32_t i = 0; i < 2; i++) {
        const int32_t block = first + (blocks > 1 ? i : 0), left = panel->channels - block * BLOCK;
        const int32_t lo = p->lo - p->output_zero, hi = p->hi - p->output_zero;
        const pq_rescale *r = (const pq_rescale *)panel->starts + block;
        if (how == BY_DOUBLES) scaled[i] = scaled_by_doubles(sums[i], p->real + panel->channel + block * BLOCK, left, lo, hi);
        else if (how == WIDELY) scaled[i] = pq_rescaled(sums[i], pq_rescale_load(r, true, false), true, false);
        else scaled[i] = pq_rescaled(sums[i], pq_rescale_load(r, false, true), false, true);
    }
    return _mm512_permutexvar_epi64(order, _mm512_packs_epi32(scaled[0], scaled[1]));
}

/* The codes of a vector: of the scaled sums of two vectors, or of four where codes are bytes. */
PQ_INLINE __m512i NAME(codes)(const __m512i words[2], code_limits limits) {
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    const __m512i low = _mm512_adds_epi16(words[0], limits.zero);
    if (sizeof(CODE) == 2) return _mm512_min_epi16(_mm512_max_epi16(low, limits.lo), limits.hi);
    const __m512i high = _mm512_adds_epi16(words[1], limits.zero);
    const __m512i codes = (CODE)-1 < 0 ? _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(low, high), limits.lo), limits.hi)
                                       : _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(low, high), limits.lo), limits.hi);
    return _mm512_permutexvar_epi64(order, codes);
}

/* Scale the sums of one, two or four blocks, [row][block], and store the codes of n channels of each row. By floats, the vectors of
 * which some are not sure, a bit each. */
PQ_INLINE uint32_t NAME(store_rows)(const NAME(panel) *panel, int32_t rows, int32_t first, const __m512i *sums, const int32_t blocks,
                                    const scaling how, const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_rescale *r = (const pq_rescale *)panel->starts + first;
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi, sizeof(CODE));
    const int32_t together = NAME(VECTORS) / blocks, out_channels = p->out_channels;
    uint32_t unsure = 0;
    for (int32_t i = 0, bit = 0; i < rows; i += together, bit++, y += together * out_channels) {
        __m512i x[NAME(VECTORS)], words[2];
        __mmask16 near = 0;
        _Pragma("GCC unroll 4") for (int32_t j = 0; j < NAME(VECTORS); j++) {
            const int32_t row = i + j / blocks < rows ? i + j / blocks : rows - 1;
            x[j] = NAME(full)(sums[row * blocks + j % blocks], lacking, row);
            if (how == BY_FLOATS) x[j] = pq_rescaled_by_floats(x[j], _mm512_loadu_ps(r[j % blocks].real), _mm512_loadu_ps(r[j % blocks].tie), &near);
        }
        _Pragma("GCC unroll 2") for (int32_t j = 0; j < NAME(VECTORS); j += 2)
            words[j / 2] = how == BY_FLOATS ? pq_upper_halves(x[j], x[j + 1]) : NAME(scaled)(panel, x + j, first + j % blocks, blocks, how);
        store_shares(NAME(codes)(words, limits), blocks * BLOCK * (int32_t)sizeof(CODE), n * (int32_t)sizeof(CODE), rows - i, (char *)y,
                     (size_t)out_channels * sizeof(CODE));
        unsure |= (uint32_t)(near != 0) << bit;
    }
    return unsure;
}

/* The same for the scaling that a layer has, not by floats. */
static __attribute__((noinline)) void NAME(store_exactly)(const NAME(panel) *panel, int32_t rows, int32_t first, const __m512i *sums,
                                                          int32_t blocks, const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const scaling how = p->real != NULL ? BY_DOUBLES : EXACTLY;
    if (blocks == 1) NAME(store_rows)(panel, rows, first, sums, 1, p->wide && p->real == NULL ? WIDELY : how, lacking, n, y);
    else if (blocks == 4) NAME(store_rows)(panel, rows, first, sums, 4, how, lacking, n, y);
    else if (p->wide && p->real == NULL) NAME(store_rows)(panel, rows, first, sums, 2, WIDELY, lacking, n, y);
    else NAME(store_rows)(panel, rows, first, sums, 2, how, lacking, n, y);
}

/* The same by floats where they do. */
PQ_INLINE void NAME(store_by_floats)(const NAME(panel) *panel, int32_t rows, int32_t first, const __m512i *sums, const int32_t blocks,
                                     const int32_t *lacking, int32_t n, CODE *y) {
    uint32_t unsure = NAME(store_rows)(panel, rows, first, sums, blocks, BY_FLOATS, lacking, n, y);
    for (; unsure != 0; unsure &= unsure - 1) {
        const int32_t together = NAME(VECTORS) / blocks, i = __builtin_ctz(unsure) * together;
        const int32_t count = rows - i < together ? rows - i : together;
        NAME(store_exactly)(panel, count, first, sums + i * blocks, blocks, lacking + i, n, y + i * panel->p->out_channels);
    }
}

static void NAME(store)(const NAME(panel) *panel, NAME(rows) rows, int32_t first, const __m512i *sums, int32_t blocks,
                        const int32_t *lacking, CODE *y) {
    const pq_conv2d *p = panel->p;
    const int32_t n = panel->channels - first * BLOCK;
    lacking += rows.first;
    y += (size_t)rows.first * (size_t)p->out_channels;
    if (sizeof(CODE) == 2 || !((const pq_panel_head *)p->packed)->floats) NAME(store_exactly)(panel, rows.count, first, sums, blocks, lacking, n, y);
    else if (blocks == 4) NAME(store_by_floats)(panel, rows.count, first, sums, 4, lacking, n, y);
    else if (blocks == 2) NAME(store_by_floats)(panel, rows.count, first, sums, 2, lacking, n, y);
    else NAME(store_by_floats)(panel, rows.count, first, sums, 1, lacking, n, y);
}
#else
/* Make real numbers of the sums of a block, `stride` vectors from row to row, and store the first n of each row. */
PQ_INLINE void NAME(store_block)(const NAME(panel) *panel, NAME(rows) rows, int32_t block, const char *sums, int32_t stride,
                                 const bool whole, const bool biased, CODE *y) {
    const pq_conv2d *p = panel->p;
    const __m512 lo = _mm512_set1_ps(p->float_lo), hi = _mm512_set1_ps(p->float_hi);
    const int32_t channel = panel->channel + block * BLOCK;
    const __mmask16 mask = whole ? 0xFFFF : (__mmask16)((1 << (panel->channels - block * BLOCK)) - 1);
    const __m512 bias = biased ? _mm512_maskz_loadu_ps(mask, (const float *)p->bias + channel) : _mm512_setzero_ps();
#if HYBRID
    const __m512i starts = _mm512_loadu_si512(((const pq_rescale *)panel->starts)[block].start);
    const __m512 scales = _mm512_maskz_loadu_ps(mask, p->weight_scales + channel);
    __m512i lacks = starts;
    __m512 scale = scales, both = scales;
#endif
    for (int32_t i = rows.first; i < rows.first + rows.count; i++, sums += 64 * stride, y += p->out_channels) {
#if HYBRID
        if (i == rows.first || p->batch > 1) { /* what all pixels of an image share */
            const pq_dynamic origin = panel->origins[p->batch > 1 ? i : 0];
            lacks = _mm512_mullo_epi32(_mm512_set1_epi32(NAME(offset)(origin)), starts);
            scale = _mm512_set1_ps(origin.scale);
            both = _mm512_mul_ps(scales, scale);
        }
        const __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(sums), lacks));
        const __m512 real = p->stepwise ? _mm512_mul_ps(_mm512_mul_ps(sum, scales), scale) : _mm512_mul_ps(sum, both);
#else
        const __m512 real = _mm512_loadu_ps(sums);
#endif
        const __m512 above = _mm512_max_ps(lo, biased ? _mm512_add_ps(real, bias) : real); /* a NaN stays one */
        if (whole) _mm512_storeu_ps(y, _mm512_min_ps(hi, above));
        else _mm512_mask_storeu_ps(y, mask, _mm512_min_ps(hi, above));
    }
}

/* The same for some blocks, [row][block]. */
static void NAME(store)(const NAME(panel) *panel, NAME(rows) rows, int32_t first, const void *sums, int32_t blocks,
                        const int32_t *lacking, CODE *y) {
    const bool biased = panel->p->bias != NULL;
    (void)lacking;
    y += (size_t)rows.first * (size_t)panel->p->out_channels;
    for (int32_t b = first; b < first + blocks && b * BLOCK < panel->channels; b++, sums = (const char *)sums + 64, y += BLOCK) {
        const bool whole = panel->channels - b * BLOCK >= BLOCK;
        if (whole && biased) NAME(store_block)(panel, rows, b, sums, blocks, true, true, y);
        else if (whole) NAME(store_block)(panel, rows, b, sums, blocks, true, false, y);
        else NAME(store_block)(panel, rows, b, sums, blocks, false, biased, y);
    }
}
#endif
