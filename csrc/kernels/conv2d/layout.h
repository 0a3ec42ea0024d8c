/* How conv2d's work and weights are cut into pieces and blocks of output channels. */
#ifndef PQ_CONV2D_LAYOUT_H
#define PQ_CONV2D_LAYOUT_H
#include <stddef.h>

#include "conv2d.h"

enum { BLOCK = 16, PIECE = 128 }; /* output channels of a block, and of a unit */

static inline int32_t rounded_up(int32_t n, int32_t step) { return (n + step - 1) / step * step; }

/* Channels of a group; where there is one, small layers are spared the division. */
static inline int32_t of_group(const pq_conv2d *p, int32_t channels) { return p->groups == 1 ? channels : channels / p->groups; }
static inline int32_t group_depth(const pq_conv2d *p) { return of_group(p, p->channels); }
static inline int32_t group_channels(const pq_conv2d *p) { return of_group(p, p->out_channels); }
static inline int32_t pieces_of_group(const pq_conv2d *p) { return rounded_up(group_channels(p), PIECE) / PIECE; }
static inline int32_t term_count(const pq_conv2d *p) { return p->filter_height * p->filter_width * group_depth(p); }
#endif
