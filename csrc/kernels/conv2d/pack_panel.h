/* Packs conv2d's weights of one TYPE as panel.h says. */
#include "types.h"
#include "panel.h"

#ifndef PQ_CONV2D_PACK_PANEL_H
#define PQ_CONV2D_PACK_PANEL_H
/* Of 16 lanes at most so many are there of those that it pays to list, of as many as make their list smaller than what is left out. */
enum { LISTED_OF_16 = 11, LOOKED_AT = 2, FEWEST_LANES = 16, MOST_LANES = 8192 };
enum { SHORT_SUM = 256 }; /* terms below 2^8 whose sum has 16 bits, where wider sums take far longer */

#if BYTES && defined(__SSE2__)
/* Sixteen bytes of four rows, each `pitch` after the other, with the bits of `flipped` turned: their four lanes, each of all rows, into
 * four vectors of 64 bytes. */
static inline void put_16_of_4(const void *rows, int32_t pitch, int8_t *to, int32_t flipped) {
    const char *row = rows;
    __m128i x[4];
    for (int32_t i = 0; i < 4; i++, row += pitch)
        x[i] = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)row), _mm_set1_epi8((char)flipped));
    const __m128i low = _mm_unpacklo_epi32(x[0], x[1]), low2 = _mm_unpacklo_epi32(x[2], x[3]);
    const __m128i high = _mm_unpackhi_epi32(x[0], x[1]), high2 = _mm_unpackhi_epi32(x[2], x[3]);
    _mm_storeu_si128((__m128i *)(void *)to, _mm_unpacklo_epi64(low, low2));
    _mm_storeu_si128((__m128i *)(void *)(to + 64), _mm_unpackhi_epi64(low, low2));
    _mm_storeu_si128((__m128i *)(void *)(to + 128), _mm_unpacklo_epi64(high, high2));
    _mm_storeu_si128((__m128i *)(void *)(to + 192), _mm_unpackhi_epi64(high, high2));
}
#endif

static inline int64_t bias_at_s8(const pq_conv2d *p, int32_t o) { return ((const int32_t *)p->bias)[o]; }
static inline int64_t bias_at_u8(const pq_conv2d *p, int32_t o) { return ((const int32_t *)p->bias)[o]; }
static inline int64_t bias_at_s16(const pq_conv2d *p, int32_t o) { return ((const int64_t *)p->bias)[o]; }
static inline int64_t bias_at_f32s8(const pq_conv2d *p, int32_t o) { return (void)p, (void)o, 0; }

static inline pq_rescale *rescale_of(const pq_conv2d *p, pq_panel_head *head, int32_t o) {
    const int32_t channels = group_channels(p);
    return (pq_rescale *)(head + 1) + o / channels * group_starts(p) + o % channels / BLOCK;
}
#endif

/* All factors, `padded` terms of each channel: by four channels, of which four lanes change places, where there are as many. */
static void NAME(put_factors)(const pq_conv2d *p, FACTOR *factors, int32_t padded) {
    const int32_t terms = term_count(p), channels = group_channels(p), origin = BYTES ? FLIPPED : p->weight_zero;
    const int32_t row = NAME(row_terms)(p);
    for (int32_t o = 0, n; o < p->out_channels; o += n) {
        const int32_t group = o / channels, channel = o % channels;
        FACTOR *block = factors + (size_t)(group * group_blocks(p) + channel / BLOCK) * BLOCK * (size_t)padded;
        const WEIGHT *weights = (const WEIGHT *)p->weights + (size_t)o * (size_t)terms;
        FACTOR *restrict to = block + channel % BLOCK * GATHERED;
        n = BYTES && channels % 4 == 0 ? 4 : 1;
        for (int32_t ky = 0; ky < p->filter_height; ky++, weights += row) {
            int32_t k = 0;
#if BYTES && defined(__SSE2__)
            for (; n == 4 && k + 16 <= row; k += 16, to += 4 * BLOCK * GATHERED) put_16_of_4(weights + k, terms, to, FLIPPED);
#endif
            for (; k < row; k += GATHERED, to += BLOCK * GATHERED)
                for (int32_t c = 0; c < n; c++)
                    for (int32_t i = 0; i < GATHERED && k + i < row; i++)
                        to[c * GATHERED + i] = (FACTOR)(weights[c * terms + k + i] - origin);
        }
    }
}

/* Which lanes of a block have a factor that is not zero. Returns how many. */
static int32_t NAME(lanes_there)(const pq_conv2d *p, int32_t block, bool *restrict there) {
    const int32_t terms = term_count(p), lanes = terms / GATHERED, first = block * BLOCK;
    const WEIGHT origin = (WEIGHT)(BYTES ? FLIPPED : p->weight_zero);
    int32_t count = 0;
    memset(there, 0, (size_t)lanes);
    for (int32_t o = first; o < first + BLOCK && o < p->out_channels; o++) {
        const WEIGHT *restrict w = (const WEIGHT *)p->weights + (size_t)o * (size_t)terms;
        for (int32_t lane = 0; lane < lanes; lane++)
            for (int32_t i = 0; i < GATHERED; i++) there[lane] |= w[lane * GATHERED + i] != origin;
    }
    for (int32_t lane = 0; lane < lanes; lane++) count += there[lane];
    return count;
}

/* Put the lanes that are there, behind a list of them, where that pays, which the first blocks tell of dense weights. Returns the bytes
 * of the list, or 0. What it leaves out, zero times what is in x, may be no zero in floats. */
static int32_t NAME(put_listed)(const pq_conv2d *p, char *to) {
    const int32_t lanes = term_count(p) / GATHERED, blocks = group_blocks(p);
    if (!pointwise(p) || term_count(p) % GATHERED != 0 || lanes < FEWEST_LANES || lanes > MOST_LANES || (!INTEGER && !p->fused)) return 0;
    bool there[MOST_LANES];
    int64_t all = 0;
    for (int32_t block = 0; block < blocks; block++) {
        all += NAME(lanes_there)(p, block, there);
        if ((block < LOOKED_AT || block == blocks - 1) && all * 16 > (int64_t)(block + 1) * lanes * LISTED_OF_16) return 0;
    }
    const int32_t bytes = rounded_up((blocks + 1 + (int32_t)all) * (int32_t)sizeof(int32_t), 64);
    int32_t *first = (int32_t *)to, *places = first + blocks + 1, listed = 0;
    FACTOR *factors = (FACTOR *)(to + bytes);
    for (int32_t block = 0; block < blocks; block++) {
        first[block] = listed;
        NAME(lanes_there)(p, block, there);
        for (int32_t lane = 0; lane < lanes; lane++) {
            if (!there[lane]) continue;
            for (int32_t i = 0; i < BLOCK * GATHERED && block * BLOCK + i / GATHERED < p->out_channels; i++) {
                const size_t k = (size_t)(block * BLOCK + i / GATHERED) * (size_t)term_count(p) + (size_t)(lane * GATHERED + i % GATHERED);
                factors[(size_t)listed * BLOCK * GATHERED + (size_t)i] =
                    (FACTOR)(((const WEIGHT *)p->weights)[k] - (BYTES ? FLIPPED : p->weight_zero));
            }
            places[listed++] = lane * 4;
        }
    }
    first[blocks] = listed;
    return bytes;
}

#if INTEGER
/* Σ (w[k] - zero), and in *magnitude Σ |w[k] - zero| */
static int64_t NAME(sum_weights)(const WEIGHT *restrict w, int32_t n, int32_t zero, int64_t *magnitude) {
    const int32_t lowest = (WEIGHT)-1 < 0 ? -128 : 0;
    int64_t sum = 0, all = 0;
    for (int32_t k = 0, end; k < n; k = end) {
        end = n - k < SHORT_SUM ? n : k + SHORT_SUM;
        uint16_t above = 0, part = 0;
        for (int32_t i = k; i < end; i++) {
            const int16_t term = (int16_t)(w[i] - zero), sign = term >> 15; /* abs is one of 32 bits */
            above += (uint16_t)(w[i] - lowest), part += (uint16_t)((term ^ sign) - sign);
        }
        sum += above, all += part;
    }
    *magnitude = all;
    return sum + (int64_t)(lowest - zero) * n;
}

#endif
size_t NAME(conv2d_pack)(const void *params, void *packed);

size_t NAME(PQ_JOIN(PACK, panel))(const void *params, void *packed) {
    const pq_conv2d *p = params;
    if (!NAME(by_panels)(p)) return NAME(conv2d_pack)(params, packed);
    const int32_t padded = p->filter_height * NAME(row_cells)(p);
    const size_t starts = (size_t)p->groups * (size_t)group_starts(p);
    const size_t factors = (size_t)p->groups * (size_t)group_blocks(p) * BLOCK * (size_t)padded;
    const size_t size = sizeof(pq_panel_head) + starts * START + factors * sizeof(FACTOR);
    if (packed == NULL) return size;
    const bool filled = group_channels(p) % BLOCK == 0 && NAME(row_terms)(p) % GATHERED == 0;
    memset(packed, 0, filled ? size - factors * sizeof(FACTOR) : size);
    pq_panel_head *head = packed;
    char *weights_at = (char *)(head + 1) + starts * START;
#if INTEGER
    const int32_t terms = term_count(p), channels = group_channels(p), offset = BYTES ? p->input_zero - MOVED : 0;
    const int64_t largest = sizeof(CODE) == 1 ? 255 : 32768;
    const bool whole = !BYTES || FLIPPED > 0 || p->weight_zero == 0; /* nothing is missing from the sums of rows */
    head->exact = !HYBRID && whole && p->device == NULL && !(p->once && !p->wide && p->real == NULL);
    head->narrow = head->floats = 1;
    for (int32_t o = 0; o < p->out_channels; o++) {
        const WEIGHT *weights = (const WEIGHT *)p->weights + (size_t)o * (size_t)terms;
        int64_t magnitude;
        const uint32_t sum = (uint32_t)NAME(sum_weights)(weights, terms, p->weight_zero, &magnitude);
        pq_rescale *r = rescale_of(p, head, o);
        r->start[o % channels % BLOCK] = (int32_t)(HYBRID ? sum : 0 - (uint32_t)offset * sum);
        if (HYBRID) continue;
        const int64_t bias = p->bias == NULL ? 0 : NAME(bias_at)(p, o), most = largest * magnitude;
        head->narrow = head->narrow && most < INT64_C(1) << 31;
        head->exact = head->exact && bias > INT32_MIN && bias <= INT32_MAX &&
                      pq_rescale_holds(most + llabs(bias), p->multiplier[o], p->exponent[o], p->wide || p->real != NULL);
        const double scaling = p->real != NULL ? p->real[o] : pq_scaling(p->multiplier[o], p->exponent[o]);
        head->floats = head->floats && pq_rescale_by_floats(most + llabs(bias), scaling);
        pq_rescale_set(r, o % channels % BLOCK, p->multiplier[o], p->exponent[o], p->wide);
        if (!p->wide && p->real != NULL) pq_rescale_set_real(r, o % channels % BLOCK, p->real[o]);
    }
    for (int32_t o = 0; o < p->out_channels && head->exact && p->bias != NULL; o++) {
        int32_t *start = rescale_of(p, head, o)->start + o % channels % BLOCK;
        *start = (int32_t)((uint32_t)*start + (uint32_t)NAME(bias_at)(p, o));
    }
#else
    const int32_t channels = group_channels(p);
    for (int32_t o = 0; o < p->out_channels && p->bias != NULL; o++)
        ((float *)(head + 1))[o / channels * group_starts(p) * BLOCK + o % channels] = ((const float *)p->bias)[o];
#endif
    if (HYBRID || !INTEGER || head->exact) head->listed = NAME(put_listed)(p, weights_at);
    if (!head->listed) NAME(put_factors)(p, (FACTOR *)weights_at, padded);
    return size;
}
#undef TYPE
