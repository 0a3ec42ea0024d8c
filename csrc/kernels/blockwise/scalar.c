#include <stddef.h>

#include "blockwise.h"
#include "dynamic.h"
#include "fixed.h"
#include "pq.h"

#define ISA scalar
#include "generic.h"
