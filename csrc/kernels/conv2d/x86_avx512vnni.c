/* conv2d by the dot products of AVX-512 VNNI: panels of up to MOST_ROWS pixels by blocks of 16 channels. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include <string.h>

#include "layout.h"
#include "pq.h"
#include "cells_avx512.h"
#include "rescale_avx512.h"
#include "tiles.h"

#define TILES_s8 (&pq_tiles_u8_x86_avx512vnni)
#define TILES_u8 (&pq_tiles_u8_x86_avx512vnni)
#define TILES_s16 (&pq_tiles_s16_x86_avx512vnni)
#define TILES_f32 (panel->p->fused ? &pq_tiles_fused_f32_x86_avx512vnni : &pq_tiles_f32_x86_avx512vnni)
#define TILES_f32s8 (&pq_tiles_u8_x86_avx512vnni)

/* Σ of `count` times n bytes, each `pitch` after the other */
static int32_t sum_of_bytes(const uint8_t *x, size_t count, size_t pitch, size_t n) {
    __m512i sum = _mm512_setzero_si512();
    for (size_t row = 0; row < count; row++, x += pitch) {
        for (size_t i = 0; i < n; i += 64) {
            const __mmask64 mask = n - i < 64 ? (UINT64_C(1) << (n - i)) - 1 : ~UINT64_C(0);
            sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_loadu_epi8(mask, x + i), _mm512_set1_epi8(1));
        }
    }
    return _mm512_reduce_add_epi32(sum);
}

typedef __m512i sixteen;

PQ_INLINE sixteen less(sixteen sums, int32_t n) { return _mm512_sub_epi32(sums, _mm512_set1_epi32(n)); }

/* What is added to scaled sums, of int16, and what clamps codes then. */
typedef struct {
    __m512i zero, lo, hi;
} code_limits;

PQ_INLINE code_limits limits_of(int32_t zero, int32_t lo, int32_t hi, size_t code_size) {
    if (code_size == 1) return (code_limits){_mm512_set1_epi16((int16_t)zero), _mm512_set1_epi8((char)lo), _mm512_set1_epi8((char)hi)};
    return (code_limits){_mm512_set1_epi16((int16_t)zero), _mm512_set1_epi16((int16_t)lo), _mm512_set1_epi16((int16_t)hi)};
}

/* How sums are scaled: by pq_rescaled, by that of wide sums, by doubles, or by floats where these do the same. */
typedef enum { EXACTLY, WIDELY, BY_DOUBLES, BY_FLOATS } scaling;

/* Sums times doubles, of the first n lanes, rounded half away from zero and clamped. */
PQ_INLINE __m512i scaled_by_doubles(__m512i sums, const double *real, int32_t n, int32_t lo, int32_t hi) {
    const __m512d below_half = _mm512_set1_pd(0x1.fffffffffffffp-2), sign = _mm512_set1_pd(-0.0);
    const int32_t mask = n >= 16 ? 0xFFFF : n > 0 ? (1 << n) - 1 : 0;
    __m256i whole[2];
    for (int i = 0; i < 2; i++) {
        const __m256i half = i ? _mm512_extracti64x4_epi64(sums, 1) : _mm512_castsi512_si256(sums);
        const __m512d factors = _mm512_maskz_loadu_pd((__mmask8)(mask >> 8 * i), real + 8 * i);
        const __m512d scaled = _mm512_mul_pd(_mm512_cvtepi32_pd(half), factors);
        const __m512d away = _mm512_add_pd(scaled, _mm512_or_pd(_mm512_and_pd(scaled, sign), below_half));
        whole[i] = _mm512_cvttpd_epi32(_mm512_min_pd(_mm512_max_pd(away, _mm512_set1_pd(lo)), _mm512_set1_pd(hi)));
    }
    return _mm512_inserti64x4(_mm512_castsi256_si512(whole[0]), whole[1], 1);
}

/* Store the first n bytes of each row's share of a vector, 16, 32 or 64 bytes, for as many rows as it holds of those that are left. */
PQ_INLINE void store_shares(__m512i codes, const int32_t share, int32_t n, int32_t rows, char *y, size_t row_size) {
    if (share == 64) {
        if (n >= 64) _mm512_storeu_si512(y, codes);
        else _mm512_mask_storeu_epi8(y, (UINT64_C(1) << n) - 1, codes);
    } else if (share == 32) {
        const __m256i halves[2] = {_mm512_castsi512_si256(codes), _mm512_extracti64x4_epi64(codes, 1)};
        for (int32_t i = 0; i < 2 && i < rows; i++, y += row_size) {
            if (n >= 32) _mm256_storeu_si256((void *)y, halves[i]);
            else _mm256_mask_storeu_epi8(y, (1u << n) - 1, halves[i]);
        }
    } else {
        const __m128i quarters[4] = {_mm512_castsi512_si128(codes), _mm512_extracti32x4_epi32(codes, 1), _mm512_extracti32x4_epi32(codes, 2),
                                     _mm512_extracti32x4_epi32(codes, 3)};
        for (int32_t i = 0; i < 4 && i < rows; i++, y += row_size) {
            if (n >= 16) _mm_storeu_si128((void *)y, quarters[i]);
            else if (n == 8) _mm_storel_epi64((void *)y, quarters[i]);
            else _mm_mask_storeu_epi8(y, (__mmask16)((1u << n) - 1), quarters[i]);
        }
    }
}

#define STORE "store_avx512.h"
#define ISA x86_avx512vnni
#define BYTES 1
#define TYPE s8
#include "panels.h"
#define TYPE u8
#include "panels.h"
#define TYPE f32s8
#include "panels.h"
#undef BYTES
#define BYTES 0
#define TYPE s16
#include "panels.h"
#define TYPE f32
#include "panels.h"
#endif
