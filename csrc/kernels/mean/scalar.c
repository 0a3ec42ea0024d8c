#include <float.h>
#include <stddef.h>

#include "fixed.h"
#include "mean.h"
#include "pq.h"

#define ISA scalar
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE f32
#include "generic.h"
