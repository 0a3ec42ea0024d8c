#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "depthwise_conv2d.h"

#define EACH "kernels/depthwise_conv2d/pack.h"
#include "each_type.h"

#define PACK depthwise_conv2d_pack_taps
#define BYTES 0
#define EACH "kernels/depthwise_conv2d/pack_taps.h"
#include "each_type.h"
