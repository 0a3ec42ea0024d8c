#include <stddef.h>

#include "pq.h"
#include "taps.h"
#include "transpose_conv.h"

#define ISA scalar
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE f32
#include "generic.h"
#define TYPE f32s8
#include "generic.h"
