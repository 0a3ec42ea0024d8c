/* batch_matmul by the dot products of AVX-512 VNNI.
 * s8: cells are a + 128, unsigned. s16: b is 256 times one part and another, from -128 to 128 each, so that 32 bits hold the
 * sums of SHALLOW products. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include <string.h>

#include "batch_matmul.h"
#include "fixed.h"
#include "pq.h"
#include "rescale_avx512.h"
#include "tiles.h"
#include "transpose_avx512.h"

#define ISA x86_avx512vnni
#define CELL_s8 uint8_t
#include "lanes.h"

PQ_INLINE __mmask64 first_bytes(int32_t n) { return n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0); }

/* 16 codes of a row of b, one in the low bits of each dword */
PQ_INLINE __m512i dwords_s8(const pq_batch_matmul *p, const char *x, __mmask16 mask) {
    (void)p;
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, x));
}

PQ_INLINE __m512i dwords_s16(const pq_batch_matmul *p, const char *x, __mmask16 mask) {
    const __m256i codes = p->narrow ? _mm256_cvtepi8_epi16(_mm_maskz_loadu_epi8(mask, x)) : _mm256_maskz_loadu_epi16(mask, x);
    return _mm512_cvtepu16_epi32(codes);
}

PQ_INLINE __m512i dwords_f32(const pq_batch_matmul *p, const char *x, __mmask16 mask) {
    (void)p;
    return _mm512_maskz_loadu_epi32(mask, x);
}

/* n codes of a column of b, 64 bytes of factors at most */
PQ_INLINE __m512i run_s8(const pq_batch_matmul *p, const char *x, int32_t n) {
    (void)p;
    return _mm512_maskz_loadu_epi8(first_bytes(n), x);
}

PQ_INLINE __m512i run_s16(const pq_batch_matmul *p, const char *x, int32_t n) {
    if (p->narrow) return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8((__mmask32)first_bytes(n), x));
    return _mm512_maskz_loadu_epi8(first_bytes(2 * n), x);
}

PQ_INLINE __m512i run_f32(const pq_batch_matmul *p, const char *x, int32_t n) {
    (void)p;
    return _mm512_maskz_loadu_epi8(first_bytes(4 * n), x);
}

PQ_INLINE void put_s8(__m512i lane, size_t part, char *to) {
    (void)part;
    _mm512_storeu_si512(to, lane);
}

PQ_INLINE void put_f32(__m512i lane, size_t part, char *to) { put_s8(lane, part, to); }

PQ_INLINE void put_s16(__m512i lane, size_t part, char *to) {
    const __m512i shifted = _mm512_slli_epi16(lane, 8), borrow = _mm512_srai_epi16(shifted, 15);
    _mm512_storeu_si512(to, _mm512_sub_epi16(_mm512_srai_epi16(lane, 8), borrow));
    _mm512_storeu_si512(to + part, _mm512_srai_epi16(shifted, 8));
}

PQ_INLINE uint8_t cell_s8(const pq_batch_matmul *p, int8_t a) { return (void)p, (uint8_t)(a ^ -128); }

/* The cells of n codes; they are written in whole vectors, past n. */
PQ_INLINE void cells_s8(const pq_batch_matmul *p, const int8_t *a, int32_t n, uint8_t *cells) {
    for (int32_t k = 0; k < n; k += 64)
        _mm512_storeu_si512(cells + k, _mm512_xor_si512(run_s8(p, (const char *)a + k, n - k), _mm512_set1_epi8((char)0x80)));
}

/* Σ (a - a_zero)(b - b_zero) = Σ cell · b - origin Σ b - b_zero Σ cell + depth · origin · b_zero, origin = 128 + a_zero: what each
 * column's sums start from, and what each row's lack. Sums wrap. */
static void sum_columns_s8(const pq_batch_matmul *p, const char *factors, int32_t lanes, int32_t blocks, int32_t *starts) {
    const int32_t origin = 128 + p->a_zero;
    const __m512i always = _mm512_set1_epi32((int32_t)((uint32_t)p->depth * (uint32_t)(origin * p->b_zero)));
    for (int32_t b = 0; b < blocks; b++, starts += 16) {
        __m512i sums = _mm512_setzero_si512();
        for (int32_t k = 0; k < lanes && origin != 0; k++, factors += 64)
            sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), _mm512_loadu_si512(factors));
        _mm512_storeu_si512(starts, _mm512_sub_epi32(always, _mm512_mullo_epi32(sums, _mm512_set1_epi32(origin))));
    }
}

static void sum_rows_s8(const pq_batch_matmul *p, const uint8_t *cells, size_t stride, int32_t rows, int32_t *lacking) {
    for (int32_t i = 0; i < rows; i++, cells += stride) {
        __m512i sums = _mm512_setzero_si512();
        for (int32_t k = 0; k < p->depth && p->b_zero != 0; k += 64)
            sums = _mm512_dpbusd_epi32(sums, _mm512_maskz_loadu_epi8(first_bytes(p->depth - k), cells + k), _mm512_set1_epi8(1));
        lacking[i] = p->b_zero * _mm512_reduce_add_epi32(sums);
    }
}

static bool holds_s8(const pq_batch_matmul *p) {
    return !p->by_column && pq_rescale_holds(INT64_C(255) * 255 * p->depth, *p->multiplier, *p->exponent, false);
}

/* Clamped before the zero point is added, so that nothing overflows. */
PQ_INLINE __m512i codes_of(const pq_batch_matmul *p, __m512i scaled, int32_t lo, int32_t hi) {
    const __m512i zero = _mm512_set1_epi32(p->zero_point);
    scaled = _mm512_max_epi32(scaled, _mm512_set1_epi32(lo - p->zero_point));
    return _mm512_add_epi32(_mm512_min_epi32(scaled, _mm512_set1_epi32(hi - p->zero_point)), zero);
}

PQ_INLINE __mmask16 first_columns(int32_t n) { return n < 16 ? (__mmask16)((1u << n) - 1) : 0xFFFF; }

/* A tile's products, and the n codes of y that they lead to in each row. */
PQ_INLINE void tile_s8(const pq_batch_matmul *p, const char *cells, size_t stride, const char *factors, int32_t lanes, int32_t rows,
                       int32_t blocks, const int32_t *starts, const int32_t *lacking, int32_t n, int8_t *y) {
    __m512i sums[ROWS * 2], *from = sums;
    const pq_pieces x = {cells, stride, 1, 0, lanes, NULL};
    pq_tiles_u8_x86_avx512vnni.of[blocks - 1][rows - 1](&x, factors, (size_t)lanes * 64, (const char *)starts, 64,
                                                        &(pq_sums){sums, (size_t)blocks * 64, 0, 0});
    const pq_rescale_vectors scaling = pq_rescale_all(*p->multiplier, *p->exponent);
    for (int32_t i = 0; i < rows; i++, y += p->columns)
        for (int32_t b = 0; b < blocks; b++) {
            const __m512i sum = _mm512_sub_epi32(*from++, _mm512_set1_epi32(lacking[i]));
            const __m512i codes = codes_of(p, pq_rescaled(sum, scaling, false, true), INT8_MIN, INT8_MAX);
            _mm_mask_storeu_epi8(y + 16 * b, first_columns(n - 16 * b), _mm512_cvtepi32_epi8(codes));
        }
}

/* 8 sums -> (x · multiplier + half) >> shift */
PQ_INLINE __m512i scaled64(__m512i sums, __m512i multiplier, __m512i half, __m128i shift) {
    return _mm512_sra_epi64(_mm512_add_epi64(_mm512_mullo_epi64(sums, multiplier), half), shift);
}

PQ_INLINE void tile_s16(const pq_batch_matmul *p, const char *cells, size_t stride, const char *factors, int32_t lanes, int32_t rows,
                        int32_t blocks, const int32_t *starts, const int32_t *lacking, int32_t n, int16_t *y) {
    (void)blocks, (void)starts, (void)lacking;
    const int32_t m = *p->multiplier, shift = 15 - *p->exponent;
    const __m512i multiplier = _mm512_set1_epi64(m >= 0x7FFF0000 ? 0x7FFF : (m + (1 << 15)) >> 16);
    const __m512i half = _mm512_set1_epi64(INT64_C(1) << (shift - 1));
    const __m128i count = _mm_cvtsi32_si128(shift);
    __m512i sums[ROWS * 2], total[ROWS][2];
    for (int32_t k = 0; k < lanes; k += SHALLOW / 2) {
        const int32_t some = lanes - k < SHALLOW / 2 ? lanes - k : SHALLOW / 2;
        const pq_pieces x = {cells + (size_t)k * 4, stride, 1, 0, some, NULL};
        pq_tiles_s16_x86_avx512vnni.of[1][rows - 1](&x, factors + (size_t)k * 64, (size_t)lanes * 64, NOTHING, 0, &(pq_sums){sums, 128, 0, 0});
        for (int32_t i = 0; i < rows; i++)
            for (int32_t half = 0; half < 2; half++) {
                const __m256i high = ((const __m256i *)sums)[4 * i + half], low = ((const __m256i *)sums)[4 * i + 2 + half];
                const __m512i sum = _mm512_add_epi64(_mm512_slli_epi64(_mm512_cvtepi32_epi64(high), 8), _mm512_cvtepi32_epi64(low));
                total[i][half] = k == 0 ? sum : _mm512_add_epi64(total[i][half], sum);
            }
    }
    for (int32_t i = 0; i < rows; i++, y += p->columns) {
        const __m256i low = _mm512_cvtepi64_epi32(scaled64(total[i][0], multiplier, half, count));
        const __m256i high = _mm512_cvtepi64_epi32(scaled64(total[i][1], multiplier, half, count));
        const __m512i codes = codes_of(p, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1), INT16_MIN, INT16_MAX);
        _mm256_mask_storeu_epi16(y, first_columns(n), _mm512_cvtepi32_epi16(codes));
    }
}

#define TYPE s8
#include "pack_avx512.h"
#include "packed.h"
#define TYPE s16
#include "pack_avx512.h"
#include "packed.h"
#define TYPE f32
#include "pack_avx512.h"
#include "packed.h"
#endif
