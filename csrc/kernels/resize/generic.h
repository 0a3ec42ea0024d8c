/* The loop of bilinear interpolation for one TYPE and ISA; the four terms are added in TFLite's order. */
#include "types.h"

#define FIXED PQ_JOIN(IS_FIXED, TYPE)

#if FIXED
#define NUMBER int64_t
#define ONE 1024
#define FRACTIONS(axis) p->axis##_units
#else
#define NUMBER float
#define ONE 1.0f
#define FRACTIONS(axis) p->axis##_fraction
#endif

static inline CODE NAME(rounded)(NUMBER sum) {
#if FIXED
    return (CODE)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
#else
    return INTEGER ? (CODE)(sum + 0.5f) : (CODE)sum;
#endif
}

void FULL_NAME(resize_bilinear)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_resize *p = step->params;
    const size_t channels = (size_t)p->channels, row = (size_t)p->in_width * channels;
    CODE *restrict y = (CODE *)step->out[0] + (size_t)begin * (size_t)p->out_width * channels;
    for (int32_t unit = begin; unit < end; unit++) {
        const int32_t i = unit % p->out_height;
        const CODE *image = (const CODE *)step->in[0] + (size_t)(unit / p->out_height) * (size_t)p->in_height * row;
        const CODE *above = image + (size_t)p->row_lower[i] * row, *below = image + (size_t)p->row_upper[i] * row;
        const NUMBER down = FRACTIONS(row)[i];
        for (int32_t j = 0; j < p->out_width; j++, y += channels) {
            const size_t left = (size_t)p->column_lower[j] * channels, right = (size_t)p->column_upper[j] * channels;
            const NUMBER across = FRACTIONS(column)[j];
            for (size_t c = 0; c < channels; c++)
                y[c] = NAME(rounded)(
                    above[left + c] * (ONE - down) * (ONE - across) + below[left + c] * down * (ONE - across) +
                    above[right + c] * (ONE - down) * across + below[right + c] * down * across);
        }
    }
}

#undef FIXED
#undef NUMBER
#undef ONE
#undef FRACTIONS
#undef TYPE
