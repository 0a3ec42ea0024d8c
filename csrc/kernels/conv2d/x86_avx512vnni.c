/* conv2d by the dot products of AVX-512 VNNI: panels of up to MOST_ROWS pixels by blocks of 16 channels. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include <string.h>

#include "layout.h"
#include "pq.h"
#include "cells_avx512.h"
#include "rescale_avx512.h"
#include "tiles.h"

/* What filters are left to whose terms are too many for a panel. */
pq_kernel_function conv2d_s8_x86_avx2, conv2d_u8_x86_avx2, conv2d_s16_x86_avx2, conv2d_f32_x86_avx2, conv2d_f32s8_x86_avx2;

/* MOST_ROWS: of a panel, which takes L1_SHARE bytes of the nearest cache, or ROWS rows. */
enum { ROWS = PQ_TILE_ROWS, MOST_ROWS = 8 * ROWS, L1_SHARE = 16 << 10, WIDE_BLOCKS = PQ_WIDE_BLOCKS };

#define TILES_s8 (&pq_tiles_u8)
#define TILES_u8 (&pq_tiles_u8)
#define TILES_s16 (&pq_tiles_s16)
#define TILES_f32 (panel->p->fused ? &pq_tiles_fused_f32 : &pq_tiles_f32)
#define TILES_f32s8 (&pq_tiles_u8)

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

/* What is added to scaled sums, and what clamps them then, as vectors of int16. */
typedef struct {
    __m512i zero, lo, hi;
} code_limits;

PQ_INLINE code_limits limits_of(int32_t zero, int32_t lo, int32_t hi) {
    return (code_limits){_mm512_set1_epi16((int16_t)zero), _mm512_set1_epi16((int16_t)lo), _mm512_set1_epi16((int16_t)hi)};
}

/* Sums times doubles, of the lanes in the mask, rounded half away from zero and clamped to whole numbers. */
PQ_INLINE __m512i scaled_by_doubles(__m512i sums, const double *real, __mmask16 mask, __m512d lo, __m512d hi) {
    const __m512d below_half = _mm512_set1_pd(0x1.fffffffffffffp-2), sign = _mm512_set1_pd(-0.0);
    __m256i whole[2];
    for (int i = 0; i < 2; i++) {
        const __m256i half = i ? _mm512_extracti64x4_epi64(sums, 1) : _mm512_castsi512_si256(sums);
        const __m512d factors = _mm512_maskz_loadu_pd((__mmask8)(mask >> 8 * i), real + 8 * i);
        const __m512d scaled = _mm512_mul_pd(_mm512_cvtepi32_pd(half), factors);
        const __m512d away = _mm512_add_pd(scaled, _mm512_or_pd(_mm512_and_pd(scaled, sign), below_half));
        whole[i] = _mm512_cvttpd_epi32(_mm512_min_pd(_mm512_max_pd(away, lo), hi));
    }
    return _mm512_inserti64x4(_mm512_castsi256_si512(whole[0]), whole[1], 1);
}

/* 32 scaled sums of two blocks -> codes of n channels at y, all 32 of them where n is more */
PQ_INLINE void store_codes(__m512i first, __m512i second, code_limits limits, int32_t n, bool words, void *y) {
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i codes = _mm512_permutexvar_epi64(order, _mm512_packs_epi32(first, second));
    codes = _mm512_min_epi16(_mm512_max_epi16(_mm512_adds_epi16(codes, limits.zero), limits.lo), limits.hi);
    const __mmask32 mask = n >= 32 ? 0xFFFFFFFF : (1u << n) - 1;
    if (n >= 32 && words) _mm512_storeu_si512(y, codes);
    else if (n >= 32) _mm256_storeu_si256(y, _mm512_cvtepi16_epi8(codes));
    else if (words) _mm512_mask_storeu_epi16(y, mask, codes);
    else _mm256_mask_storeu_epi8(y, mask, _mm512_cvtepi16_epi8(codes));
}

/* 16 scaled sums of each of two rows -> codes of n channels at y and at next, which may be NULL */
PQ_INLINE void store_two_rows(__m512i first, __m512i second, code_limits limits, int32_t n, bool words, void *y, void *next) {
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i codes = _mm512_permutexvar_epi64(order, _mm512_packs_epi32(first, second));
    codes = _mm512_min_epi16(_mm512_max_epi16(_mm512_adds_epi16(codes, limits.zero), limits.lo), limits.hi);
    const __mmask16 mask = n >= 16 ? 0xFFFF : (__mmask16)((1u << n) - 1);
    if (words) {
        _mm256_mask_storeu_epi16(y, mask, _mm512_castsi512_si256(codes));
        if (next != NULL) _mm256_mask_storeu_epi16(next, mask, _mm512_extracti64x4_epi64(codes, 1));
        return;
    }
    const __m256i bytes = _mm512_cvtepi16_epi8(codes);
    if (n >= 16) _mm_storeu_si128(y, _mm256_castsi256_si128(bytes));
    else if (n == 8) _mm_storel_epi64(y, _mm256_castsi256_si128(bytes));
    else _mm_mask_storeu_epi8(y, mask, _mm256_castsi256_si128(bytes));
    if (next == NULL) return;
    if (n >= 16) _mm_storeu_si128(next, _mm256_extracti128_si256(bytes, 1));
    else if (n == 8) _mm_storel_epi64(next, _mm256_extracti128_si256(bytes, 1));
    else _mm_mask_storeu_epi8(next, mask, _mm256_extracti128_si256(bytes, 1));
}

/* Rows of an image, those of the filter from `top` on, `columns` columns from `left` on. */
typedef struct {
    int32_t image, left, columns, top;
} held_rows;

static const char NOTHING[64]; /* what sums start from where nothing is known of them */

#define ISA x86_avx512vnni
#define EACH "kernels/conv2d/panels.h"
#include "each_type.h"
#endif
