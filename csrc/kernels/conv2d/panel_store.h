/* Sums of conv2d's panels for one TYPE, by tiles, and the codes or real numbers that are made of them. The file that includes
 * panels.h defines `sixteen`, those sums in vectors, and STORE, the file that makes codes of them; vectors_<isa>.h has the vectors
 * of real numbers. */

/* Some pixels' cells with the piece of the output channels [channel, channel + channels) that they are to make. */
typedef struct {
    const pq_conv2d *p;
    pq_pieces cells;
    const FACTOR *factors;
    size_t block; /* bytes of the factors of a block */
    const int32_t *lists; /* where the lanes of each block, and of all, begin in `places` and the factors; NULL where all are there */
    const int32_t *places;
    const char *starts; /* from the first block on */
    const ORIGIN *origins; /* of each row; where all have the same, of the first */
    int32_t rows, together, channel, channels; /* together: rows of a tile */
} NAME(panel);

/* Some rows of a panel, at most ROWS. */
typedef struct {
    int32_t first, count;
} NAME(rows);

/* Sums of pieces of cells by the blocks [first, first + blocks), 64 bytes each; factors: those of the pieces in
 * the first block. started: from where each channel's sums start, else from 0. */
static void NAME(multiply)(const NAME(panel) *panel, NAME(rows) rows, pq_pieces cells, const char *factors, int32_t first,
                           int32_t blocks, bool started, pq_sums sums) {
    const pq_tiles *tiles = PQ_JOIN(TILES, TYPE);
    pq_tile *run = blocks > MOST_BLOCKS ? tiles->wide : tiles->of[blocks - 1][rows.count - 1];
    const char *start = started ? panel->starts + (size_t)first * START : NOTHING;
    cells.x += (size_t)rows.first * cells.stride;
    factors += (size_t)first * panel->block;
    if (panel->lists != NULL) {
        const int32_t *list = panel->lists + first;
        run = tiles->listed[rows.count - 1];
        factors = (const char *)panel->factors + (size_t)list[0] * 64;
        cells.places = panel->places + list[0];
        cells.lanes = list[1] - list[0];
    }
    run(&cells, factors, panel->block, start, started ? START : 0, &sums);
}

static inline int32_t NAME(blocks_together)(const NAME(panel) *panel, int32_t first) {
    const int32_t blocks = rounded_up(panel->channels, BLOCK) / BLOCK - first;
    if (panel->lists != NULL) return 1;
    return panel->rows == 1 && blocks >= WIDE_BLOCKS ? WIDE_BLOCKS : blocks > MOST_BLOCKS ? MOST_BLOCKS : blocks;
}

#if INTEGER && !HYBRID
/* What each row's sums lack, as weights are bytes, of unsigned ones with the top bit flipped. */
static void NAME(sum_rows)(const NAME(panel) *panel, int32_t *lacking) {
#if BYTES
    const pq_conv2d *p = panel->p;
    const int32_t zero = p->weight_zero - FLIPPED;
    const size_t pitch = panel->cells.segments > 1 ? panel->cells.pitch : (size_t)NAME(row_cells)(p);
    for (int32_t i = 0; i < panel->rows; i++) {
        const uint8_t *cells = (const uint8_t *)panel->cells.x + (size_t)i * panel->cells.stride;
        lacking[i] = zero == 0 ? 0 : zero * sum_of_bytes(cells, (size_t)p->filter_height, pitch, (size_t)NAME(row_terms)(p));
    }
#else
    memset(lacking, 0, (size_t)panel->rows * sizeof *lacking);
#endif
}

PQ_INLINE sixteen NAME(full)(sixteen sums, const int32_t *lacking, int32_t row) {
    return BYTES && FLIPPED ? less(sums, lacking[row]) : sums;
}

#include STORE
#else
enum { NAME(STORED) = WIDE_BLOCKS };

/* Make real numbers of the sums of a vector's channels, the first of them `first`, `stride` bytes from row to row, and store those
 * that there are. */
PQ_INLINE void NAME(store_vector)(const NAME(panel) *panel, int32_t first, const char *sums, size_t stride, const bool whole,
                                  const bool biased, CODE *y) {
    const pq_conv2d *p = panel->p;
    const int32_t channel = panel->channel + first, n = whole ? PQ_LANES : panel->channels - first;
    const pq_floats lo = PQ_MM(set1_ps)(p->float_lo), hi = PQ_MM(set1_ps)(p->float_hi);
    const pq_floats bias = biased ? pq_first_floats((const float *)p->bias + channel, n) : PQ_MM(setzero_ps)();
#if HYBRID
    const pq_ints starts = pq_ints_at(((const pq_rescale *)panel->starts)[first / BLOCK].start + first % BLOCK);
    const pq_floats scales = pq_first_floats(p->weight_scales + channel, n);
    pq_ints lacks = starts;
    pq_floats scale = scales, both = scales;
#endif
    for (int32_t i = 0; i < panel->rows; i++, sums += stride, y += p->out_channels) {
#if HYBRID
        if (i == 0 || p->batch > 1) { /* what all pixels of an image share */
            lacks = PQ_MM(mullo_epi32)(PQ_MM(set1_epi32)(NAME(x_zero)(panel->origins[i])), starts);
            scale = PQ_MM(set1_ps)(panel->origins[i].scale);
            both = PQ_MM(mul_ps)(scales, scale);
        }
        const pq_floats sum = PQ_MM(cvtepi32_ps)(PQ_MM(sub_epi32)(pq_ints_at(sums), lacks));
        const pq_floats real = p->stepwise ? PQ_MM(mul_ps)(PQ_MM(mul_ps)(sum, scales), scale) : PQ_MM(mul_ps)(sum, both);
#else
        const pq_floats real = PQ_MM(loadu_ps)((const float *)sums);
#endif
        const pq_floats above = PQ_MM(max_ps)(lo, biased ? PQ_MM(add_ps)(real, bias) : real); /* a NaN stays one */
        pq_put_floats(y, n, PQ_MM(min_ps)(hi, above));
    }
}

/* The same for some blocks, [row][block]. */
static void NAME(store)(const NAME(panel) *panel, int32_t first, const void *sums, int32_t blocks, const int32_t *lacking, CODE *y) {
    const bool biased = panel->p->bias != NULL;
    const char *from = sums;
    const int32_t end = (first + blocks) * BLOCK < panel->channels ? (first + blocks) * BLOCK : panel->channels;
    (void)lacking;
    for (int32_t c = first * BLOCK; c < end; c += PQ_LANES, from += sizeof(pq_floats), y += PQ_LANES) {
        const bool whole = end - c >= PQ_LANES;
        if (whole && biased) NAME(store_vector)(panel, c, from, (size_t)blocks * 64, true, true, y);
        else if (whole) NAME(store_vector)(panel, c, from, (size_t)blocks * 64, true, false, y);
        else NAME(store_vector)(panel, c, from, (size_t)blocks * 64, false, biased, y);
    }
}
#endif
