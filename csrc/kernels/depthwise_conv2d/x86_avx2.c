/* depthwise_conv2d by the pairwise multiply-add of AVX2, which two taps of a channel side by side meet, and by FMA. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include <string.h>

#include "codes_avx2.h"
#include "depthwise_conv2d.h"
#include "dynamic_vectors.h"
#include "pq.h"
#include "taps.h"

/* Vectors that are made together at most, so that what they share is loaded once. */
#define PQ_VECTORS_s8 2
#define PQ_VECTORS_u8 2
#define PQ_VECTORS_s16 2
#define PQ_VECTORS_f32 4
#define PQ_VECTORS_f32s8 2
#define VECTORS PQ_JOIN(PQ_VECTORS, TYPE)

typedef pq_two_vectors vector;
typedef struct {
    __m256 part[2];
} two_of_floats;

#define PQ_SUMS_f32s8 pq_two_vectors
#define PQ_SUMS_s8 pq_two_vectors
#define PQ_SUMS_u8 pq_two_vectors
#define PQ_SUMS_s16 pq_two_vectors
#define PQ_SUMS_f32 two_of_floats

/* The cells of n activations, and that of a zero term. */
#define CELLS_OF(TYPE, CODE, CELL)                                                                  \
    static inline void cells_##TYPE(const CODE *x, size_t n, CELL origin, CELL *restrict cells) {   \
        for (size_t i = 0; i < n; i++) cells[i] = (CELL)(x[i] - origin);                            \
    }                                                                                               \
    static inline int32_t offset_##TYPE(CELL origin) { return (void)origin, 0; }
CELLS_OF(s8, int8_t, int16_t)
CELLS_OF(u8, uint8_t, int16_t)
CELLS_OF(s16, int16_t, int16_t)
CELLS_OF(f32, float, float)
#define cells_f32s8 pq_dynamic_words
static inline int32_t offset_f32s8(pq_dynamic origin) { return (void)origin, 0; }

/* Store n bytes of the share that each of `count` pixels has of a vector; pixels are `pixel` bytes apart. */
PQ_INLINE void store_pixels(char *y, size_t pixel, vector codes, int32_t share, int32_t n, int32_t count) {
    char shares[64 + 16];
    memcpy(shares, &codes, sizeof codes);
    if (pixel == (size_t)share) n *= count, count = 1; /* side by side */
    for (int32_t i = 0; i < count; i++, y += pixel)
        for (int32_t at = 0; at < n; at += 16) pq_put_some_bytes(_mm_loadu_si128((const void *)(shares + i * share + at)), n - at, y + at);
}

#define MULTIPLY "sums_avx2.h"
#define ISA x86_avx2
#define BYTES 0
#define EACH "kernels/depthwise_conv2d/vectors.h"
#include "each_type.h"
#endif
