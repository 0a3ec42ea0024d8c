/* conv2d by the dot products of AVX-VNNI: four unsigned bytes with four signed ones, added to a sum. */
#include "isa.h"
#if PQ_AVXVNNI
#if PQ_AVXVNNI_BY_AVX512
#pragma GCC target("avx512vl,avx512vnni")
#define DOT _mm256_dpbusd_epi32
#else
#pragma GCC target("avx2,avxvnni")
#define DOT _mm256_dpbusd_avx_epi32
#endif
#include <immintrin.h>
#include <string.h>

#include "layout.h"
#include "pq.h"

enum { ROWS = 6, PIXELS = 18, TERMS = 512 };

typedef uint8_t byte;

static inline __attribute__((always_inline)) void accumulate_bytes(
    const byte *x, int rows, const int8_t *w, int32_t terms, int32_t *sums) {
    __m256i acc[ROWS][2];
    memcpy(acc, sums, sizeof(int32_t) * BLOCK * (size_t)rows);
    for (int32_t k = 0; k < terms; k += 4, w += 4 * BLOCK) {
        const __m256i w0 = _mm256_loadu_si256((const void *)w), w1 = _mm256_loadu_si256((const void *)(w + 2 * BLOCK));
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, x + r * TERMS + k, sizeof four);
            const __m256i cells = _mm256_set1_epi32(four);
            acc[r][0] = DOT(acc[r][0], cells, w0);
            acc[r][1] = DOT(acc[r][1], cells, w1);
        }
    }
    memcpy(sums, acc, sizeof(int32_t) * BLOCK * (size_t)rows);
}

#define BYTES 1
#define ISA x86_avxvnni
#define TYPE s8
#include "generic.h"
#define TYPE u8
#include "generic.h"
#define TYPE f32s8
#include "generic.h"
#endif
