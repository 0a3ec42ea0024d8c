/* softmax_f32 and log_softmax_f32 by vectors where `fused`. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#include <math.h>
#include <stddef.h>

#include "elementary_avx512.h"
#include "pq.h"
#include "softmax.h"

pq_kernel_function softmax_f32_scalar, log_softmax_f32_scalar;

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
#endif
