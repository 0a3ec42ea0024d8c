/* mean of elements side by side: of codes by dot products with ones, of floats for 16 means at once, each in its order. The
 * other means are left to AVX2, which adds them side by side. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

#include "fixed.h"
#include "mean.h"
#include "pq.h"
#include "transpose_avx512.h"

/* As offsets grow, the last one tells. */
static inline bool side_by_side(const pq_mean *p) { return p->inner == 1 && p->terms >= 16 && p->offsets[p->terms - 1] == p->terms - 1; }

static inline __mmask64 first_bytes(int32_t n) { return n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0); }

/* Sums of codes, which wrap at 32 bits. */
static inline uint32_t sum_u8(const uint8_t *x, int32_t n, uint8_t flip) {
    __m512i sums = _mm512_setzero_si512();
    for (int32_t i = 0; i < n; i += 64) {
        const __mmask64 mask = first_bytes(n - i);
        const __m512i codes = _mm512_maskz_loadu_epi8(mask, x + i);
        sums = _mm512_dpbusd_epi32(sums, _mm512_xor_si512(codes, _mm512_set1_epi8((char)flip)), _mm512_maskz_set1_epi8(mask, 1));
    }
    return (uint32_t)_mm512_reduce_add_epi32(sums);
}

static inline uint32_t sum_s8(const int8_t *x, int32_t n) { return sum_u8((const uint8_t *)x, n, 128) - (uint32_t)n * 128; }

static inline uint32_t sum_s16(const int16_t *x, int32_t n) {
    __m512i sums = _mm512_setzero_si512();
    for (int32_t i = 0; i < n; i += 32) {
        const __mmask32 mask = (__mmask32)first_bytes(n - i < 32 ? n - i : 32);
        sums = _mm512_dpwssd_epi32(sums, _mm512_maskz_loadu_epi16(mask, x + i), _mm512_set1_epi16(1));
    }
    return (uint32_t)_mm512_reduce_add_epi32(sums);
}

#define MEAN(type, code, SUM)                                                                              \
    pq_kernel_function mean_##type##_x86_avx2;                                                             \
    void mean_##type##_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {                   \
        const pq_mean *p = step->params;                                                                   \
        if (!side_by_side(p)) {                                                                            \
            mean_##type##_x86_avx2(step, begin, end);                                                      \
            return;                                                                                        \
        }                                                                                                  \
        const int32_t zero = p->zero_point;                                                                \
        for (int32_t unit = begin; unit < end; unit++) {                                                   \
            const code *x = (const code *)step->in[0] + p->starts[unit];                                   \
            const int32_t total = (int32_t)(SUM + (uint32_t)p->offset);                                    \
            const int32_t scaled = pq_multiply(total, p->multiplier, p->exponent);                         \
            ((code *)step->out[0])[unit] = (code)(pq_clamp(scaled, p->lo - zero, p->hi - zero) + zero);    \
        }                                                                                                  \
    }
MEAN(s8, int8_t, sum_s8(x, p->terms))
MEAN(u8, uint8_t, sum_u8(x, p->terms, 0))
MEAN(s16, int16_t, sum_s16(x, p->terms))

/* The sums of `terms` floats each from up to 16 starts on. */
static __m512 sums_of(const pq_mean *p, const float *x, const int64_t *starts, int32_t units) {
    __m512 sums = _mm512_setzero_ps();
    for (int32_t t = 0; t < p->terms; t += 16) {
        const int32_t some = p->terms - t < 16 ? p->terms - t : 16;
        const __mmask16 mask = (__mmask16)first_bytes(some);
        __m512i terms[16];
        for (int32_t i = 0; i < 16; i++) terms[i] = _mm512_maskz_loadu_epi32(i < units ? mask : 0, x + starts[i < units ? i : 0] + t);
        pq_transpose(terms);
        for (int32_t i = 0; i < some; i++) sums = _mm512_add_ps(sums, _mm512_castsi512_ps(terms[i]));
    }
    return sums;
}

pq_kernel_function mean_f32_x86_avx2;

void mean_f32_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {
    const pq_mean *p = step->params;
    if (!side_by_side(p)) {
        mean_f32_x86_avx2(step, begin, end);
        return;
    }
    for (int32_t unit = begin; unit < end; unit += 16) {
        const int32_t units = end - unit < 16 ? end - unit : 16;
        const __m512 sums = sums_of(p, step->in[0], p->starts + unit, units);
        _mm512_mask_storeu_ps((float *)step->out[0] + unit, (__mmask16)first_bytes(units), _mm512_div_ps(sums, _mm512_set1_ps(p->divisor)));
    }
}
#endif
