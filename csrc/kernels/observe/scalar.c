#define OBSERVE observe_f32_scalar
#include "generic.h"
