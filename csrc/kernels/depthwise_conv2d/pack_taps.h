/* Packs depthwise_conv2d's weights of one TYPE as taps.h says. */
#include "types.h"
#include "taps.h"

#ifndef PQ_DEPTHWISE_CONV2D_PACK_TAPS_H
#define PQ_DEPTHWISE_CONV2D_PACK_TAPS_H
static inline int64_t bias_at_s8(const pq_depthwise_conv2d *p, int32_t c) { return ((const int32_t *)p->bias)[c]; }
static inline int64_t bias_at_u8(const pq_depthwise_conv2d *p, int32_t c) { return ((const int32_t *)p->bias)[c]; }
static inline int64_t bias_at_s16(const pq_depthwise_conv2d *p, int32_t c) { return ((const int64_t *)p->bias)[c]; }
#endif

size_t NAME(depthwise_conv2d_pack)(const void *params, void *packed);

#if INTEGER && !HYBRID
static void NAME(add_biases)(const pq_depthwise_conv2d *p, pq_taps_head *head, size_t block_size) {
    char *block = (char *)(head + 1);
    for (int32_t first = 0, width; first < p->channels; first += width, block += block_size) {
        width = block_width(p->channels - first, CELLS, HYBRID);
        for (int32_t cell = 0; cell < CELLS; cell++) {
            const int32_t c = first + cell % width;
            if (c >= p->channels) continue;
            int32_t *start = ((pq_rescale *)block + tap_acc(cell, LANE))->start + tap_lane(cell, LANE);
            *start = (int32_t)((uint32_t)*start + (uint32_t)NAME(bias_at)(p, c));
        }
    }
}
#endif

size_t NAME(PACK)(const void *params, void *packed) {
    const pq_depthwise_conv2d *p = params;
    if (!by_vectors(p, (WEIGHT)-1 < 0)) return NAME(depthwise_conv2d_pack)(params, packed);
    const int32_t taps = p->filter_height * p->filter_width, groups = (taps + LANE - 1) / LANE;
    const size_t block_size = START_SIZE + (size_t)groups * (size_t)LANE * 64;
    size_t size = sizeof(pq_taps_head);
    for (int32_t c = 0; c < p->channels; c += block_width(p->channels - c, CELLS, HYBRID)) size += block_size;
    if (packed == NULL) return size;
    memset(packed, 0, size);
    pq_taps_head *head = packed;
    const WEIGHT *weights = p->weights;
    const int32_t origin = !BYTES ? p->weight_zero : (WEIGHT)-1 > 0 ? 128 : 0;
#if INTEGER && !HYBRID
    const int32_t offset = BYTES ? p->input_zero + ((CODE)-1 < 0 ? 128 : 0) : 0;
    const int64_t largest = sizeof(CODE) == 1 ? 255 : 32768;
    head->exact = p->device == NULL && p->real == NULL && !(p->once && !p->wide) && (sizeof(CODE) == 1 || p->wide);
    head->floats = 1;
#endif
    char *block = (char *)(head + 1);
    for (int32_t first = 0, width; first < p->channels; first += width, block += block_size) {
        width = block_width(p->channels - first, CELLS, HYBRID);
#if INTEGER
        const int32_t n = p->channels - first < width ? p->channels - first : width;
        int32_t sums[CELLS] = {0}, magnitudes[CELLS] = {0};
        for (int32_t t = 0; t < taps; t++) {
            const WEIGHT *w = weights + t * p->channels + first;
            for (int32_t i = 0; i < n; i++) sums[i] += w[i] - p->weight_zero, magnitudes[i] += abs(w[i] - p->weight_zero);
        }
#endif
        for (int32_t cell = 0; cell < CELLS; cell++) {
            const int32_t c = first + cell % width, acc = tap_acc(cell, LANE), lane = tap_lane(cell, LANE);
            if (c >= p->channels) continue;
            FACTOR *to = (FACTOR *)(block + START_SIZE) + (acc * 16 + lane) * LANE;
            for (int32_t t = 0; t < taps; t += LANE, to += LANE * 16 * LANE)
                for (int32_t i = 0; i < LANE && t + i < taps; i++) to[i] = (FACTOR)(weights[(t + i) * p->channels + c] - origin);
#if HYBRID
            ((int32_t *)block)[cell] = sums[c - first];
#elif INTEGER
            const int64_t bias = p->bias == NULL ? 0 : NAME(bias_at)(p, c), most = largest * magnitudes[c - first] + llabs(bias);
            head->exact = head->exact && bias > INT32_MIN && bias <= INT32_MAX && pq_rescale_holds(most, p->multiplier[c], p->exponent[c], p->wide);
            head->floats = head->floats && pq_rescale_by_floats(most, pq_scaling(p->multiplier[c], p->exponent[c]));
            pq_rescale *r = (pq_rescale *)block + acc;
            r->start[lane] = -offset * sums[c - first];
            pq_rescale_set(r, lane, p->multiplier[c], p->exponent[c], p->wide);
#else
            ((float *)block)[lane] = p->bias == NULL ? 0 : ((const float *)p->bias)[c];
#endif
        }
    }
#if INTEGER && !HYBRID
    if (head->exact && p->bias != NULL) NAME(add_biases)(p, head, block_size);
#endif
    return size;
}
#undef TYPE
