#if defined(__x86_64__)
#pragma GCC target("avx2") /* which all have whose kernels multiply bytes */
#include <immintrin.h>
#endif
#include <stdlib.h>
#include <string.h>

#include "layout.h"

#define PACK conv2d_pack_bytes
#define BYTES 1
#define TYPE s8
#include "pack.h"
#define TYPE u8
#include "pack.h"
#define TYPE f32s8
#include "pack.h"
#define TYPE s8
#include "pack_panel.h"
#define TYPE u8
#include "pack_panel.h"
#define TYPE f32s8
#include "pack_panel.h"
