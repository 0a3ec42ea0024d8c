#include <stddef.h>

#include "conv3d.h"
#include "pq.h"
#include "types.h"

#define ISA scalar
#include "generic.h"
