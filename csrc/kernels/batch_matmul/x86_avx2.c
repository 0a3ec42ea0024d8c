/* batch_matmul by the pairwise multiply-add of AVX2 and by FMA.
 * s8: cells and factors are less their zero points. s16: b is 256 times one part and another, from -128 to 128 each, so that 32
 * bits hold the sums of SHALLOW products. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include <stddef.h>
#include <string.h>

#include "batch_matmul.h"
#include "codes_avx2.h"
#include "fixed.h"
#include "pq.h"
#include "tiles.h"

enum { LO_s8 = INT8_MIN, HI_s8 = INT8_MAX, LO_s16 = INT16_MIN, HI_s16 = INT16_MAX };

#define ISA x86_avx2_plain
#define TYPE s8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE f32
#include "generic.h"
#undef ISA

#define ISA x86_avx2
#define CELL_s8 int16_t
#include "lanes.h"

PQ_INLINE int16_t cell_s8(const pq_batch_matmul *p, int8_t a) { return (int16_t)(a - p->a_zero); }

PQ_INLINE void cells_s8(const pq_batch_matmul *p, const int8_t *a, int32_t n, int16_t *cells) {
    const int16_t zero = (int16_t)p->a_zero;
    for (int32_t k = 0; k < n; k++) cells[k] = (int16_t)(a[k] - zero);
}

/* Make a factor of an element of b; another part of it stands `part` factors later. */
PQ_INLINE void put_s8(const pq_batch_matmul *p, uint32_t b, int16_t *to, size_t part) {
    (void)part, *to = (int16_t)((int32_t)b - p->b_zero);
}

PQ_INLINE void put_f32(const pq_batch_matmul *p, float b, float *to, size_t part) { (void)p, (void)part, *to = b; }

PQ_INLINE void put_s16(const pq_batch_matmul *p, uint64_t b, int16_t *to, size_t part) {
    (void)p;
    const int16_t low = (int8_t)b;
    to[0] = (int16_t)(((int32_t)b - low) / 256), to[part] = low;
}

NO_SUMS(s8, int16_t)

static bool holds_s8(const pq_batch_matmul *p) {
    return !p->by_column && pq_rescale_holds(INT64_C(255) * 255 * p->depth, *p->multiplier, *p->exponent, false);
}

/* A tile's products, and the n codes of y that they lead to in each row. */
PQ_INLINE void tile_s8(const pq_batch_matmul *p, const char *cells, size_t stride, const char *factors, int32_t lanes, int32_t rows,
                       int32_t blocks, const int32_t *starts, const int32_t *lacking, int32_t n, int8_t *y) {
    (void)blocks, (void)starts, (void)lacking;
    pq_two_vectors sums[ROWS + 1];
    const pq_pieces x = {cells, stride, 1, 0, lanes, NULL};
    pq_tiles_s16_x86_avx2.of[0][rows - 1](&x, factors, 0, NOTHING, 0, &(pq_sums){sums, 64, 0, 0});
    const pq_rescale_vectors scaling = pq_rescale_all(*p->multiplier, *p->exponent);
    const pq_code_limits limits = pq_limits_of(p->zero_point, INT8_MIN, INT8_MAX);
    for (int32_t i = 0; i < rows; i += 2, y += 2 * p->columns) {
        const int32_t next = i + 1 < rows ? i + 1 : i;
        pq_put_codes(pq_rescaled(sums[i], scaling, false, true), pq_rescaled(sums[next], scaling, false, true), limits, n,
                     next == i ? 0 : n, false, y, y + p->columns);
    }
}

PQ_INLINE void tile_s16(const pq_batch_matmul *p, const char *cells, size_t stride, const char *factors, int32_t lanes, int32_t rows,
                        int32_t blocks, const int32_t *starts, const int32_t *lacking, int32_t n, int16_t *y) {
    (void)blocks, (void)starts, (void)lacking;
    int32_t sums[2][ROWS * 16];
    int64_t total[ROWS * 16] = {0};
    for (int32_t k = 0; k < lanes; k += SHALLOW / 2) {
        const pq_pieces x = {cells + (size_t)k * 4, stride, 1, 0, lanes - k < SHALLOW / 2 ? lanes - k : SHALLOW / 2, NULL};
        for (int32_t part = 0; part < 2; part++)
            pq_tiles_s16_x86_avx2.of[0][rows - 1](&x, factors + (size_t)(part * lanes + k) * 64, 0, NOTHING, 0,
                                                  &(pq_sums){sums[part], 64, 0, 0});
        for (int32_t i = 0; i < 16 * rows; i++) total[i] += (int64_t)sums[0][i] * 256 + sums[1][i];
    }
    for (int32_t i = 0; i < rows; i++, y += p->columns)
        for (int32_t c = 0; c < n && c < 16; c++) y[c] = code_s16(p, 0, (uint64_t)total[16 * i + c]);
}

#define TYPE s8
#include "pack_avx2.h"
#include "packed.h"
#define TYPE s16
#include "pack_avx2.h"
#include "packed.h"
#define TYPE f32
#include "pack_avx2.h"
#include "packed.h"
#endif
