/* Packs conv2d's weights of one TYPE as layout.h says. */
#include "types.h"

size_t NAME(conv2d_pack)(const void *params, void *packed) {
    const pq_conv2d *p = params;
    const WEIGHT *weights = p->weights;
    const int32_t terms = term_count(p), padded = rounded_up(terms, GATHERED);
    const int32_t channels = group_channels(p), blocks = rounded_up(channels, BLOCK);
    const size_t count = (size_t)p->groups * (size_t)blocks * (size_t)padded;
    if (packed == NULL) return count * sizeof(TERM);
    memset(packed, 0, count * sizeof(TERM));
    for (int32_t o = 0; o < p->out_channels; o++) {
        const int32_t group = o / channels, channel = o % channels;
        TERM *block = (TERM *)packed + ((size_t)group * (size_t)blocks + (size_t)(channel / BLOCK * BLOCK)) * (size_t)padded;
        for (int32_t k = 0; k < terms; k++)
            block[(k / GATHERED * BLOCK + channel % BLOCK) * GATHERED + k % GATHERED] =
                (TERM)(weights[(size_t)o * (size_t)terms + (size_t)k] - p->weight_zero);
    }
    return count * sizeof(TERM);
}
#undef TYPE
