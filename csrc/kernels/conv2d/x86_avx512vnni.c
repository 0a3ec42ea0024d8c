/* conv2d by the dot products of AVX-512 VNNI: panels of up to MOST_ROWS pixels by blocks of 16 channels. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include <string.h>

#include "layout.h"
#include "pq.h"
#include "rescale_avx512.h"
#include "dynamic_vectors.h"
#include "tiles.h"

#define TILES_s8 (&pq_tiles_u8_x86_avx512vnni)
#define TILES_u8 (&pq_tiles_u8_x86_avx512vnni)
#define TILES_s16 (&pq_tiles_s16_x86_avx512vnni)
#define TILES_f32 (panel->p->fused ? &pq_tiles_fused_f32_x86_avx512vnni : &pq_tiles_f32_x86_avx512vnni)
#define TILES_f32s8 (&pq_tiles_u8_x86_avx512vnni)
#define cells_f32s8 pq_dynamic_bytes

/* The cells of n activations; they may be written in whole vectors, past n. */
static inline void cells_s8(const int8_t *x, size_t n, int16_t origin, uint8_t *cells) {
    (void)origin;
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    if (n <= 16) {
        const __m128i codes = _mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), x);
        _mm_storeu_si128((void *)cells, _mm_xor_si128(codes, _mm512_castsi512_si128(flip)));
        return;
    }
    for (size_t i = 0; i < n; i += 64) {
        const __mmask64 mask = n - i < 64 ? (UINT64_C(1) << (n - i)) - 1 : ~UINT64_C(0);
        _mm512_storeu_si512(cells + i, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, x + i), flip));
    }
}

static inline void cells_u8(const uint8_t *x, size_t n, int16_t origin, uint8_t *cells) {
    (void)origin;
    if (n <= 16) {
        _mm_storeu_si128((void *)cells, _mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), x));
        return;
    }
    for (size_t i = 0; i < n; i += 64) {
        const __mmask64 mask = n - i < 64 ? (UINT64_C(1) << (n - i)) - 1 : ~UINT64_C(0);
        _mm512_storeu_si512(cells + i, _mm512_maskz_loadu_epi8(mask, x + i));
    }
}

static inline void cells_s16(const int16_t *x, size_t n, int16_t origin, int16_t *cells) {
    cells_u8((const uint8_t *)x, n * sizeof *x, origin, (uint8_t *)cells);
}

static inline void cells_f32(const float *x, size_t n, float origin, float *cells) {
    (void)origin;
    cells_u8((const uint8_t *)x, n * sizeof *x, 0, (uint8_t *)cells);
}

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

/* What is added to scaled sums, and what clamps them then, as vectors of int16. */
typedef struct {
    __m512i zero, lo, hi;
} code_limits;

PQ_INLINE code_limits limits_of(int32_t zero, int32_t lo, int32_t hi) {
    return (code_limits){_mm512_set1_epi16((int16_t)zero), _mm512_set1_epi16((int16_t)lo), _mm512_set1_epi16((int16_t)hi)};
}

/* Sums times doubles, of the first n lanes, rounded half away from zero and clamped to whole numbers. */
PQ_INLINE sixteen scaled_by_doubles(sixteen sums, const double *real, int32_t n, double lo, double hi) {
    const __mmask16 mask = n >= 16 ? 0xFFFF : n > 0 ? (__mmask16)((1 << n) - 1) : 0;
    const __m512d below_half = _mm512_set1_pd(0x1.fffffffffffffp-2), sign = _mm512_set1_pd(-0.0);
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
