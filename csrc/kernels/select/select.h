/* select_x8: y = condition ? a : b, a condition being a byte that is not 0, elements `element` bytes: 1, 2, 4 or 8. The three are
 * broadcast to the shape of y: loops, strides, steps and units as in pq_binary, but all three steps may be 0.
 * y may be one of them that is as large. */
#ifndef PQ_SELECT_H
#define PQ_SELECT_H
#include <stdint.h>

typedef struct {
    int32_t element;
    int32_t rank;
    int32_t shape[5];
    int64_t condition_stride[5];
    int64_t a_stride[5];
    int64_t b_stride[5];
    int32_t inner, condition_step, a_step, b_step;
} pq_select;
#endif
