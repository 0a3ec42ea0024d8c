#include "place.h"

#include <stddef.h>

#include "pq.h"

#define PLACE(name, code, BEYOND)                                                                            \
    void name##_scalar(const pq_step *step, int32_t begin, int32_t end) {                                    \
        const pq_place *p = step->params;                                                                    \
        for (int32_t unit = begin; unit < end; unit++) {                                                     \
            for (int32_t c = 0; c < p->inner; c++) {                                                         \
                const code *x = (const code *)step->in[0] + (size_t)unit * (size_t)p->size * (size_t)p->inner + c; \
                const size_t at = (size_t)unit * (size_t)p->inner + (size_t)c;                               \
                code best = *x;                                                                              \
                int32_t place = 0;                                                                           \
                for (int32_t i = 1; i < p->size; i++) {                                                      \
                    const code value = x[(size_t)i * (size_t)p->inner];                                      \
                    const int further = value BEYOND best || (value != value && best == best);               \
                    best = further ? value : best;                                                           \
                    place = further ? i : place;                                                             \
                }                                                                                            \
                if (p->wide)                                                                                 \
                    ((int64_t *)step->out[0])[at] = place;                                                   \
                else                                                                                         \
                    ((int32_t *)step->out[0])[at] = place;                                                   \
            }                                                                                                \
        }                                                                                                    \
    }
#define BOTH(type, code)                   \
    PLACE(greatest_place_##type, code, >)  \
    PLACE(least_place_##type, code, <)
BOTH(s8, int8_t)
BOTH(u8, uint8_t)
BOTH(s16, int16_t)
BOTH(f32, float)
