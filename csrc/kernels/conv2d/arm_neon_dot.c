/* conv2d by the dot products of NEON: four signed bytes with four, added to a sum. */
#if defined(__aarch64__)
#pragma GCC target("arch=armv8.2-a+dotprod")
#include <arm_neon.h>
#include <string.h>

#include "layout.h"
#include "pq.h"
#include "rescale_neon.h"

enum { ROWS = 4, PIXELS = 16, TERMS = 512 };

typedef int8_t byte;

/* acc[r][...] += lane `lane` of each row's cells, a constant, times its 64 bytes of weights */
#define ADD_LANE(lane)                                                                                                     \
    for (int b = 0; b < 4; b++) {                                                                                          \
        const int8x16_t factors = vld1q_s8(w + 64 * lane + 16 * b);                                                        \
        for (int r = 0; r < rows; r++) acc[r][b] = vdotq_laneq_s32(acc[r][b], factors, cells[r], lane);                    \
    }

static inline __attribute__((always_inline)) void accumulate_bytes(
    const byte *x, int rows, const int8_t *w, int32_t terms, int32_t *sums) {
    int32x4_t acc[ROWS][4];
    int8x16_t cells[ROWS];
    memcpy(acc, sums, sizeof(int32_t) * BLOCK * (size_t)rows);
    int32_t k = 0;
    for (; k + 16 <= terms; k += 16, w += 4 * 64) {
        for (int r = 0; r < rows; r++) cells[r] = vld1q_s8(x + r * TERMS + k);
        ADD_LANE(0)
        ADD_LANE(1)
        ADD_LANE(2)
        ADD_LANE(3)
    }
    for (; k < terms; k += 4, w += 64) {
        for (int r = 0; r < rows; r++) cells[r] = vreinterpretq_s8_s32(vld1q_dup_s32((const void *)(x + r * TERMS + k)));
        ADD_LANE(0)
    }
    memcpy(sums, acc, sizeof(int32_t) * BLOCK * (size_t)rows);
}

#define BYTES 1
#define ISA arm_neon_dot
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE f32s8
#include "generic.h"
#endif
