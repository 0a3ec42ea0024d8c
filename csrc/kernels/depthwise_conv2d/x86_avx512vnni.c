/* depthwise_conv2d by the dot products of AVX-512 VNNI: the taps of a channel stand side by side in a lane. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include <string.h>

#include "depthwise_conv2d.h"
#include "pq.h"
#include "cells_avx512.h"
#include "rescale_avx512.h"
#include "taps.h"

/* Vectors that are made together at most, so that what they share is loaded once. */
#define PQ_VECTORS_s8 2
#define PQ_VECTORS_u8 2
#define PQ_VECTORS_s16 4
#define PQ_VECTORS_f32 8
#define PQ_VECTORS_f32s8 2
#define VECTORS PQ_JOIN(PQ_VECTORS, TYPE)

#define PQ_SUMS_f32s8 __m512i
#define PQ_SUMS_s8 __m512i
#define PQ_SUMS_u8 __m512i
#define PQ_SUMS_s16 __m512i
#define PQ_SUMS_f32 __m512

typedef __m512i vector;

/* Store n bytes of the share that each of `count` pixels has of a vector; pixels are that many bytes apart. */
PQ_INLINE void store_pixels(char *y, size_t pixel, __m512i codes, int32_t share, int32_t n, int32_t count) {
    if (share == 64 || pixel == (size_t)share) { /* side by side */
        const int32_t bytes = share == 64 ? n : count * share;
        if (bytes >= 64) _mm512_storeu_si512(y, codes);
        else _mm512_mask_storeu_epi8(y, (UINT64_C(1) << bytes) - 1, codes);
        return;
    }
    char shares[64 + 32];
    _mm512_storeu_si512(shares, codes);
    for (int32_t i = 0; i < count; i++, y += pixel)
        _mm256_mask_storeu_epi8(y, n >= 32 ? 0xFFFFFFFF : (1u << n) - 1, _mm256_loadu_si256((const void *)(shares + i * share)));
}

#define MULTIPLY "sums_avx512.h"
#define ISA x86_avx512vnni
#define BYTES 1
#define TYPE s8
#include "vectors.h"
#define TYPE u8
#include "vectors.h"
#define TYPE f32s8
#include "vectors.h"
#undef BYTES
#define BYTES 0
#define TYPE s16
#include "vectors.h"
#define TYPE f32
#include "vectors.h"
#endif
