#include <stdlib.h>
#include <string.h>

#include "layout.h"

#define PACK conv2d_pack
#define BYTES 0
#define EACH "kernels/conv2d/pack.h"
#include "each_type.h"
#define EACH "kernels/conv2d/pack_panel.h"
#include "each_type.h"
