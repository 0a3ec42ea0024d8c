/* Sums of depthwise_conv2d for one TYPE by vectors of channels, and what is made of them and stored. The file that includes vectors.h
 * defines `vector`, 64 bytes in registers, and MULTIPLY, the file that makes sums and codes. */

/* A block of channels [channel, channel + channels); a column of cells has `width` of them. */
typedef struct {
    const pq_depthwise_conv2d *p;
    const char *packed;
    int32_t groups; /* of LANE taps */
    int32_t channel, channels, width;
    ORIGIN origin;
} NAME(block);

#include MULTIPLY

#if INTEGER && !HYBRID
/* Where a scaling is none that vectors do: channel by channel. */
static void NAME(store_plainly)(const NAME(block) *block, const SUMS *vectors, int32_t width, int32_t count, CODE *y) {
    int32_t sums[4 * RESCALED];
    SUM row[CELLS];
    memcpy(sums, vectors, sizeof(SUMS) * (size_t)LANE);
    for (int32_t i = 0; i < count; i++, y += block->p->out_channels) {
        for (int32_t c = 0; c < block->channels; c++) {
            const int32_t cell = i * width + c;
            row[c] = (SUM)sums[tap_acc(cell, LANE) * RESCALED + tap_lane(cell, LANE)];
        }
        NAME(finish)(block->p, (ORIGIN)0, block->channel, block->channels, row, y);
    }
}
#endif

/* The output pixels of n vectors, `count` of them. */
PQ_INLINE void NAME(vectors)(const NAME(block) *block, const char *const *taps, const int n, int32_t count, CODE *y) {
    const int32_t pixels = CELLS / block->width;
    SUMS sums[VECTORS][4];
    NAME(accumulate)(block, taps, n, sums);
#if HYBRID
    for (int v = 0; v < n; v++, y += pixels * block->p->out_channels) {
        const int32_t left = count - v * pixels;
        if (pixels == 1) NAME(store_reals)(block, sums[v], 1, left, y);
        else if (pixels == 2) NAME(store_reals)(block, sums[v], 2, left, y);
        else NAME(store_reals)(block, sums[v], 4, left, y);
    }
#else
#if INTEGER
    if (!((const pq_taps_head *)block->p->packed)->exact) {
        for (int32_t v = 0; v < n; v++, y += pixels * block->p->out_channels) {
            const int32_t left = count - v * pixels;
            NAME(store_plainly)(block, sums[v], block->width, left < pixels ? left : pixels, y);
        }
        return;
    }
#endif
    vector codes[VECTORS];
    NAME(codes)(block, sums, n, codes);
    const int32_t bytes = block->channels * (int32_t)sizeof(CODE), share = block->width * (int32_t)sizeof(CODE);
    const size_t pixel = (size_t)block->p->out_channels * sizeof(CODE);
    _Pragma("GCC unroll 8") for (int v = 0; v < n; v++, count -= pixels)
        store_pixels((char *)y + (size_t)(v * pixels) * pixel, pixel, codes[v], share, bytes, count < pixels ? count : pixels);
#endif
}

/* The same for a number of vectors that is known when it is compiled. */
typedef void NAME(run)(const NAME(block) *block, const char *const *taps, int32_t count, CODE *y);

#define RUN(n)                                                                                                                    \
    static __attribute__((noinline)) void NAME(run_##n)(const NAME(block) *block, const char *const *taps, int32_t count, CODE *y) { \
        NAME(vectors)(block, taps, n, count, y);                                                                                  \
    }
RUN(1)
RUN(2)
#if VECTORS > 2
RUN(3)
RUN(4)
#endif
#if VECTORS > 4
RUN(5)
RUN(6)
RUN(7)
RUN(8)
#endif
#undef RUN

static NAME(run) *const NAME(runs)[] = {
    NAME(run_1), NAME(run_2),
#if VECTORS > 2
    NAME(run_3), NAME(run_4),
#endif
#if VECTORS > 4
    NAME(run_5), NAME(run_6), NAME(run_7), NAME(run_8),
#endif
};
