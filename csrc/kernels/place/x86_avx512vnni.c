/* greatest_place and least_place of rows of bytes and of floats, where elements lie side by side; the others are left to the
 * plain loops. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#include <immintrin.h>
#include <stddef.h>

#include "place.h"
#include "pq.h"

#define PQ_INLINE static inline __attribute__((always_inline))

/* The place of the first byte whose bits, with those of `flip` inverted, are least; n > 0. */
PQ_INLINE int32_t first_of_few(const uint8_t *x, int32_t n, uint8_t flip) {
    const __mmask32 mask = n < 32 ? (1u << n) - 1 : ~0u;
    const __m256i inverted = _mm256_set1_epi8((char)flip);
    const __m256i keys = _mm256_xor_si256(_mm256_mask_loadu_epi8(_mm256_set1_epi8((char)~flip), mask, x), inverted);
    __m128i least = _mm_min_epu8(_mm256_castsi256_si128(keys), _mm256_extracti128_si256(keys, 1));
    least = _mm_minpos_epu16(_mm_min_epu8(least, _mm_srli_epi16(least, 8))); /* of words, whose upper bytes are 0 */
    return __builtin_ctz(_mm256_cmpeq_epi8_mask(keys, _mm256_broadcastb_epi8(least)));
}

PQ_INLINE __m512i keys_of(const uint8_t *x, int32_t n, uint8_t flip) {
    const __mmask64 mask = n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0);
    return _mm512_xor_si512(_mm512_mask_loadu_epi8(_mm512_set1_epi8((char)~flip), mask, x), _mm512_set1_epi8((char)flip));
}

/* The same of any number. */
PQ_INLINE int32_t first_byte(const uint8_t *x, int32_t n, uint8_t flip) {
    __m512i all = keys_of(x, n, flip);
    for (int32_t i = 64; i < n; i += 64) all = _mm512_min_epu8(all, keys_of(x + i, n - i, flip));
    const __m256i half = _mm256_min_epu8(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    __m128i least = _mm_min_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    least = _mm_minpos_epu16(_mm_min_epu8(least, _mm_srli_epi16(least, 8)));
    for (int32_t i = 0;; i += 64) {
        const __mmask64 found = _mm512_cmpeq_epi8_mask(keys_of(x + i, n - i, flip), _mm512_broadcastb_epi8(least));
        if (found != 0) return i + __builtin_ctzll(found);
    }
}

/* 16 floats, or fewer and the first for the others */
PQ_INLINE __m512 floats_of(const float *x, int32_t i, int32_t n) {
    return _mm512_mask_loadu_ps(_mm512_set1_ps(*x), n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : 0xFFFF, x + i);
}

/* The place of the first greatest float, or the least; -1 where one is not a number. */
PQ_INLINE int32_t first_float(const float *x, int32_t n, int greatest) {
    __m512 best = _mm512_set1_ps(*x);
    __mmask16 strange = 0;
    for (int32_t i = 0; i < n; i += 16) {
        const __m512 values = floats_of(x, i, n);
        strange |= _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
        best = greatest ? _mm512_max_ps(best, values) : _mm512_min_ps(best, values);
    }
    if (strange != 0) return -1;
    const __m512 all = _mm512_set1_ps(greatest ? _mm512_reduce_max_ps(best) : _mm512_reduce_min_ps(best));
    for (int32_t i = 0;; i += 16) {
        const __mmask16 found = _mm512_cmp_ps_mask(floats_of(x, i, n), all, _CMP_EQ_OQ);
        if (found != 0) return i + __builtin_ctz(found);
    }
}

PQ_INLINE void put(const pq_step *step, int32_t unit, int32_t place) {
    if (((const pq_place *)step->params)->wide) ((int64_t *)step->out[0])[unit] = place;
    else ((int32_t *)step->out[0])[unit] = place;
}

#define BYTES(name, flip)                                                                                            \
    pq_kernel_function name##_scalar;                                                                                \
    void name##_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {                                    \
        const pq_place *p = step->params;                                                                            \
        const int32_t size = p->size;                                                                                \
        const uint8_t *x = (const uint8_t *)step->in[0] + (size_t)begin * (size_t)size;                              \
        if (p->inner != 1) name##_scalar(step, begin, end);                                                          \
        else if (size <= 32) for (int32_t i = begin; i < end; i++, x += size) put(step, i, first_of_few(x, size, flip)); \
        else for (int32_t i = begin; i < end; i++, x += size) put(step, i, first_byte(x, size, flip));               \
    }
BYTES(greatest_place_u8, 0xFF)
BYTES(least_place_u8, 0)
BYTES(greatest_place_s8, 0x7F)
BYTES(least_place_s8, 0x80)

#define FLOATS(name, greatest)                                                                            \
    pq_kernel_function name##_scalar;                                                                     \
    void name##_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {                         \
        const pq_place *p = step->params;                                                                 \
        const float *x = (const float *)step->in[0] + (size_t)begin * (size_t)p->size;                    \
        for (int32_t i = begin; i < end; i++, x += p->size) {                                             \
            const int32_t place = p->inner == 1 ? first_float(x, p->size, greatest) : -1;                 \
            if (place < 0) name##_scalar(step, i, i + 1);                                                 \
            else put(step, i, place);                                                                     \
        }                                                                                                 \
    }
FLOATS(greatest_place_f32, 1)
FLOATS(least_place_f32, 0)
#endif
