/* Packs depthwise_conv2d's weights of one TYPE: the same order, as TERM, less the zero point. */
#include "types.h"

size_t NAME(depthwise_conv2d_pack)(const void *params, void *packed) {
    const pq_depthwise_conv2d *p = params;
    const WEIGHT *weights = p->weights;
    const size_t count = (size_t)p->filter_height * (size_t)p->filter_width * (size_t)p->out_channels;
    for (size_t i = 0; packed != NULL && i < count; i++) ((TERM *)packed)[i] = (TERM)(weights[i] - p->weight_zero);
    return count * sizeof(TERM);
}
#undef TYPE
