/* Sums of depthwise_conv2d for one TYPE by vectors of channels, and what is made of them and stored. */

/* A block of channels [channel, channel + channels) for some output pixels. */
typedef struct {
    const pq_depthwise_conv2d *p;
    const char *packed;
    int32_t groups; /* of LANE taps */
    int32_t channel, channels;
    ORIGIN origin;
    const char *zero; /* zero terms of a pixel and more */
    int32_t first_inside, end_inside; /* output pixels of a row whose taps are inside the image */
    const char *inside[MOST_TAPS + 4]; /* taps of the first of them, in the first channel */
    const char *outside[MOST_OUTSIDE]; /* those of the others, one after the other */
    const CELL *rows[MOST_TAPS]; /* of the image, for each row of the filter; NULL for those outside */
    bool every_row;              /* none is outside */
    ptrdiff_t step[MOST_TAPS + 4]; /* from a pixel's taps inside the image to those of the next: 0 for rows outside */
} NAME(block);

#if PQ_JOIN(PQ_BYTES, TYPE)
/* Four taps of 64 channels -> four vectors of 16 channels, the taps of each side by side */
PQ_INLINE void NAME(interleave)(__m512i x[4], __m512i lanes[4]) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    _Pragma("GCC unroll 4") for (int i = 0; i < 4 && SIGNED_CODES && !HYBRID; i++) x[i] = _mm512_xor_si512(x[i], flip);
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

/* The sums of VECTORS vectors of `pixels` pixels. */
PQ_INLINE void NAME(accumulate)(const NAME(block) *block, tap_places taps, int pixels, lie lie,
                                SUMS sums[VECTORS][4]) {
    const char *factors = block->packed + NAME(start_size);
    const int32_t n = block->channels * (int32_t)sizeof(CELL), count = block->p->filter_height * block->p->filter_width;
    (void)count;
#if !INTEGER
    _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) sums[v][0] = _mm512_setzero_ps();
    for (int32_t t = 0; t < block->groups; t++, factors += 64) {
        const __m512 factor = _mm512_loadu_ps(factors);
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) {
            const __m512i x = load_tap(taps, (size_t)(v * pixels), t, pixels, lie, n);
            sums[v][0] = _mm512_add_ps(sums[v][0], _mm512_mul_ps(_mm512_castsi512_ps(x), factor)); /* as the reference */
        }
    }
#else
    _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++) {
#if HYBRID
        const __m512i start = _mm512_setzero_si512();
#else
        const __m512i start = _mm512_loadu_si512(((const pq_rescale *)block->packed)[a].start);
#endif
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) sums[v][a] = start;
    }
    for (int32_t g = 0; g < block->groups; g++, factors += 64 * LANE) {
        __m512i lanes[VECTORS][4];
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) {
            __m512i x[4];
            _Pragma("GCC unroll 4") for (int i = 0; i < LANE; i++)
                x[i] = load_tap(taps, (size_t)(v * pixels), g * LANE + i, pixels, lie, n);
            NAME(interleave)(x, lanes[v]);
        }
        _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++) {
            const __m512i factor = _mm512_loadu_si512(factors + 64 * a);
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)
                sums[v][a] = NAME(add_products)(sums[v][a], lanes[v][a], factor, HYBRID ? 0 : 128 - block->p->weight_zero, count - g * LANE);
        }
    }
#endif
}

#if !INTEGER
/* The sums of VECTORS pixels side by side, inside the image, for filter rows of `width` taps: a column that several pixels meet
 * is loaded once. */
PQ_INLINE void NAME(slide)(const NAME(block) *block, const char *const *taps, ptrdiff_t step, int width, lie lie, SUMS sums[VECTORS][4]) {
    const char *factors = block->packed + NAME(start_size);
    const int32_t n = block->channels * (int32_t)sizeof(CELL);
    const __mmask16 mask = lie == PARTIAL ? (__mmask16)((1u << n / 4) - 1) : 0xFFFF;
    _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) sums[v][0] = _mm512_setzero_ps();
    for (int32_t ky = 0; ky < block->p->filter_height; ky++, factors += 64 * width) {
        if (block->rows[ky] == NULL) continue;
        const char *x = taps[ky * width];
        __m512 columns[VECTORS + 4];
        _Pragma("GCC unroll 8") for (int i = 0; i < VECTORS + width - 1; i++) columns[i] = _mm512_maskz_loadu_ps(mask, x + i * step);
        _Pragma("GCC unroll 5") for (int kx = 0; kx < width; kx++) {
            const __m512 factor = _mm512_loadu_ps(factors + 64 * kx);
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)
                sums[v][0] = _mm512_add_ps(sums[v][0], _mm512_mul_ps(columns[v + kx], factor));
        }
    }
}
#endif

#if !HYBRID
/* The codes of VECTORS vectors of sums. */
PQ_INLINE void NAME(codes)(const NAME(block) *block, SUMS sums[VECTORS][4], __m512i codes[VECTORS]) {
    const pq_depthwise_conv2d *p = block->p;
#if !INTEGER
    const __m512 bias = _mm512_loadu_ps(block->packed), lo = _mm512_set1_ps(p->float_lo), hi = _mm512_set1_ps(p->float_hi);
    _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)
        codes[v] = _mm512_castps_si512(_mm512_min_ps(hi, _mm512_max_ps(lo, _mm512_add_ps(sums[v][0], bias))));
#else
    const pq_rescale *r = (const pq_rescale *)block->packed;
    if (sizeof(CODE) == 1 && ((const pq_taps_head *)p->packed)->left)
        _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++)
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)
                sums[v][a] = _mm512_sllv_epi32(sums[v][a], _mm512_loadu_si512(r[a].left));
    _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++) {
        const pq_rescale_vectors rescale = pq_rescale_load(&r[a], sizeof(CODE) == 2, false);
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) sums[v][a] = pq_rescaled(sums[v][a], rescale, sizeof(CODE) == 2, false);
    }
    const __m512i zero = _mm512_set1_epi16((int16_t)p->output_zero);
#if PQ_JOIN(PQ_BYTES, TYPE)
    const __m512i lo = _mm512_set1_epi8((char)p->lo), hi = _mm512_set1_epi8((char)p->hi);
    _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) {
        const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(sums[v][0], sums[v][1]), zero);
        const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(sums[v][2], sums[v][3]), zero);
        codes[v] = SIGNED_CODES ? _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(low, high), lo), hi)
                                : _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(low, high), lo), hi);
    }
#else
    const __m512i lo = _mm512_set1_epi16((int16_t)p->lo), hi = _mm512_set1_epi16((int16_t)p->hi);
    _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)
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
#elif INTEGER
/* Where a scaling is none that vectors do: channel by channel. */
static void NAME(store_plainly)(const NAME(block) *block, const SUMS *vectors, int32_t width, int32_t count, CODE *y) {
    int32_t sums[4 * RESCALED];
    SUM row[CELLS];
    memcpy(sums, vectors, sizeof(SUMS) * (size_t)LANE);
    for (int32_t i = 0; i < count; i++, y += block->p->out_channels) {
        for (int32_t c = 0; c < block->channels; c++) {
            const int32_t cell = i * width + c;
            row[c] = (SUM)sums[tap_acc(cell, LANE) * RESCALED + tap_lane(cell, LANE)];
        }
        NAME(finish)(block->p, (ORIGIN)0, block->channel, block->channels, row, y);
    }
}
#endif

/* The first `count` of VECTORS · pixels output pixels. */
PQ_INLINE void NAME(vectors)(const NAME(block) *block, tap_places taps, int pixels, lie lie, int32_t count, CODE *y) {
    SUMS sums[VECTORS][4];
#if !INTEGER
    const bool slides = pixels == 1 && taps.stride == 0 && block->p->stride_width == 1 && block->p->dilation_width == 1;
    if (slides && block->p->filter_width == 3) NAME(slide)(block, taps.first, taps.step, 3, lie, sums);
    else if (slides && block->p->filter_width == 5) NAME(slide)(block, taps.first, taps.step, 5, lie, sums);
    else
#endif
        NAME(accumulate)(block, taps, pixels, lie, sums);
#if HYBRID
    _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++, y += pixels * block->p->out_channels)
        NAME(store_reals)(block, sums[v], pixels, count - v * pixels, y);
#else
    __m512i codes[VECTORS];
#if INTEGER
    if (!((const pq_taps_head *)block->p->packed)->exact) {
        for (int32_t v = 0; v < VECTORS && v * pixels < count; v++, y += pixels * block->p->out_channels) {
            const int32_t left = count - v * pixels;
            NAME(store_plainly)(block, sums[v], CELLS / pixels, left < pixels ? left : pixels, y);
        }
        return;
    }
#endif
    NAME(codes)(block, sums, codes);
    const int32_t n = block->channels * (int32_t)sizeof(CODE);
    const size_t pixel = (size_t)block->p->out_channels * sizeof(CODE);
    _Pragma("GCC unroll 4") for (int32_t v = 0; v < VECTORS; v++) {
        const int32_t left = count - v * pixels;
        if (left > 0) store_pixels((char *)y + (size_t)(v * pixels) * pixel, pixel, codes[v], pixels, lie, n, left < pixels ? left : pixels);
    }
#endif
}

/* The same, once for each way that pixels lie; pixels may be known where it is compiled. */
typedef void NAME(run)(const NAME(block) *block, const tap_places *taps, int32_t pixels, int32_t count, CODE *y);

#define RUN(name, pixels, lie)                                                                                                  \
    static __attribute__((noinline)) void NAME(name)(const NAME(block) *block, const tap_places *taps, int32_t any, int32_t count, \
                                                     CODE *y) {                                                                 \
        (void)any;                                                                                                              \
        NAME(vectors)(block, *taps, pixels, lie, count, y);                                                                     \
    }
RUN(one_entire, 1, ENTIRE)
RUN(one_partial, 1, PARTIAL)
RUN(two_entire, 2, ENTIRE)
RUN(two_partial, 2, PARTIAL)
RUN(four_entire, 4, ENTIRE)
RUN(four_partial, 4, PARTIAL)
RUN(single, any, SINGLE)
#if !HYBRID
RUN(joined, any, JOINED)
RUN(eight_entire, 8, ENTIRE)
RUN(eight_partial, 8, PARTIAL)
#endif
#undef RUN
