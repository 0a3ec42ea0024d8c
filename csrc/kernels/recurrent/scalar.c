#include <stddef.h>
#include <string.h>

#include "cell.h"
#include "fixed.h"
#include "pq.h"
#include "recurrent.h"
#include "types.h"

#define ISA scalar
#include "generic.h"
