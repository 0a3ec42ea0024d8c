#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "depthwise_conv2d.h"
#include "taps.h"

#define TYPE s8
#include "pack.h"
#define TYPE u8
#include "pack.h"
#define TYPE s16
#include "pack.h"
#define TYPE f32
#include "pack.h"
#define TYPE f32s8
#include "pack.h"

static int64_t bias_at_s8(const pq_depthwise_conv2d *p, int32_t c) { return ((const int32_t *)p->bias)[c]; }
static int64_t bias_at_u8(const pq_depthwise_conv2d *p, int32_t c) { return ((const int32_t *)p->bias)[c]; }
static int64_t bias_at_s16(const pq_depthwise_conv2d *p, int32_t c) { return ((const int64_t *)p->bias)[c]; }

#define TYPE s8
#include "pack_taps.h"
#define TYPE u8
#include "pack_taps.h"
#define TYPE s16
#include "pack_taps.h"
#define TYPE f32
#include "pack_taps.h"
#define TYPE f32s8
#include "pack_taps.h"
