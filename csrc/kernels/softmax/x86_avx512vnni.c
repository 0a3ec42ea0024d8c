/* softmax by vectors, of floats where `fused`; rows of codes that are longer than LONGEST, and scales that those vectors do not
 * hold for, are left to the plain loops. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#include <math.h>
#include <stddef.h>

#include "codes.h"
#include "elementary_avx512.h"
#include "pq.h"
#include "rescale_avx512.h"
#include "softmax.h"

pq_kernel_function softmax_f32_scalar, log_softmax_f32_scalar, softmax_s8_scalar, softmax_u8_scalar, softmax_s16_scalar;

enum { LONGEST = 4096 };

static inline __mmask16 first_lanes(int32_t n) { return n < 16 ? (__mmask16)((1u << n) - 1) : 0xFFFF; }

static inline float greatest(const float *x, int32_t n) {
    __m512 most = pq_all(x[0]);
    for (int32_t c = 0; c < n; c += 16) most = _mm512_mask_max_ps(most, first_lanes(n - c), most, _mm512_maskz_loadu_ps(first_lanes(n - c), x + c));
    return _mm512_reduce_max_ps(most);
}

/* exp((x - max) · beta), and their sum; y may be NULL. */
static inline float powers(const float *x, int32_t n, float max, float beta, float *y) {
    __m512 sums = _mm512_setzero_ps();
    for (int32_t c = 0; c < n; c += 16) {
        const __mmask16 mask = first_lanes(n - c);
        const __m512 below = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + c), pq_all(max));
        const __m512 power = pq_exp(_mm512_mul_ps(below, pq_all(beta)));
        sums = _mm512_mask_add_ps(sums, mask, sums, power);
        if (y != NULL) _mm512_mask_storeu_ps(y + c, mask, power);
    }
    return _mm512_reduce_add_ps(sums);
}

void softmax_f32_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {
    const pq_softmax *p = step->params;
    if (!p->fused) {
        softmax_f32_scalar(step, begin, end);
        return;
    }
    for (int32_t unit = begin; unit < end; unit++) {
        const float *x = (const float *)step->in[0] + (size_t)unit * (size_t)p->depth;
        float *y = (float *)step->out[0] + (size_t)unit * (size_t)p->depth;
        const float sum = powers(x, p->depth, greatest(x, p->depth), p->beta, y);
        for (int32_t c = 0; c < p->depth; c += 16) {
            const __mmask16 mask = first_lanes(p->depth - c);
            _mm512_mask_storeu_ps(y + c, mask, _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, y + c), pq_all(1 / sum)));
        }
    }
}

void log_softmax_f32_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {
    const pq_softmax *p = step->params;
    if (!p->fused) {
        log_softmax_f32_scalar(step, begin, end);
        return;
    }
    for (int32_t unit = begin; unit < end; unit++) {
        const float *x = (const float *)step->in[0] + (size_t)unit * (size_t)p->depth;
        float *y = (float *)step->out[0] + (size_t)unit * (size_t)p->depth;
        const float max = greatest(x, p->depth), below = logf(powers(x, p->depth, max, 1, NULL));
        for (int32_t c = 0; c < p->depth; c++) y[c] = x[c] - max - below;
    }
}

/* The powers of n codes, and their sum in units of 2^-19. They are looked up one by one, which gathers do not do faster. */
#define POWERS(type, code)                                                                             \
    static inline uint32_t powers_##type(const code *x, int32_t n, const int32_t *table, int32_t *powers) { \
        code max = x[0];                                                                               \
        for (int32_t c = 1; c < n; c++) max = max < x[c] ? x[c] : max;                                 \
        for (int32_t c = 0; c < n; c++) powers[c] = table[max - x[c]];                                 \
        uint32_t sum = 0;                                                                              \
        for (int32_t c = 0; c < n; c++) sum += ((uint32_t)powers[c] + (1u << 11)) >> 12;               \
        return sum;                                                                                    \
    }
POWERS(s8, int8_t)
POWERS(u8, uint8_t)

/* 16 powers times scale, rounded, in units of 2^(shift - 31), rounded again; neither is negative. */
PQ_INLINE __m512i shares_of(__m512i powers, __m512i scale, __m128i shift, __m512i half) {
    const __m512i round = _mm512_set1_epi64(1 << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(powers, scale), round);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(pq_odd_lanes(powers), scale), round);
    const __m512i once = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    return _mm512_srl_epi32(_mm512_add_epi32(once, half), shift);
}

/* As the plain loop. A power is below 2^31, a half at most 2^30: sums of 32 bits hold both. */
#define SOFTMAX(type, code)                                                                                        \
    void softmax_##type##_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {                        \
        const pq_softmax *p = step->params;                                                                        \
        if (p->depth > LONGEST) {                                                                                  \
            softmax_##type##_scalar(step, begin, end);                                                             \
            return;                                                                                                \
        }                                                                                                          \
        const int32_t bits = p->wide ? 16 : 8;                                                                     \
        const __m512i lo = _mm512_set1_epi32(p->lo), hi = _mm512_set1_epi32((1 << bits) - 1);                      \
        int32_t powers[LONGEST];                                                                                   \
        for (int32_t unit = begin; unit < end; unit++) {                                                           \
            const size_t first = (size_t)unit * (size_t)p->depth;                                                  \
            const uint32_t sum = powers_##type((const code *)step->in[0] + first, p->depth, p->powers, powers);    \
            const int32_t zeros = leading_zeros((int32_t)sum), shift = 12 - zeros + 31 - bits;                     \
            const int32_t scale = one_over_one_plus((int32_t)((sum << zeros) - (1u << 31)));                       \
            const __m512i half = _mm512_set1_epi32(shift > 31 ? 0 : (int32_t)(1u << (shift - 1)));                 \
            for (int32_t c = 0; c < p->depth; c += 16) {                                                           \
                const __mmask16 mask = first_lanes(p->depth - c);                                                  \
                __m512i share = shares_of(_mm512_maskz_loadu_epi32(mask, powers + c), _mm512_set1_epi32(scale),    \
                                          _mm_cvtsi32_si128(shift), half);                                  \
                share = _mm512_add_epi32(_mm512_min_epu32(share, hi), lo);                                         \
                if (p->wide) _mm256_mask_storeu_epi16((int16_t *)step->out[0] + first + c, mask, _mm512_cvtepi32_epi16(share)); \
                else _mm_mask_storeu_epi8((int8_t *)step->out[0] + first + c, mask, _mm512_cvtepi32_epi8(share));  \
            }                                                                                                      \
        }                                                                                                          \
    }
SOFTMAX(s8, int8_t)
SOFTMAX(u8, uint8_t)

/* 16 codes as dwords, lanes past the row's end as its first code */
PQ_INLINE __m512i words_of(const int16_t *x, int32_t c, int32_t n) {
    return _mm512_cvtepi16_epi32(_mm256_mask_loadu_epi16(_mm256_set1_epi16(*x), first_lanes(n - c), x + c));
}

/* lookup of 16 */
PQ_INLINE __m512i lookups(const int16_t *table, __m512i x) {
    const __m512i i = _mm512_add_epi32(_mm512_srai_epi32(x, 7), _mm512_set1_epi32(256));
    const __m512i both = _mm512_i32gather_epi32(i, (const int *)table, 2); /* a node and the next one */
    const __m512i node = _mm512_srai_epi32(_mm512_slli_epi32(both, 16), 16), next = _mm512_srai_epi32(both, 16);
    const __m512i part = _mm512_mullo_epi32(_mm512_sub_epi32(next, node), _mm512_and_si512(x, _mm512_set1_epi32(127)));
    return _mm512_add_epi32(node, _mm512_srai_epi32(_mm512_add_epi32(part, _mm512_set1_epi32(64)), 7));
}

void softmax_s16_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {
    const pq_softmax *p = step->params;
    if (p->depth > LONGEST || !pq_rescale_holds(65535, p->multiplier, p->exponent, false)) {
        softmax_s16_scalar(step, begin, end);
        return;
    }
    const pq_rescale_vectors scaling = pq_rescale_all(p->multiplier, p->exponent);
    const __m512i lowest = _mm512_set1_epi32(INT16_MIN - INT16_MAX), highest = _mm512_set1_epi32(INT16_MAX);
    for (int32_t unit = begin; unit < end; unit++) {
        const int16_t *x = (const int16_t *)step->in[0] + (size_t)unit * (size_t)p->depth;
        int16_t *y = (int16_t *)step->out[0] + (size_t)unit * (size_t)p->depth;
        __m512i most = _mm512_set1_epi32(*x), total = _mm512_setzero_si512(); /* in units of 2^-15 */
        for (int32_t c = 0; c < p->depth; c += 16) most = _mm512_max_epi32(most, words_of(x, c, p->depth));
        const __m512i max = _mm512_set1_epi32(_mm512_reduce_max_epi32(most));
        for (int32_t c = 0; c < p->depth; c += 16) {
            const __m512i below = pq_rescaled(_mm512_sub_epi32(words_of(x, c, p->depth), max), scaling, false, true);
            const __m512i power = lookups(p->exp, _mm512_add_epi32(_mm512_max_epi32(below, lowest), highest));
            const __mmask16 mask = first_lanes(p->depth - c);
            total = _mm512_mask_add_epi32(total, mask, total, power);
            _mm256_mask_storeu_epi16(y + c, mask, _mm512_cvtepi32_epi16(power));
        }
        const int32_t sum = _mm512_reduce_add_epi32(total), zeros = leading_zeros(sum);
        const int64_t mantissa = (((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14; /* 1 + t in units of 2^-16 */
        const __m512i scale = _mm512_set1_epi32(lookup(p->reciprocal, pq_clamp((int32_t)mantissa - 98304, INT16_MIN, INT16_MAX)));
        for (int32_t c = 0; c < p->depth; c += 16) {
            const __m512i product = _mm512_mullo_epi32(words_of(y, c, p->depth), scale);
            const __m512i share = _mm512_sra_epi32(_mm512_add_epi32(product, _mm512_set1_epi32(1 << (30 - zeros))), _mm_cvtsi32_si128(31 - zeros));
            const __m512i code = _mm512_min_epi32(_mm512_max_epi32(share, _mm512_setzero_si512()), highest);
            _mm256_mask_storeu_epi16(y + c, first_lanes(p->depth - c), _mm512_cvtepi32_epi16(code));
        }
    }
}
#endif
