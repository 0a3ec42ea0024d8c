#define ISA scalar
#include "generic.h"
