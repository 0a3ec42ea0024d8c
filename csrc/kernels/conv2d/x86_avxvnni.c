/* conv2d by the dot products of AVX-VNNI: panels of up to MOST_ROWS pixels by blocks of 16 channels. */
#include "isa.h"
#if PQ_AVXVNNI
#include "avxvnni.h"
#include "panel_avx2.h"

#define TILES_s8 (&pq_tiles_u8_x86_avxvnni)
#define TILES_u8 (&pq_tiles_u8_x86_avxvnni)
#define TILES_f32s8 (&pq_tiles_u8_x86_avxvnni)
#define cells_s8 plain_cells_s8
#define cells_u8 plain_cells_u8
#define cells_f32s8 pq_dynamic_bytes

/* Σ of `count` times n bytes, each `pitch` after the other */
static int32_t sum_of_bytes(const uint8_t *x, size_t count, size_t pitch, size_t n) {
    int32_t sum = 0;
    for (size_t row = 0; row < count; row++, x += pitch)
        for (size_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

#define STORE "store_avx2.h"
#define ISA x86_avxvnni
#define BYTES 1
#define TYPE s8
#include "panels.h"
#define TYPE u8
#include "panels.h"
#define TYPE f32s8
#include "panels.h"
#endif
