/* Codes of the sums of conv2d's panels for one TYPE, by the vectors of AVX2. */

enum { NAME(STORED) = 2 }; /* blocks of a single row that are stored at once */

/* Scale the sums of two blocks, `stride` vectors from row to row, and store the codes of n channels of each row. */
PQ_INLINE void NAME(store_pair)(const NAME(panel) *panel, const pq_rescale *r, const sixteen *sums, int32_t stride, bool wide,
                                const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_rescale_vectors a = pq_rescale_load(&r[0], wide, !wide), b = pq_rescale_load(&r[1], wide, !wide);
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi);
    const int32_t out_channels = p->out_channels;
    for (int32_t i = 0; i < panel->rows; i++, sums += stride, y += out_channels) {
        const sixteen first = pq_rescaled(NAME(full)(sums[0], lacking, i), a, wide, !wide);
        const sixteen second = pq_rescaled(NAME(full)(sums[1], lacking, i), b, wide, !wide);
        store_codes(first, second, limits, n, sizeof(CODE) == 2, y);
    }
}

/* The same by doubles. */
PQ_INLINE void NAME(store_real)(const NAME(panel) *panel, int32_t first, const sixteen *sums, int32_t stride,
                                const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi);
    const double lo = p->lo - p->output_zero, hi = p->hi - p->output_zero, *real = p->real + panel->channel + first * BLOCK;
    for (int32_t i = 0; i < panel->rows; i++, sums += stride, y += p->out_channels) {
        sixteen scaled[2];
        for (int32_t b = 0; b < 2; b++)
            scaled[b] = scaled_by_doubles(NAME(full)(sums[stride > 1 ? b : 0], lacking, i), real + b * BLOCK, n - b * BLOCK, lo, hi);
        store_codes(scaled[0], scaled[1], limits, n, sizeof(CODE) == 2, y);
    }
}

/* The same where there is one block only: two rows at a time. */
PQ_INLINE void NAME(store_single)(const NAME(panel) *panel, const pq_rescale *r, const sixteen *sums, bool wide,
                                  const int32_t *lacking, int32_t n, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_rescale_vectors v = pq_rescale_load(r, wide, !wide);
    const code_limits limits = limits_of(p->output_zero, p->lo, p->hi);
    const int32_t out_channels = p->out_channels;
    for (int32_t i = 0; i < panel->rows; i += 2, y += 2 * out_channels) {
        const int32_t next = i + 1 < panel->rows ? i + 1 : i;
        const sixteen first = pq_rescaled(NAME(full)(sums[i], lacking, i), v, wide, !wide);
        const sixteen second = pq_rescaled(NAME(full)(sums[next], lacking, next), v, wide, !wide);
        store_two_rows(first, second, limits, n, sizeof(CODE) == 2, y, next == i ? NULL : y + out_channels);
    }
}

/* As store_pair, for the scaling that a layer has. */
static void NAME(store)(const NAME(panel) *panel, int32_t first, const sixteen *sums, int32_t stride,
                        const int32_t *lacking, CODE *y) {
    const pq_conv2d *p = panel->p;
    const pq_rescale *r = (const pq_rescale *)panel->starts + first;
    const int32_t most = stride > 1 ? 2 * BLOCK : BLOCK, there = panel->channels - first * BLOCK, n = there < most ? there : most;
    const bool wide = sizeof(CODE) == 2;
    if (p->real != NULL) NAME(store_real)(panel, first, sums, stride, lacking, n, y);
    else if (stride == 1 && wide && p->wide) NAME(store_single)(panel, r, sums, wide, lacking, n, y);
    else if (stride == 1) NAME(store_single)(panel, r, sums, false, lacking, n, y);
    else if (wide && p->wide) NAME(store_pair)(panel, r, sums, stride, wide, lacking, n, y);
    else NAME(store_pair)(panel, r, sums, stride, false, lacking, n, y);
}
