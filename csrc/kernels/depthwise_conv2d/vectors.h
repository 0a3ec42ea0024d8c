/* The loops of depthwise_conv2d by vectors of channels for one TYPE: each row of the output, block of channels by block.
 * To be included after the plain loops of generic.h. */
#include "types.h"
#include "taps.h"

#define SIGNED_CODES ((CODE)-1 < 0)
#define SUMS PQ_JOIN(PQ_SUMS, TYPE)

/* A block of channels [channel, channel + channels) for some output pixels. */
typedef struct {
    const pq_depthwise_conv2d *p;
    const char *packed;
    int32_t groups; /* of LANE taps */
    int32_t channel, channels;
} NAME(block);

#if PQ_JOIN(PQ_BYTES, TYPE)
/* Four taps of 64 channels -> four vectors of 16 channels, the taps of each side by side */
PQ_INLINE void NAME(interleave)(__m512i x[4], __m512i lanes[4]) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    _Pragma("GCC unroll 4") for (int i = 0; i < 4 && SIGNED_CODES; i++) x[i] = _mm512_xor_si512(x[i], flip);
    const __m512i a = _mm512_unpacklo_epi8(x[0], x[1]), b = _mm512_unpacklo_epi8(x[2], x[3]);
    const __m512i c = _mm512_unpackhi_epi8(x[0], x[1]), d = _mm512_unpackhi_epi8(x[2], x[3]);
    lanes[0] = _mm512_unpacklo_epi16(a, b), lanes[1] = _mm512_unpackhi_epi16(a, b);
    lanes[2] = _mm512_unpacklo_epi16(c, d), lanes[3] = _mm512_unpackhi_epi16(c, d);
}

/* zero: what weights with their top bit flipped lack */
PQ_INLINE __m512i NAME(add_products)(__m512i sums, __m512i lanes, __m512i factors, int32_t zero) {
    sums = _mm512_dpbusd_epi32(sums, lanes, factors);
    if (SIGNED_CODES || zero == 0) return sums;
    sums = _mm512_dpbusd_epi32(sums, lanes, _mm512_set1_epi8((char)(zero > 127 ? 127 : zero)));
    return zero > 127 ? _mm512_dpbusd_epi32(sums, lanes, _mm512_set1_epi8(1)) : sums;
}
#elif INTEGER
/* Two taps of 32 channels -> two vectors of 16 channels */
PQ_INLINE void NAME(interleave)(__m512i x[4], __m512i lanes[4]) {
    lanes[0] = _mm512_unpacklo_epi16(x[0], x[1]), lanes[1] = _mm512_unpackhi_epi16(x[0], x[1]);
}

PQ_INLINE __m512i NAME(add_products)(__m512i sums, __m512i lanes, __m512i factors, int32_t zero) {
    return (void)zero, _mm512_dpwssd_epi32(sums, lanes, factors);
}
#endif

/* The sums of VECTORS vectors of `pixels` pixels; taps[i · stride + t] is where pixel i finds its tap t. */
PQ_INLINE void NAME(accumulate)(const NAME(block) *block, const char *const *taps, size_t stride, int pixels, bool part,
                                SUMS sums[VECTORS][4]) {
    const char *factors = block->packed + NAME(start_size);
    const int32_t n = block->channels * (int32_t)sizeof(CODE);
#if !INTEGER
    _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) sums[v][0] = _mm512_setzero_ps();
    for (int32_t t = 0; t < block->groups; t++, factors += 64) {
        const __m512 factor = _mm512_loadu_ps(factors);
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) {
            const __m512i x = load_tap(taps + (size_t)(v * pixels) * stride + t, stride, pixels, part, n);
            sums[v][0] = _mm512_add_ps(sums[v][0], _mm512_mul_ps(_mm512_castsi512_ps(x), factor)); /* as the reference */
        }
    }
#else
    const pq_rescale *r = (const pq_rescale *)block->packed;
    _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++)
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) sums[v][a] = _mm512_loadu_si512(r[a].start);
    for (int32_t g = 0; g < block->groups; g++, taps += LANE, factors += 64 * LANE) {
        __m512i lanes[VECTORS][4];
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) {
            __m512i x[4];
            _Pragma("GCC unroll 4") for (int i = 0; i < LANE; i++)
                x[i] = load_tap(taps + (size_t)(v * pixels) * stride + i, stride, pixels, part, n);
            NAME(interleave)(x, lanes[v]);
        }
        _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++) {
            const __m512i factor = _mm512_loadu_si512(factors + 64 * a);
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)
                sums[v][a] = NAME(add_products)(sums[v][a], lanes[v][a], factor, 128 - block->p->weight_zero);
        }
    }
#endif
}

/* The codes of VECTORS vectors of sums. */
PQ_INLINE void NAME(codes)(const NAME(block) *block, bool wide, bool left, SUMS sums[VECTORS][4], __m512i codes[VECTORS]) {
    const pq_depthwise_conv2d *p = block->p;
#if !INTEGER
    (void)left, (void)wide;
    const __m512 bias = _mm512_loadu_ps(block->packed), lo = _mm512_set1_ps(p->float_lo), hi = _mm512_set1_ps(p->float_hi);
    _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)
        codes[v] = _mm512_castps_si512(_mm512_min_ps(hi, _mm512_max_ps(lo, _mm512_add_ps(sums[v][0], bias))));
#else
    const pq_rescale *r = (const pq_rescale *)block->packed;
    _Pragma("GCC unroll 4") for (int a = 0; a < LANE; a++) {
        const pq_rescale_vectors rescale = pq_rescale_load(&r[a], wide, left);
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++) sums[v][a] = pq_rescaled(sums[v][a], rescale, wide, left);
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

#if INTEGER
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
PQ_INLINE void NAME(vectors)(const NAME(block) *block, const char *const *taps, size_t stride, int pixels, bool part, int32_t count, CODE *y) {
    SUMS sums[VECTORS][4];
    __m512i codes[VECTORS];
    NAME(accumulate)(block, taps, stride, pixels, part, sums);
    const pq_taps_head *head = block->p->packed;
#if INTEGER
    if (!head->exact) {
        for (int32_t v = 0; v < VECTORS && v * pixels < count; v++, y += pixels * block->p->out_channels) {
            const int32_t left = count - v * pixels;
            NAME(store_plainly)(block, sums[v], CELLS / pixels, left < pixels ? left : pixels, y);
        }
        return;
    }
#endif
    if (sizeof(CODE) == 2 && block->p->wide) NAME(codes)(block, sizeof(CODE) == 2, false, sums, codes);
    else if (head->left) NAME(codes)(block, false, true, sums, codes);
    else NAME(codes)(block, false, false, sums, codes);
    const int32_t n = block->channels * (int32_t)sizeof(CODE);
    const size_t pixel = (size_t)block->p->out_channels * sizeof(CODE);
    _Pragma("GCC unroll 4") for (int32_t v = 0; v < VECTORS; v++) {
        const int32_t left = count - v * pixels;
        if (left > 0) store_pixels((char *)y + (size_t)(v * pixels) * pixel, pixel, codes[v], pixels, part, n, left < pixels ? left : pixels);
    }
}

/* Where an output pixel finds its taps in a block whose channels start at x; head->zero for those outside the image. */
static void NAME(find_taps)(const pq_depthwise_conv2d *p, const CODE *x, int32_t top, int32_t left, const char **taps) {
    const char *zero = (const char *)((const pq_taps_head *)p->packed)->zero;
    for (int32_t ky = 0; ky < p->filter_height; ky++) {
        const int32_t iy = top + ky * p->dilation_height;
        for (int32_t kx = 0; kx < p->filter_width; kx++) {
            const int32_t ix = left + kx * p->dilation_width;
            const bool inside = iy >= 0 && iy < p->height && ix >= 0 && ix < p->width;
            *taps++ = inside ? (const char *)(x + ((size_t)iy * (size_t)p->width + (size_t)ix) * (size_t)p->channels) : zero;
        }
    }
}

/* The output pixels [from, to) of one row of an image, whose first input row is `top`, for one block. */
PQ_INLINE void NAME(row)(const NAME(block) *block, const CODE *x, int32_t top, int32_t from, int32_t to, int pixels, bool part, CODE *y) {
    const pq_depthwise_conv2d *p = block->p;
    const char *zero = (const char *)((const pq_taps_head *)p->packed)->zero;
    const int32_t stride = block->groups * LANE, count = p->filter_height * p->filter_width;
    const char *taps[VECTORS * 4 * (MOST_TAPS + 4)];
    ptrdiff_t advance[MOST_TAPS];
    const int together = VECTORS * pixels;
    for (int32_t i = 0; i < together * stride; i++) taps[i] = zero;
    for (int32_t t = 0; t < count; t++) {
        const int32_t iy = top + t / p->filter_width * p->dilation_height;
        advance[t] = iy >= 0 && iy < p->height ? (ptrdiff_t)together * p->stride_width * p->channels * (ptrdiff_t)sizeof(CODE) : 0;
    }
    const int32_t last = p->width - (p->filter_width - 1) * p->dilation_width; /* a window inside starts before it */
    bool known[VECTORS * 4] = {false}; /* whether the taps of a pixel stand inside the image */
    for (int32_t ox = from; ox < to; ox += together, y += (size_t)together * (size_t)p->channels) {
        const int32_t there = to - ox < together ? to - ox : together;
        for (int32_t i = 0; i < there; i++) {
            const int32_t left = (ox + i) * p->stride_width - p->pad_left;
            const bool inside = left >= 0 && left < last;
            if (inside && known[i])
                for (int32_t t = 0; t < count; t++) taps[i * stride + t] += advance[t];
            else NAME(find_taps)(p, x, top, left, taps + i * stride);
            known[i] = inside;
        }
        NAME(vectors)(block, taps, (size_t)stride, pixels, part, there, y);
    }
}

void FULL_NAME(depthwise_conv2d)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_depthwise_conv2d *p = step->params;
    if (!by_vectors(p)) {
        PQ_JOIN(FULL_NAME(depthwise_conv2d), plain)(step, begin, end);
        return;
    }
    const int32_t groups = (p->filter_height * p->filter_width + LANE - 1) / LANE;
    for (int32_t unit = begin, n; unit < end; unit += n) {
        const int32_t image = unit / (p->out_height * p->out_width), from = unit % p->out_width;
        const int32_t top = unit / p->out_width % p->out_height * p->stride_height - p->pad_top;
        const int32_t to = p->out_width - from < end - unit ? p->out_width : from + end - unit;
        n = to - from;
        const CODE *x = (const CODE *)step->in[0] + (size_t)image * (size_t)p->height * (size_t)p->width * (size_t)p->channels;
        CODE *y = (CODE *)step->out[0] + (size_t)unit * (size_t)p->channels;
        NAME(block) block = {p, (const char *)p->packed + sizeof(pq_taps_head), groups, 0, 0};
        for (int32_t width; block.channel < p->channels; block.channel += width) {
            const int32_t left = p->channels - block.channel;
            width = block_width(left, CELLS);
            block.channels = left < width ? left : width;
            const CODE *from_x = x + block.channel;
            CODE *to_y = y + block.channel;
            if (width == CELLS && left >= width) NAME(row)(&block, from_x, top, from, to, 1, false, to_y);
            else if (width == CELLS) NAME(row)(&block, from_x, top, from, to, 1, true, to_y);
            else if (width == CELLS / 2 && left >= width) NAME(row)(&block, from_x, top, from, to, 2, false, to_y);
            else if (width == CELLS / 2) NAME(row)(&block, from_x, top, from, to, 2, true, to_y);
            else NAME(row)(&block, from_x, top, from, to, 4, true, to_y);
            block.packed += NAME(start_size) + (size_t)groups * (size_t)LANE * 64;
        }
    }
}
#undef SIGNED_CODES
#undef SUMS
#undef TYPE
