#include <math.h>
#include <stddef.h>

#include "binary.h"
#include "fixed.h"
#include "pq.h"
#include "report.h"
#include "whole.h"

#define ISA scalar
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE s32
#include "generic.h"
#define TYPE s64
#include "generic.h"
#define TYPE f32
#include "generic.h"
