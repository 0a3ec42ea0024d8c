/* Codes of the sums of conv2d's panels for one TYPE, by the vectors of AVX-512. */

/* The sums of two vectors scaled, as words; they are those of one block or of two from `first` on. */
PQ_INLINE __m512i NAME(scaled)(const NAME(panel) *panel, const __m512i *sums, int32_t first, const int32_t blocks, const scaling how) {
    const pq_conv2d *p = panel->p;
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i scaled[2];
    for (int32_t i = 0; i < 2; i++) {
        const int32_t block = first + i % blocks, left = panel->channels - block * BLOCK;
        const double *real = p->real + panel->channel + block * BLOCK;
        if (how == BY_DOUBLES) scaled[i] = scaled_by_doubles(sums[i], real, left, p->lo - p->output_zero, p->hi - p->output_zero);
        else scaled[i] = pq_rescaled(sums[i], pq_rescale_load(&panel->rescale[block], how == WIDELY, true), how == WIDELY, how != WIDELY);
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

/* Scale the sums of one or two blocks, [row][block], and store the codes of n channels of each row. */
PQ_INLINE void NAME(store_rows)(const NAME(panel) *panel, int32_t first, const __m512i *sums, const int32_t blocks,
                                const scaling how, const int32_t *lacking, int32_t n, CODE *y) {
    enum { VECTORS = sizeof(CODE) == 2 ? 2 : 4 };
    const pq_conv2d *p = panel->p;
    const pq_rescale *r[2] = {panel->rescale + first, panel->rescale + first + blocks - 1};
    const __m512 real[2] = {_mm512_loadu_ps(r[0]->real), _mm512_loadu_ps(r[1]->real)}, tie[2] = {_mm512_loadu_ps(r[0]->tie), _mm512_loadu_ps(r[1]->tie)};
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi, sizeof(CODE));
    const int32_t together = VECTORS / blocks, out_channels = p->out_channels, rows = panel->rows;
    for (int32_t i = 0; i < rows; i += together, y += together * out_channels) {
        __m512i x[VECTORS], words[2];
        _Pragma("GCC unroll 4") for (int32_t j = 0; j < VECTORS; j++) {
            const int32_t row = i + j / blocks < rows ? i + j / blocks : rows - 1;
            x[j] = NAME(full)(sums[row * blocks + j % blocks], lacking, row);
        }
        __mmask16 near = how != BY_FLOATS;
        if (how == BY_FLOATS) {
            __m512i scaled[VECTORS];
            _Pragma("GCC unroll 4") for (int32_t j = 0; j < VECTORS; j++)
                scaled[j] = pq_rescaled_by_floats(x[j], real[j % 2], tie[j % 2], &near);
            _Pragma("GCC unroll 2") for (int32_t j = 0; j < VECTORS; j += 2) words[j / 2] = pq_upper_halves(scaled[j], scaled[j + 1]);
        }
        if (near)
            _Pragma("GCC unroll 2") for (int32_t j = 0; j < VECTORS; j += 2) words[j / 2] = NAME(scaled)(panel, x + j, first, blocks, how);
        store_shares(NAME(codes)(words, limits), blocks * BLOCK * (int32_t)sizeof(CODE), n * (int32_t)sizeof(CODE), rows - i, (char *)y, (size_t)out_channels * sizeof(CODE));
    }
}

/* As store_rows, for the scaling that a layer has. */
static void NAME(store)(const NAME(panel) *panel, int32_t first, const __m512i *sums, int32_t stride,
                        const int32_t *lacking, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_panel_head *head = p->packed;
    const int32_t n = panel->channels - first * BLOCK;
    const scaling how = p->real != NULL ? BY_DOUBLES : p->wide ? WIDELY : sizeof(CODE) == 1 && head->floats ? BY_FLOATS : EXACTLY;
    if (stride > 1 && how == BY_FLOATS) NAME(store_rows)(panel, first, sums, 2, BY_FLOATS, lacking, n, y);
    else if (how == BY_FLOATS) NAME(store_rows)(panel, first, sums, 1, BY_FLOATS, lacking, n, y);
    else if (stride > 1) NAME(store_rows)(panel, first, sums, 2, how, lacking, n, y);
    else NAME(store_rows)(panel, first, sums, 1, how, lacking, n, y);
}
