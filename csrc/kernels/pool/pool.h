/* average_pool, max_pool: y[n, oy, ox, c] = clamp(mean or maximum of x[n, iy, ix, c] over the window, lo, hi) with
 * iy = oy·stride_height - pad_top + ky for 0 <= ky < filter_height, ix alike; taps outside the image do not count.
 * Types: s8, u8, s16 (means round half away from zero), f32 (sums over ky, kx in this order).
 * Unit u is row u % out_height of image u / out_height of y. */
#ifndef PQ_POOL_H
#define PQ_POOL_H
#include <stdint.h>

typedef struct {
    int32_t in_height, in_width, channels;
    int32_t out_height, out_width;
    int32_t filter_height, filter_width, stride_height, stride_width;
    int32_t pad_top, pad_left;
    double lo, hi;
} pq_pool;
#endif
