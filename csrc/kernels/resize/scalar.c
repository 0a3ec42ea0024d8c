#include <stddef.h>

#include "pq.h"
#include "resize.h"

#define ISA scalar
#define TYPE s8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE f32
#include "generic.h"
