/* resize_bilinear for one TYPE, 16 channels at a time. What comes of the two rows is computed once for all columns. */
#include "types.h"

#define FIXED PQ_JOIN(IS_FIXED, TYPE)

/* n pixels' channels between two rows: of floats two products, of integers their sum, which is exact. */
static void NAME(between_rows)(const CODE *above, const CODE *below, int32_t n, const pq_resize *p, int32_t row, number between[2][MOST]) {
    for (int32_t c = 0; c < n; c += 16) {
        const __mmask16 mask = first_lanes(n - c);
#if FIXED
        const int32_t down = p->row_units[row];
        const __m512i a = _mm512_mullo_epi32(NAME(codes)(above + c, mask), _mm512_set1_epi32(1024 - down));
        const __m512i b = _mm512_mullo_epi32(NAME(codes)(below + c, mask), _mm512_set1_epi32(down));
        _mm512_storeu_si512(between[0] + c, _mm512_add_epi32(a, b));
#else
        const float down = p->row_fraction[row];
        _mm512_storeu_ps(between[0] + c, _mm512_mul_ps(NAME(codes)(above + c, mask), _mm512_set1_ps(1 - down)));
        _mm512_storeu_ps(between[1] + c, _mm512_mul_ps(NAME(codes)(below + c, mask), _mm512_set1_ps(down)));
#endif
    }
}

/* One output pixel between the columns of which `between` has the first channels at left and right. */
PQ_INLINE void NAME(pixel)(const pq_resize *p, int32_t column, number between[2][MOST], int32_t left, int32_t right, CODE *y) {
#if FIXED
    const __m512i across = _mm512_set1_epi32(p->column_units[column]), rest = _mm512_set1_epi32(1024 - p->column_units[column]);
#else
    const __m512 across = _mm512_set1_ps(p->column_fraction[column]), rest = _mm512_set1_ps(1 - p->column_fraction[column]);
#endif
    for (int32_t c = 0; c < p->channels; c += 16) {
#if FIXED
        NAME(store_sum)(_mm512_loadu_si512(between[0] + left + c), rest, _mm512_loadu_si512(between[0] + right + c), across,
                        first_lanes(p->channels - c), y + c);
#else
        __m512 sum = _mm512_mul_ps(_mm512_loadu_ps(between[0] + left + c), rest);
        sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(between[1] + left + c), rest));
        sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(between[0] + right + c), across));
        sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(between[1] + right + c), across));
        NAME(store)(sum, first_lanes(p->channels - c), y + c);
#endif
    }
}

void FULL_NAME(resize_bilinear)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_resize *p = step->params;
    const int32_t most = (MOST - 16) / p->channels; /* pixels of a row that are held */
    if (most < 2 || p->in_width > 4 * p->out_width || !holds(p, FIXED, sizeof(CODE))) {
        PQ_JOIN(NAME(resize_bilinear), x86_avx2)(step, begin, end);
        return;
    }
    const size_t channels = (size_t)p->channels, row_size = (size_t)p->in_width * channels;
    number between[2][MOST];
    CODE *y = (CODE *)step->out[0] + (size_t)begin * (size_t)p->out_width * channels;
    for (int32_t unit = begin; unit < end; unit++) {
        const int32_t row = unit % p->out_height;
        const CODE *image = (const CODE *)step->in[0] + (size_t)(unit / p->out_height) * (size_t)p->in_height * row_size;
        const CODE *above = image + (size_t)p->row_lower[row] * row_size, *below = image + (size_t)p->row_upper[row] * row_size;
        for (int32_t column = 0, last; column < p->out_width; column = last) {
            const int32_t first = p->column_lower[column];
            for (last = column + 1; last < p->out_width && p->column_upper[last] - first < most;) last++;
            const size_t at = (size_t)first * channels;
            NAME(between_rows)(above + at, below + at, (p->column_upper[last - 1] - first + 1) * p->channels, p, row, between);
            for (int32_t j = column; j < last; j++, y += channels)
                NAME(pixel)(p, j, between, (p->column_lower[j] - first) * p->channels, (p->column_upper[j] - first) * p->channels, y);
        }
    }
}

#undef FIXED
#undef TYPE
