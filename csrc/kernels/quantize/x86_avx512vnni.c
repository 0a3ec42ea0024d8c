/* quantize_f32 and requantize_s16 by the vectors of AVX-512; scales that those do not hold for are left to AVX2. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#include <immintrin.h>

#include "pq.h"
#include "quantize.h"
#include "rescale_avx512.h"

pq_kernel_function requantize_s16_x86_avx2;

/* 16 codes. Just below a half is added, with the number's sign, and what is behind the point cut off: half away from zero. */
static inline __m512i quantized(__m512 x, const pq_quantize *p) {
    const __m512 lo = _mm512_set1_ps((float)(p->lo - p->zero_point)), hi = _mm512_set1_ps((float)(p->hi - p->zero_point));
    const __m512 half = _mm512_set1_ps(0x1.fffffep-2f), sign = _mm512_set1_ps(-0.0f);
    const __m512 steps = _mm512_div_ps(x, _mm512_set1_ps(p->scale));
    const __mmask16 numbers = _mm512_cmp_ps_mask(steps, steps, _CMP_ORD_Q);
    const __m512 clamped = _mm512_min_ps(_mm512_max_ps(steps, lo), hi);
    const __m512 away = _mm512_add_ps(clamped, _mm512_or_ps(_mm512_and_ps(clamped, sign), half));
    return _mm512_add_epi32(_mm512_maskz_cvttps_epi32(numbers, away), _mm512_set1_epi32(p->zero_point));
}

void quantize_f32_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {
    const pq_quantize p = *(const pq_quantize *)step->params;
    for (int32_t i = begin; i < end; i += 16) {
        const __mmask16 mask = end - i < 16 ? (__mmask16)((1u << (end - i)) - 1) : 0xFFFF;
        const __m512i codes = quantized(_mm512_maskz_loadu_ps(mask, (const float *)step->in[0] + i), &p);
        if (p.wide) _mm256_mask_storeu_epi16((int16_t *)step->out[0] + i, mask, _mm512_cvtepi32_epi16(codes));
        else _mm_mask_storeu_epi8((int8_t *)step->out[0] + i, mask, _mm512_cvtepi32_epi8(codes));
    }
}

/* Clamped before the zero point is added, so that nothing overflows. */
void requantize_s16_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {
    const pq_requantize p = *(const pq_requantize *)step->params;
    const int64_t offset = p.offset < 0 ? -(int64_t)p.offset : p.offset;
    if (p.wide == 2 || !pq_rescale_holds(32768 + offset, p.multiplier, p.exponent, false)) {
        requantize_s16_x86_avx2(step, begin, end);
        return;
    }
    const pq_rescale_vectors scaling = pq_rescale_all(p.multiplier, p.exponent);
    const __m512i lo = _mm512_set1_epi32(p.lo - p.zero_point), hi = _mm512_set1_epi32(p.hi - p.zero_point);
    for (int32_t i = begin; i < end; i += 16) {
        const __mmask16 mask = end - i < 16 ? (__mmask16)((1u << (end - i)) - 1) : 0xFFFF;
        const __m512i x = _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, (const int16_t *)step->in[0] + i));
        const __m512i scaled = pq_rescaled(_mm512_add_epi32(x, _mm512_set1_epi32(p.offset)), scaling, false, true);
        const __m512i codes = _mm512_add_epi32(_mm512_min_epi32(_mm512_max_epi32(scaled, lo), hi), _mm512_set1_epi32(p.zero_point));
        if (p.wide) _mm256_mask_storeu_epi16((int16_t *)step->out[0] + i, mask, _mm512_cvtepi32_epi16(codes));
        else _mm_mask_storeu_epi8((int8_t *)step->out[0] + i, mask, _mm512_cvtepi32_epi8(codes));
    }
}
#endif
