/* Packs conv2d's weights of one TYPE as cells.h says. */
#include "types.h"
#include "cells.h"

size_t NAME(PACK)(const void *params, void *packed) {
    const pq_conv2d *p = params;
    const WEIGHT *weights = p->weights;
    const int32_t terms = term_count(p), padded = rounded_up(terms, GATHERED);
    const int32_t channels = group_channels(p), blocks = rounded_up(channels, BLOCK), origin = BYTES ? FLIPPED : p->weight_zero;
    const size_t sums = BYTES ? packed_channels(p) * sizeof(int32_t) : 0;
    const size_t size = sums + packed_channels(p) * (size_t)padded * sizeof(FACTOR);
    if (packed == NULL) return size;
    memset(packed, 0, size);
    for (int32_t o = 0; o < p->out_channels; o++) {
        const int32_t group = o / channels, channel = o % channels;
        const size_t first = (size_t)group * (size_t)blocks + (size_t)(channel / BLOCK * BLOCK);
        FACTOR *block = (FACTOR *)((char *)packed + sums) + first * (size_t)padded;
        for (int32_t k = 0; k < terms; k++) {
            const WEIGHT weight = weights[(size_t)o * (size_t)terms + (size_t)k];
            block[(k / GATHERED * BLOCK + channel % BLOCK) * GATHERED + k % GATHERED] = (FACTOR)(weight - origin);
#if BYTES
            ((uint32_t *)packed)[first + (size_t)(channel % BLOCK)] += (uint32_t)(weight - p->weight_zero);
#endif
        }
    }
    return size;
}
#undef TYPE
