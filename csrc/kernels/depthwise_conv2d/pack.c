#include <stddef.h>

#include "depthwise_conv2d.h"

#define TYPE s8
#include "pack.h"
#define TYPE u8
#include "pack.h"
#define TYPE s16
#include "pack.h"
#define TYPE f32
#include "pack.h"
#define TYPE f32s8
#include "pack.h"
