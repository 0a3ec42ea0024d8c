/* depthwise_conv2d by the dot products of AVX-512 VNNI: the taps of a channel stand side by side in a lane. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include <string.h>

#include "depthwise_conv2d.h"
#include "pq.h"
#include "dynamic_avx512.h"
#include "rescale_avx512.h"
#include "taps.h"

enum { PIECE = 64, VECTORS = 2 };

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

/* Where channels have several filters each, or a filter many taps. */
#define ISA x86_avx512vnni_plain
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE s16
#include "generic.h"
#define TYPE f32
#include "generic.h"
#define TYPE f32s8
#include "generic.h"
#undef ISA

/* The cells at x of `pixels` pixels, side by side; of n bytes each, where they are not all there. */
PQ_INLINE __m512i load_tap(const char *const *x, size_t stride, int pixels, bool part, int32_t n) {
    const __mmask64 mask = n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
    if (pixels == 1) return part ? _mm512_maskz_loadu_epi8(mask, x[0]) : _mm512_loadu_si512(x[0]);
    if (pixels == 2) {
        const __m256i a = part ? _mm256_maskz_loadu_epi8((__mmask32)mask, x[0]) : _mm256_loadu_si256((const void *)x[0]);
        const __m256i b = part ? _mm256_maskz_loadu_epi8((__mmask32)mask, x[stride]) : _mm256_loadu_si256((const void *)x[stride]);
        return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
    }
    __m512i all = _mm512_setzero_si512();
    const __m128i a = part ? _mm_maskz_loadu_epi8((__mmask16)mask, x[0]) : _mm_loadu_si128((const void *)x[0]);
    const __m128i b = part ? _mm_maskz_loadu_epi8((__mmask16)mask, x[stride]) : _mm_loadu_si128((const void *)x[stride]);
    const __m128i c = part ? _mm_maskz_loadu_epi8((__mmask16)mask, x[2 * stride]) : _mm_loadu_si128((const void *)x[2 * stride]);
    const __m128i d = part ? _mm_maskz_loadu_epi8((__mmask16)mask, x[3 * stride]) : _mm_loadu_si128((const void *)x[3 * stride]);
    all = _mm512_inserti32x4(_mm512_inserti32x4(_mm512_castsi128_si512(a), b, 1), c, 2);
    return _mm512_inserti32x4(all, d, 3);
}

/* Store the first n bytes of each pixel's share of a vector, for the first `count` of `pixels` pixels. */
PQ_INLINE void store_pixels(char *y, size_t pixel, __m512i codes, int pixels, bool part, int32_t n, int32_t count) {
    const __mmask64 mask = n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
    if (pixels == 1) {
        if (part) _mm512_mask_storeu_epi8(y, mask, codes);
        else _mm512_storeu_si512(y, codes);
    } else if (pixels == 2) {
        const __m256i halves[2] = {_mm512_castsi512_si256(codes), _mm512_extracti64x4_epi64(codes, 1)};
        for (int32_t i = 0; i < count; i++, y += pixel) {
            if (part) _mm256_mask_storeu_epi8(y, (__mmask32)mask, halves[i]);
            else _mm256_storeu_si256((void *)y, halves[i]);
        }
    } else {
        const __m128i quarters[4] = {_mm512_castsi512_si128(codes), _mm512_extracti32x4_epi32(codes, 1),
                                     _mm512_extracti32x4_epi32(codes, 2), _mm512_extracti32x4_epi32(codes, 3)};
        for (int32_t i = 0; i < count; i++, y += pixel) {
            if (part) _mm_mask_storeu_epi8(y, (__mmask16)mask, quarters[i]);
            else _mm_storeu_si128((void *)y, quarters[i]);
        }
    }
}

#define ISA x86_avx512vnni
#define TYPE s8
#include "vectors.h"
#define TYPE u8
#include "vectors.h"
#define TYPE s16
#include "vectors.h"
#define TYPE f32
#include "vectors.h"
#define TYPE f32s8
#include "vectors.h"
#endif
