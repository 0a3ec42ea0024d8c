#include <stdlib.h>
#include <string.h>

#include "layout.h"

#define PACK conv2d_pack
#define BYTES 0
#define EACH "kernels/conv2d/pack.h"
#include "each_type.h"

#undef PACK
#undef BYTES
#define PACK conv2d_pack_bytes
#define BYTES 1
#define TYPE s8
#include "pack.h"
#define TYPE u8
#include "pack.h"
#define TYPE f32s8
#include "pack.h"

static int64_t bias_at_s8(const pq_conv2d *p, int32_t o) { return ((const int32_t *)p->bias)[o]; }
static int64_t bias_at_u8(const pq_conv2d *p, int32_t o) { return ((const int32_t *)p->bias)[o]; }
static int64_t bias_at_s16(const pq_conv2d *p, int32_t o) { return ((const int64_t *)p->bias)[o]; }
static int64_t bias_at_f32s8(const pq_conv2d *p, int32_t o) { return (void)p, (void)o, 0; }

#define EACH "kernels/conv2d/pack_panel.h"
#include "each_type.h"
