/* Cells: activations as the dot products of AVX-512 multiply them, for each TYPE of types.h; those of codes and of dynamic terms
 * are unsigned bytes. To be included where that set is on. */
#ifndef PQ_CELLS_AVX512_H
#define PQ_CELLS_AVX512_H
#include "vectors_avx512.h"
#include "dynamic_vectors.h"

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

/* What is added to a term to make it a cell. */
static inline int32_t offset_s8(int16_t origin) { return 128 + origin; }
static inline int32_t offset_u8(int16_t origin) { return origin; }
static inline int32_t offset_s16(int16_t origin) { return (void)origin, 0; }
static inline int32_t offset_f32(float origin) { return (void)origin, 0; }
static inline int32_t offset_f32s8(pq_dynamic origin) { return pq_dynamic_offset(origin); }
#endif
