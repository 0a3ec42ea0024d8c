/* Codes of the sums of conv2d's panels for one TYPE, by the vectors of AVX-512. */

/* VECTORS: of sums, whose codes are a vector. STORED: blocks of a single row that are stored at once. */
enum { NAME(VECTORS) = sizeof(CODE) == 2 ? 2 : 4, NAME(STORED) = NAME(VECTORS) };

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
PQ_INLINE uint64_t NAME(store_rows)(const NAME(panel) *panel, int32_t rows, int32_t first, const __m512i *sums, const int32_t blocks,
                                    const scaling how, const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_rescale *r = (const pq_rescale *)panel->starts + first;
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi, sizeof(CODE));
    const int32_t together = NAME(VECTORS) / blocks, out_channels = p->out_channels;
    uint64_t unsure = 0;
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
        unsure |= (uint64_t)(near != 0) << bit;
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
    uint64_t unsure = NAME(store_rows)(panel, rows, first, sums, blocks, BY_FLOATS, lacking, n, y);
    for (; unsure != 0; unsure &= unsure - 1) {
        const int32_t together = NAME(VECTORS) / blocks, i = __builtin_ctzll(unsure) * together;
        const int32_t count = rows - i < together ? rows - i : together;
        NAME(store_exactly)(panel, count, first, sums + i * blocks, blocks, lacking + i, n, y + i * panel->p->out_channels);
    }
}

static void NAME(store)(const NAME(panel) *panel, int32_t first, const __m512i *sums, int32_t blocks,
                        const int32_t *lacking, CODE *y) {
    const pq_conv2d *p = panel->p;
    const int32_t n = panel->channels - first * BLOCK;
    if (sizeof(CODE) == 2 || !((const pq_panel_head *)p->packed)->floats) NAME(store_exactly)(panel, panel->rows, first, sums, blocks, lacking, n, y);
    else if (blocks == 4) NAME(store_by_floats)(panel, panel->rows, first, sums, 4, lacking, n, y);
    else if (blocks == 2) NAME(store_by_floats)(panel, panel->rows, first, sums, 2, lacking, n, y);
    else NAME(store_by_floats)(panel, panel->rows, first, sums, 1, lacking, n, y);
}
