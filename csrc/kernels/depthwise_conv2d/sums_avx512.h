/* The sums of depthwise_conv2d for one TYPE, and their codes, by the vectors of AVX-512. */

#if BYTES
/* Four taps of 64 channels -> four vectors of 16 channels, the taps of each side by side */
PQ_INLINE void NAME(interleave)(__m512i x[4], __m512i lanes[4]) {
    const __m512i a = _mm512_unpacklo_epi8(x[0], x[1]), b = _mm512_unpacklo_epi8(x[2], x[3]);
    const __m512i c = _mm512_unpackhi_epi8(x[0], x[1]), d = _mm512_unpackhi_epi8(x[2], x[3]);
    lanes[0] = _mm512_unpacklo_epi16(a, b), lanes[1] = _mm512_unpackhi_epi16(a, b);
    lanes[2] = _mm512_unpacklo_epi16(c, d), lanes[3] = _mm512_unpackhi_epi16(c, d);
}

/* zero: what weights with their top bit flipped lack; taps: how many of the four there are */
PQ_INLINE __m512i NAME(add_products)(__m512i sums, __m512i lanes, __m512i factors, int32_t zero, int32_t taps) {
    sums = _mm512_dpbusd_epi32(sums, lanes, factors);
    if (SIGNED_CODES || zero == 0) return sums;
    const __m512i there = _mm512_set1_epi32(taps >= 4 ? -1 : (1 << 8 * taps) - 1);
    sums = _mm512_dpbusd_epi32(sums, lanes, _mm512_and_si512(there, _mm512_set1_epi8((char)(zero > 127 ? 127 : zero))));
    return zero > 127 ? _mm512_dpbusd_epi32(sums, lanes, _mm512_and_si512(there, _mm512_set1_epi8(1))) : sums;
}
#elif INTEGER
/* Two taps of 32 channels -> two vectors of 16 channels */
PQ_INLINE void NAME(interleave)(__m512i x[4], __m512i lanes[4]) {
    lanes[0] = _mm512_unpacklo_epi16(x[0], x[1]), lanes[1] = _mm512_unpackhi_epi16(x[0], x[1]);
}

PQ_INLINE __m512i NAME(add_products)(__m512i sums, __m512i lanes, __m512i factors, int32_t zero, int32_t taps) {
    return (void)zero, (void)taps, _mm512_dpwssd_epi32(sums, lanes, factors);
}
#endif

#if INTEGER
/* The sums of n vectors side by side, whose taps start at those places. */
PQ_INLINE void NAME(accumulate)(const NAME(block) *block, const char *const *taps, const int n, SUMS sums[VECTORS][4]) {
    const char *factors = block->packed + START_SIZE;
    const int32_t count = block->p->filter_height * block->p->filter_width;
    (void)count;
    _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++) {
#if HYBRID
        const __m512i start = _mm512_setzero_si512();
#else
        const __m512i start = _mm512_loadu_si512(((const pq_rescale *)block->packed)[a].start);
#endif
        _Pragma("GCC unroll 4") for (int v = 0; v < n; v++) sums[v][a] = start;
    }
    for (int32_t g = 0; g < block->groups; g++, factors += 64 * LANE, taps += LANE) {
        __m512i lanes[VECTORS][4];
        _Pragma("GCC unroll 4") for (int v = 0; v < n; v++) {
            __m512i x[4];
            _Pragma("GCC unroll 4") for (int i = 0; i < LANE; i++) x[i] = _mm512_loadu_si512(taps[i] + 64 * v);
            NAME(interleave)(x, lanes[v]);
        }
        _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++) {
            const __m512i factor = _mm512_loadu_si512(factors + 64 * a);
            _Pragma("GCC unroll 4") for (int v = 0; v < n; v++)
                sums[v][a] = NAME(add_products)(sums[v][a], lanes[v][a], factor, HYBRID ? 0 : 128 - block->p->weight_zero, count - g * LANE);
        }
    }
}
#else
PQ_INLINE void NAME(add_taps)(const NAME(block) *block, const char *const *taps, const int n, const bool fused, SUMS sums[VECTORS][4]) {
    const char *factors = block->packed + START_SIZE;
    _Pragma("GCC unroll 8") for (int v = 0; v < n; v++) sums[v][0] = _mm512_setzero_ps();
    for (int32_t t = 0; t < block->groups; t++, factors += 64) {
        const __m512 factor = _mm512_loadu_ps(factors);
        _Pragma("GCC unroll 8") for (int v = 0; v < n; v++) {
            const __m512 x = _mm512_loadu_ps(taps[t] + 64 * v);
            sums[v][0] = fused ? _mm512_fmadd_ps(x, factor, sums[v][0]) : _mm512_add_ps(sums[v][0], _mm512_mul_ps(x, factor));
        }
    }
}

PQ_INLINE void NAME(accumulate)(const NAME(block) *block, const char *const *taps, const int n, SUMS sums[VECTORS][4]) {
    if (block->p->fused) NAME(add_taps)(block, taps, n, true, sums);
    else NAME(add_taps)(block, taps, n, false, sums); /* as the reference */
}
#endif

#if !HYBRID
/* The codes of n vectors of sums. */
PQ_INLINE void NAME(codes)(const NAME(block) *block, SUMS sums[VECTORS][4], const int n, __m512i codes[VECTORS]) {
    const pq_depthwise_conv2d *p = block->p;
#if !INTEGER
    const __m512 bias = _mm512_loadu_ps(block->packed), lo = _mm512_set1_ps(p->float_lo), hi = _mm512_set1_ps(p->float_hi);
    _Pragma("GCC unroll 8") for (int v = 0; v < n; v++)
        codes[v] = _mm512_castps_si512(_mm512_min_ps(hi, _mm512_max_ps(lo, _mm512_add_ps(sums[v][0], bias))));
#else
    const pq_rescale *r = (const pq_rescale *)block->packed;
    const __m512i zero = _mm512_set1_epi16((int16_t)p->output_zero);
#if BYTES
    const __m512i lo = _mm512_set1_epi8((char)p->lo), hi = _mm512_set1_epi8((char)p->hi);
    _Pragma("GCC unroll 8") for (int v = 0; v < n; v++) {
        __mmask16 near = 0xFFFF;
        __m512i words[2] = {zero, zero};
        if (((const pq_taps_head *)p->packed)->floats) {
            near = 0;
            __m512i scaled[4];
            _Pragma("GCC unroll 4") for (int a = 0; a < 4; a++)
                scaled[a] = pq_rescaled_by_floats(sums[v][a], _mm512_loadu_ps(r[a].real), _mm512_loadu_ps(r[a].tie), &near);
            for (int i = 0; i < 2; i++) words[i] = pq_upper_halves_within(scaled[2 * i], scaled[2 * i + 1]);
        }
        if (near) {
            _Pragma("GCC unroll 4") for (int a = 0; a < 4; a++)
                sums[v][a] = pq_rescaled(sums[v][a], pq_rescale_load(&r[a], false, true), false, true);
            for (int i = 0; i < 2; i++) words[i] = _mm512_packs_epi32(sums[v][2 * i], sums[v][2 * i + 1]);
        }
        const __m512i low = _mm512_adds_epi16(words[0], zero), high = _mm512_adds_epi16(words[1], zero);
        codes[v] = SIGNED_CODES ? _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(low, high), lo), hi)
                                : _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(low, high), lo), hi);
    }
#else
    _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++) {
        const pq_rescale_vectors rescale = pq_rescale_load(&r[a], true, false);
        _Pragma("GCC unroll 8") for (int v = 0; v < n; v++) sums[v][a] = pq_rescaled(sums[v][a], rescale, true, false);
    }
    const __m512i lo = _mm512_set1_epi16((int16_t)p->lo), hi = _mm512_set1_epi16((int16_t)p->hi);
    _Pragma("GCC unroll 8") for (int v = 0; v < n; v++)
        codes[v] = _mm512_min_epi16(_mm512_max_epi16(_mm512_adds_epi16(_mm512_packs_epi32(sums[v][0], sums[v][1]), zero), lo), hi);
#endif
#endif
}

#endif

#if HYBRID
/* Real numbers of a vector of sums, in the order of cells: `count` pixels of width cells each. */
PQ_INLINE void NAME(store_reals)(const NAME(block) *block, const SUMS sums[4], int pixels, int32_t count, CODE *y) {
    const pq_depthwise_conv2d *p = block->p;
    const __m512i ab = _mm512_shuffle_i32x4(sums[0], sums[1], 0x44), AB = _mm512_shuffle_i32x4(sums[0], sums[1], 0xEE);
    const __m512i cd = _mm512_shuffle_i32x4(sums[2], sums[3], 0x44), CD = _mm512_shuffle_i32x4(sums[2], sums[3], 0xEE);
    const __m512i cells[4] = {_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xDD),
                              _mm512_shuffle_i32x4(AB, CD, 0x88), _mm512_shuffle_i32x4(AB, CD, 0xDD)};
    const __m512i offset = _mm512_set1_epi32(pq_dynamic_offset(block->origin));
    const __m512 scale = _mm512_set1_ps(block->origin.scale);
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
        const int32_t in_pixel = 4 / pixels, c = i % in_pixel * 16, left = block->channels - c, channel = block->channel + c;
        if (i / in_pixel >= count || left <= 0) continue;
        const __mmask16 mask = left >= 16 ? 0xFFFF : (__mmask16)((1 << left) - 1);
        const __m512i weights = _mm512_loadu_si512(block->packed + 64 * i);
        const __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(cells[i], _mm512_mullo_epi32(offset, weights)));
        const __m512 scales = _mm512_maskz_loadu_ps(mask, p->weight_scales + channel);
        __m512 real = p->stepwise ? _mm512_mul_ps(_mm512_mul_ps(sum, scales), scale) : _mm512_mul_ps(sum, _mm512_mul_ps(scales, scale));
        if (p->bias != NULL) real = _mm512_add_ps(real, _mm512_maskz_loadu_ps(mask, (const float *)p->bias + channel));
        real = _mm512_min_ps(_mm512_set1_ps(p->float_hi), _mm512_max_ps(_mm512_set1_ps(p->float_lo), real));
        _mm512_mask_storeu_ps(y + (size_t)(i / in_pixel) * (size_t)p->out_channels + c, mask, real);
    }
}
#endif
