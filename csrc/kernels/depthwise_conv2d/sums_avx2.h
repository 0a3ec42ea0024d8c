/* The sums of depthwise_conv2d for one TYPE, and their codes, by the vectors of AVX2. */

#if INTEGER
/* The sums of n vectors side by side, whose taps start at those places. */
PQ_INLINE void NAME(accumulate)(const NAME(block) *block, const char *const *taps, const int n, SUMS sums[VECTORS][4]) {
    const char *factors = block->packed + START_SIZE;
    for (int a = 0; a < LANE; a++)
        for (int v = 0; v < n; v++)
            for (int i = 0; i < 2; i++)
                sums[v][a].part[i] = HYBRID ? _mm256_setzero_si256() : pq_ints_at(((const pq_rescale *)block->packed)[a].start + 8 * i);
    for (int32_t g = 0; g < block->groups; g++, factors += 64 * LANE, taps += LANE)
        _Pragma("GCC unroll 2") for (int v = 0; v < n; v++)
            _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++) {
                const pq_ints x = pq_ints_at(taps[0] + 64 * v + 32 * i), next = pq_ints_at(taps[1] + 64 * v + 32 * i);
                const pq_ints low = _mm256_madd_epi16(_mm256_unpacklo_epi16(x, next), pq_ints_at(factors + 32 * i));
                const pq_ints high = _mm256_madd_epi16(_mm256_unpackhi_epi16(x, next), pq_ints_at(factors + 64 + 32 * i));
                sums[v][0].part[i] = _mm256_add_epi32(sums[v][0].part[i], low);
                sums[v][1].part[i] = _mm256_add_epi32(sums[v][1].part[i], high);
            }
}
#else
PQ_INLINE void NAME(add_taps)(const NAME(block) *block, const char *const *taps, const int n, const bool fused, SUMS sums[VECTORS][4]) {
    const char *factors = block->packed + START_SIZE;
    for (int v = 0; v < n; v++) sums[v][0].part[0] = sums[v][0].part[1] = _mm256_setzero_ps();
    for (int32_t t = 0; t < block->groups; t++, factors += 64)
        _Pragma("GCC unroll 4") for (int v = 0; v < n; v++)
            _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++) {
                const pq_floats x = _mm256_loadu_ps((const float *)(taps[t] + 64 * v) + 8 * i);
                const pq_floats factor = _mm256_loadu_ps((const float *)factors + 8 * i), sum = sums[v][0].part[i];
                sums[v][0].part[i] = fused ? _mm256_fmadd_ps(x, factor, sum) : _mm256_add_ps(sum, _mm256_mul_ps(x, factor));
            }
}

PQ_INLINE void NAME(accumulate)(const NAME(block) *block, const char *const *taps, const int n, SUMS sums[VECTORS][4]) {
    if (block->p->fused) NAME(add_taps)(block, taps, n, true, sums);
    else NAME(add_taps)(block, taps, n, false, sums); /* as the reference */
}
#endif

#if HYBRID
/* Real numbers of a vector of sums, in the order of cells: `count` pixels of width cells each. */
PQ_INLINE void NAME(store_reals)(const NAME(block) *block, const SUMS sums[4], int pixels, int32_t count, CODE *y) {
    const pq_depthwise_conv2d *p = block->p;
    const pq_floats scale = _mm256_set1_ps(block->origin.scale);
    for (int32_t i = 0; i < 4; i++) {
        const int32_t in_pixel = 4 / pixels, c = i % in_pixel * 8, left = block->channels - c, channel = block->channel + c;
        if (i / in_pixel >= count || left <= 0) continue;
        const pq_ints a = sums[0].part[i / 2], b = sums[1].part[i / 2];
        const pq_floats sum = _mm256_cvtepi32_ps(i % 2 ? _mm256_permute2x128_si256(a, b, 0x31) : _mm256_permute2x128_si256(a, b, 0x20));
        const pq_floats scales = pq_first_floats(p->weight_scales + channel, left);
        pq_floats real = p->stepwise ? _mm256_mul_ps(_mm256_mul_ps(sum, scales), scale) : _mm256_mul_ps(sum, _mm256_mul_ps(scales, scale));
        if (p->bias != NULL) real = _mm256_add_ps(real, pq_first_floats((const float *)p->bias + channel, left));
        real = _mm256_min_ps(_mm256_set1_ps(p->float_hi), _mm256_max_ps(_mm256_set1_ps(p->float_lo), real));
        pq_put_floats(y + (size_t)(i / in_pixel) * (size_t)p->out_channels + c, left, real);
    }
}
#else
/* The codes of n vectors of sums. */
PQ_INLINE void NAME(codes)(const NAME(block) *block, SUMS sums[VECTORS][4], const int n, vector codes[VECTORS]) {
    const pq_depthwise_conv2d *p = block->p;
#if !INTEGER
    const pq_floats lo = _mm256_set1_ps(p->float_lo), hi = _mm256_set1_ps(p->float_hi);
    for (int v = 0; v < n; v++)
        for (int i = 0; i < 2; i++) {
            const pq_floats sum = _mm256_add_ps(sums[v][0].part[i], _mm256_loadu_ps((const float *)block->packed + 8 * i));
            codes[v].part[i] = _mm256_castps_si256(_mm256_min_ps(hi, _mm256_max_ps(lo, sum)));
        }
#else
    const bool wide = sizeof(CODE) == 2;
    for (int a = 0; a < LANE; a++) {
        const pq_rescale_vectors rescale = pq_rescale_load((const pq_rescale *)block->packed + a, wide, !wide);
        for (int v = 0; v < n; v++) sums[v][a] = pq_rescaled(sums[v][a], rescale, wide, !wide);
    }
    const pq_code_limits limits = pq_limits_of(p->output_zero, p->lo, p->hi);
    for (int v = 0; v < n; v++) {
        /* a word holds a code in the order of cells */
        for (int i = 0; i < 2; i++)
            codes[v].part[i] = pq_clamped((pq_two_vectors){{sums[v][0].part[i], sums[v][1].part[i]}}, limits);
        if (!wide) codes[v].part[0] = _mm256_permute4x64_epi64(pq_low_bytes(codes[v].part[0], codes[v].part[1]), 0xD8);
    }
#endif
}
#endif
