#include <stddef.h>

#include "pq.h"
#include "taps.h"
#include "transpose_conv.h"

#define ISA scalar
#define EACH "kernels/transpose_conv/generic.h"
#include "each_type.h"
