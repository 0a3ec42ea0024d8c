#include <stddef.h>

#include "batch_matmul.h"
#include "fixed.h"
#include "pq.h"

enum { LO_s8 = INT8_MIN, HI_s8 = INT8_MAX, LO_s16 = INT16_MIN, HI_s16 = INT16_MAX };

#define ISA scalar
#define TYPE s8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE f32
#include "generic.h"
