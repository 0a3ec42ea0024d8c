/* depthwise_conv2d by the dot products of AVX-512 VNNI: the taps of a channel stand side by side in a lane. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include <string.h>

#include "depthwise_conv2d.h"
#include "pq.h"
#include "rescale_avx512.h"
#include "dynamic_vectors.h"
#include "taps.h"

/* Vectors that are made together, so that what they share is loaded once. */
#define PQ_VECTORS_s8 2
#define PQ_VECTORS_u8 2
#define PQ_VECTORS_s16 4
#define PQ_VECTORS_f32 4
#define PQ_VECTORS_f32s8 2
#define VECTORS PQ_JOIN(PQ_VECTORS, TYPE)

#define PQ_BYTES_s8 1
#define PQ_BYTES_u8 1
#define PQ_BYTES_s16 0
#define PQ_BYTES_f32 0
#define PQ_BYTES_f32s8 1
#define PQ_SUMS_f32s8 __m512i
#define PQ_SUMS_s8 __m512i
#define PQ_SUMS_u8 __m512i
#define PQ_SUMS_s16 __m512i
#define PQ_SUMS_f32 __m512

/* What channels are left to that have several filters each, and filters of many taps. */
pq_kernel_function depthwise_conv2d_s8_x86_avx2, depthwise_conv2d_u8_x86_avx2, depthwise_conv2d_s16_x86_avx2,
    depthwise_conv2d_f32_x86_avx2, depthwise_conv2d_f32s8_x86_avx2;

enum { MOST_OUTSIDE = 2048 }; /* taps of pixels at the sides of an image that are found once for all channels */

/* Height for width, of images, filters and all. */
static void turn(pq_depthwise_conv2d *p) {
    const pq_depthwise_conv2d was = *p;
    p->height = was.width, p->width = was.height, p->out_height = was.out_width, p->out_width = was.out_height;
    p->filter_height = was.filter_width, p->filter_width = was.filter_height;
    p->stride_height = was.stride_width, p->stride_width = was.stride_height;
    p->dilation_height = was.dilation_width, p->dilation_width = was.dilation_height;
    p->pad_top = was.pad_left, p->pad_left = was.pad_top;
}

PQ_INLINE __m128i part_of(const char *x, int32_t n) { return _mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), x); }

/* How a vector's pixels lie in memory: each by itself, of n bytes, or with no byte missing; the latter side by side; or there
 * is one only. */
typedef enum { PARTIAL, ENTIRE, JOINED, SINGLE } lie;

/* Where the taps of pixels are: pixel i finds tap t at first[i · stride + t] + i · step. */
typedef struct {
    const char *const *first;
    size_t stride;
    ptrdiff_t step;
} tap_places;

PQ_INLINE const char *place_of(tap_places taps, size_t i, int32_t t) { return taps.first[i * taps.stride + (size_t)t] + (ptrdiff_t)i * taps.step; }

/* The cells of tap t of `pixels` pixels from pixel i on, side by side. */
PQ_INLINE __m512i load_tap(tap_places taps, size_t i, int32_t t, int pixels, lie lie, int32_t n) {
    const __mmask64 mask = n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
    const char *x = place_of(taps, i, t);
    if (pixels == 1) return lie == PARTIAL ? _mm512_maskz_loadu_epi8(mask, x) : _mm512_loadu_si512(x);
    if (lie == JOINED) return _mm512_loadu_si512(x);
    if (lie == SINGLE) return _mm512_maskz_loadu_epi8(mask, x);
    if (pixels == 2) {
        const char *next = place_of(taps, i + 1, t);
        const __m256i a = lie == PARTIAL ? _mm256_maskz_loadu_epi8((__mmask32)mask, x) : _mm256_loadu_si256((const void *)x);
        const __m256i b = lie == PARTIAL ? _mm256_maskz_loadu_epi8((__mmask32)mask, next) : _mm256_loadu_si256((const void *)next);
        return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
    }
    __m128i quarter[4];
    for (size_t j = 0; j < 4; j++) {
        if (pixels == 4 && lie == PARTIAL) quarter[j] = part_of(place_of(taps, i + j, t), n);
        else if (pixels == 4) quarter[j] = _mm_loadu_si128((const void *)place_of(taps, i + j, t));
        else quarter[j] = _mm_unpacklo_epi64(part_of(place_of(taps, i + 2 * j, t), n), part_of(place_of(taps, i + 2 * j + 1, t), n));
    }
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(quarter[0]), quarter[1], 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(quarter[2]), quarter[3], 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Store the first n bytes of each pixel's share of a vector, for the first `count` of `pixels` pixels. */
PQ_INLINE void store_pixels(char *y, size_t pixel, __m512i codes, int pixels, lie lie, int32_t n, int32_t count) {
    const __mmask64 mask = n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
    if (pixels == 1 && lie == PARTIAL) {
        _mm512_mask_storeu_epi8(y, mask, codes);
    } else if (pixels == 1 || (lie == JOINED && count == pixels)) {
        _mm512_storeu_si512(y, codes);
    } else {
        char shares[64];
        _mm512_storeu_si512(shares, codes);
        for (int32_t i = 0; i < count; i++, y += pixel) {
            const void *share = shares + i * (64 / pixels);
            if (lie != PARTIAL && lie != SINGLE) memcpy(y, share, (size_t)(64 / pixels));
            else if (pixels == 2) _mm256_mask_storeu_epi8(y, (__mmask32)mask, _mm256_loadu_si256(share));
            else _mm_mask_storeu_epi8(y, (__mmask16)mask, _mm_maskz_loadu_epi8((__mmask16)mask, share));
        }
    }
}

#define ISA x86_avx512vnni
#define EACH "kernels/depthwise_conv2d/vectors.h"
#include "each_type.h"
#endif
