/* The functions that take the C library long, 16 at a time where `fused`. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#include "activation.h"
#include "elementary_avx512.h"
#include "pq.h"

#define KERNEL(NAME, VALUE)                                                                       \
    pq_kernel_function NAME##_f32_scalar;                                                         \
    void NAME##_f32_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {             \
        const pq_activation p = *(const pq_activation *)step->params;                             \
        if (!p.fused) {                                                                           \
            NAME##_f32_scalar(step, begin, end);                                                  \
            return;                                                                               \
        }                                                                                         \
        for (int32_t i = begin; i < end; i += 16) {                                               \
            const __mmask16 mask = end - i < 16 ? (__mmask16)((1u << (end - i)) - 1) : 0xFFFF;    \
            const __m512 x = _mm512_maskz_loadu_ps(mask, (const float *)step->in[0] + i);         \
            _mm512_mask_storeu_ps((float *)step->out[0] + i, mask, VALUE);                        \
        }                                                                                         \
    }

/* √(2 / π) (x + 0.044715 x³), rounded as the C library's argument is */
PQ_VECTOR gelu_argument(__m512 x) {
    const __m512 cube = _mm512_mul_ps(_mm512_mul_ps(_mm512_mul_ps(pq_all(0.044715f), x), x), x);
    return _mm512_mul_ps(pq_all(0.7978845608f), _mm512_add_ps(x, cube));
}

PQ_VECTOR gelu(__m512 x, pq_activation p) {
    const __m512 share = p.lo > 0 ? _mm512_add_ps(pq_all(1), pq_tanh(gelu_argument(x)))
                                  : pq_erfc(_mm512_mul_ps(x, pq_all(-0.70710678118654752440f)));
    return _mm512_mul_ps(_mm512_mul_ps(pq_all(0.5f), x), share);
}

KERNEL(logistic, pq_logistic(x))
KERNEL(tanh, pq_tanh(x))
KERNEL(gelu, gelu(x, p))
KERNEL(exp, pq_exp(x))
#endif
