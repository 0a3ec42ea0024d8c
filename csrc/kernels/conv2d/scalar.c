#include "layout.h"
#include "pq.h"

#define ISA scalar
#define EACH "kernels/conv2d/scalar.h"
#include "each_type.h"
