/* Pooling for one TYPE, a vector of channels at a time. */
#include "types.h"

#define LANES ((int32_t)(64 / sizeof(CODE)))

/* The maxima of n channels over a window, at most LANES. */
PQ_INLINE void NAME(greatest)(const pq_pool *p, const CODE *image, window w, int32_t n, CODE *y) {
    const __mmask64 mask = first_bytes(n * (int32_t)sizeof(CODE));
    __m512i best = NAME(all)(PQ_JOIN(LEAST, TYPE));
    for (int32_t iy = w.top; iy < w.bottom; iy++)
        for (int32_t ix = w.left; ix < w.right; ix++)
            best = NAME(greater)(_mm512_maskz_loadu_epi8(mask, image + ((size_t)iy * (size_t)p->in_width + (size_t)ix) * (size_t)p->channels), best);
    best = NAME(lesser)(NAME(all)((CODE)p->hi), NAME(greater)(NAME(all)((CODE)p->lo), best));
    _mm512_mask_storeu_epi8(y, mask, best);
}

/* The means of n channels over a window, at most 16 a vector. */
PQ_INLINE void NAME(means_of)(const pq_pool *p, const CODE *image, window w, int32_t n, const int vectors, CODE *y) {
    NAME(numbers) sums[4];
    for (int v = 0; v < vectors; v++) sums[v] = NAME(load)(0, image);
    for (int32_t iy = w.top; iy < w.bottom; iy++)
        for (int32_t ix = w.left; ix < w.right; ix++) {
            const CODE *x = image + ((size_t)iy * (size_t)p->in_width + (size_t)ix) * (size_t)p->channels;
            _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++) sums[v] = NAME(add)(sums[v], NAME(load)(first_lanes(n - 16 * v), x + 16 * v));
        }
    for (int v = 0; v < vectors; v++) NAME(store_mean)(p, sums[v], (w.bottom - w.top) * (w.right - w.left), first_lanes(n - 16 * v), y + 16 * v);
}

/* The same of at most 64 channels: long sums side by side take no longer than one. */
PQ_INLINE void NAME(means)(const pq_pool *p, const CODE *image, window w, int32_t n, CODE *y) {
    if (n > 32) NAME(means_of)(p, image, w, n, 4, y);
    else if (n > 16) NAME(means_of)(p, image, w, n, 2, y);
    else NAME(means_of)(p, image, w, n, 1, y);
}

#define POOL(name, pooled, lanes, summed)                                                                                  \
    void FULL_NAME(name)(const pq_step *step, int32_t begin, int32_t end) {                                              \
        const pq_pool *p = step->params;                                                                                 \
        const size_t channels = (size_t)p->channels, image_size = (size_t)p->in_height * (size_t)p->in_width * channels; \
        if (!holds(p, summed && INTEGER ? sizeof(CODE) : 0)) {                                                  \
            PQ_JOIN(NAME(name), x86_avx2)(step, begin, end);                                                             \
            return;                                                                                                      \
        }                                                                                                                \
        CODE *y = (CODE *)step->out[0] + (size_t)begin * (size_t)p->out_width * channels;                                \
        for (int32_t unit = begin; unit < end; unit++) {                                                                 \
            const CODE *image = (const CODE *)step->in[0] + (size_t)(unit / p->out_height) * image_size;                 \
            for (int32_t ox = 0; ox < p->out_width; ox++, y += channels) {                                               \
                const window w = window_at(p, unit % p->out_height, ox);                                                 \
                for (int32_t c = 0; c < p->channels; c += lanes) NAME(pooled)(p, image + c, w, p->channels - c, y + c);  \
            }                                                                                                            \
        }                                                                                                                \
    }
POOL(average_pool, means, 64, true)
POOL(max_pool, greatest, LANES, false)
#undef POOL
#undef LANES
#undef TYPE
