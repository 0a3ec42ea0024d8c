#include "depthwise_conv2d.h"
#include "pq.h"

#define ISA scalar
#define EACH "kernels/depthwise_conv2d/scalar.h"
#include "each_type.h"
