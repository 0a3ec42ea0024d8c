#include <stddef.h>

#include "pq.h"
#include "resize.h"

#define IS_FIXED_s8 1
#define IS_FIXED_s16 1
#define IS_FIXED_u8 0
#define IS_FIXED_f32 0

#define ISA scalar
#define TYPE s8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE f32
#include "generic.h"
