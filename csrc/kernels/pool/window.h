/* Where windows are, and what maxima start from. */
#ifndef PQ_POOL_WINDOW_H
#define PQ_POOL_WINDOW_H
#include <float.h>

#include "pool.h"

/* The part of a window that is inside the image: input rows [top, bottom), columns [left, right). */
typedef struct {
    int32_t top, bottom, left, right;
} window;

static inline window window_at(const pq_pool *p, int32_t oy, int32_t ox) {
    const int32_t y = oy * p->stride_height - p->pad_top, x = ox * p->stride_width - p->pad_left;
    return (window){
        y > 0 ? y : 0,
        y + p->filter_height < p->in_height ? y + p->filter_height : p->in_height,
        x > 0 ? x : 0,
        x + p->filter_width < p->in_width ? x + p->filter_width : p->in_width,
    };
}

#define LEAST_s8 INT8_MIN
#define LEAST_u8 0
#define LEAST_s16 INT16_MIN
#define LEAST_f32 (-FLT_MAX)
#endif
