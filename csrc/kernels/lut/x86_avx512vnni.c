/* lut_x8, 64 bytes at a time where the processor permutes bytes across two vectors (AVX-512 VBMI, which this set does not
 * imply); else the plain loop. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512vbmi")
#include <immintrin.h>

#include "lut.h"
#include "pq.h"

pq_kernel_function lut_x8_scalar;

static void permuted(const uint8_t *table, const uint8_t *x, uint8_t *y, int32_t n) {
    const __m512i a = _mm512_loadu_si512(table), b = _mm512_loadu_si512(table + 64);
    const __m512i c = _mm512_loadu_si512(table + 128), d = _mm512_loadu_si512(table + 192);
    for (int32_t i = 0; i < n; i += 64) {
        const __mmask64 mask = n - i < 64 ? (UINT64_C(1) << (n - i)) - 1 : ~UINT64_C(0);
        const __m512i places = _mm512_maskz_loadu_epi8(mask, x + i);
        const __m512i low = _mm512_permutex2var_epi8(a, places, b), high = _mm512_permutex2var_epi8(c, places, d);
        _mm512_mask_storeu_epi8(y + i, mask, _mm512_mask_blend_epi8(_mm512_movepi8_mask(places), low, high));
    }
}

void lut_x8_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {
    if (!__builtin_cpu_supports("avx512vbmi")) {
        lut_x8_scalar(step, begin, end);
        return;
    }
    const pq_lut *p = step->params;
    permuted(p->table, (const uint8_t *)step->in[0] + begin, (uint8_t *)step->out[0] + begin, end - begin);
}
#endif
