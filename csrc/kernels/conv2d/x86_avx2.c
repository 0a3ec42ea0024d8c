/* conv2d by the pairwise multiply-add of AVX2 and by FMA: panels of up to MOST_ROWS pixels by blocks of 16 channels. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include "panel_avx2.h"

#define TILES_s8 (&pq_tiles_s16_x86_avx2)
#define TILES_u8 (&pq_tiles_s16_x86_avx2)
#define TILES_s16 (&pq_tiles_s16_x86_avx2)
#define TILES_f32 (panel->p->fused ? &pq_tiles_fused_f32_x86_avx2 : &pq_tiles_f32_x86_avx2)
#define TILES_f32s8 (&pq_tiles_s16_x86_avx2)
#define cells_s8 plain_cells_s8
#define cells_u8 plain_cells_u8
#define cells_s16 plain_cells_s16
#define cells_f32 plain_cells_f32
#define cells_f32s8 pq_dynamic_words

#define STORE "store_avx2.h"
#define ISA x86_avx2
#define BYTES 0
#define EACH "kernels/conv2d/panels.h"
#include "each_type.h"
#endif
