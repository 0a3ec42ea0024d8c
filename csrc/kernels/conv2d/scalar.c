#include "layout.h"
#include "pq.h"

#define ISA scalar
#define TYPE s8
#include "scalar.h"
#define TYPE u8
#include "scalar.h"
#define TYPE s16
#include "scalar.h"
#define TYPE f32
#include "scalar.h"
#define TYPE f32s8
#include "scalar.h"
