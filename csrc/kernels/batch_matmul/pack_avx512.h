/* Packs batch_matmul's b of one TYPE for tiles, with the vectors of AVX-512. */
#include "lanes.h"

/* Lane k of the factors of 16 columns, from `from` on, where b is stored row by row; `mask` says which are there. */
PQ_INLINE __m512i NAME(lane_of_rows)(const pq_batch_matmul *p, const char *from, int32_t k, __mmask16 mask) {
    const int32_t size = sizeof(CODE) == 2 && p->narrow ? 1 : (int32_t)sizeof(CODE);
    const size_t row = (size_t)p->columns * (size_t)size;
    __m512i lane = _mm512_setzero_si512();
    for (int32_t i = 0; i < LANE && k * LANE + i < p->depth; i++) {
        const __m512i codes = NAME(dwords)(p, from + (size_t)(k * LANE + i) * row, mask);
        lane = _mm512_or_si512(lane, _mm512_slli_epi32(codes, (unsigned)(i * (32 / LANE))));
    }
    return lane;
}

/* Pack `blocks` blocks of 16 columns from `first` on: [block][part][lane][16][LANE], zeros past the ends. */
static void NAME(pack)(const pq_batch_matmul *p, const char *b, int32_t first, int32_t blocks, char *to) {
    const int32_t lanes = (p->depth + LANE - 1) / LANE;
    const size_t size = sizeof(CODE) == 2 && p->narrow ? 1 : sizeof(CODE), part = (size_t)lanes * 64;
    for (int32_t block = 0; block < blocks; block++, first += 16, to += PARTS * part) {
        const int32_t n = p->columns - first < 16 ? p->columns - first : 16;
        if (!p->transposed_b) {
            const __mmask16 mask = (__mmask16)((1u << n) - 1);
            for (int32_t k = 0; k < lanes; k++)
                NAME(put)(NAME(lane_of_rows)(p, b + (size_t)first * size, k, mask), part, to + (size_t)k * 64);
            continue;
        }
        for (int32_t k = 0; k < lanes; k += 16) {
            const int32_t left = p->depth - k * LANE;
            __m512i runs[16];
            for (int32_t i = 0; i < 16; i++) {
                const char *column = b + ((size_t)(first + i) * (size_t)p->depth + (size_t)(k * LANE)) * size;
                runs[i] = i < n ? NAME(run)(p, column, left < 16 * LANE ? left : 16 * LANE) : _mm512_setzero_si512();
            }
            pq_transpose(runs);
            for (int32_t i = 0; i < 16 && k + i < lanes; i++) NAME(put)(runs[i], part, to + (size_t)(k + i) * 64);
        }
    }
}
