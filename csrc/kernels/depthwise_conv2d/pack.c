#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "depthwise_conv2d.h"
#include "taps.h"

#define EACH "kernels/depthwise_conv2d/pack.h"
#include "each_type.h"

static int64_t bias_at_s8(const pq_depthwise_conv2d *p, int32_t c) { return ((const int32_t *)p->bias)[c]; }
static int64_t bias_at_u8(const pq_depthwise_conv2d *p, int32_t c) { return ((const int32_t *)p->bias)[c]; }
static int64_t bias_at_s16(const pq_depthwise_conv2d *p, int32_t c) { return ((const int64_t *)p->bias)[c]; }

#define EACH "kernels/depthwise_conv2d/pack_taps.h"
#include "each_type.h"
