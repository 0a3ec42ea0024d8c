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
BOTH(s32, int32_t)
BOTH(f32, float)

/* y and place are a heap whose root is the last of what it holds, until it is taken apart from the last to the first. */
#define TOP(type, code)                                                                                    \
    static inline int is_greater_##type(code a, code b) { return a > b || (a != a && b == b); }            \
    static inline int is_after_##type(const code *y, const int32_t *place, int32_t a, int32_t b) {         \
        return is_greater_##type(y[b], y[a]) || (!is_greater_##type(y[a], y[b]) && place[a] > place[b]);   \
    }                                                                                                      \
    static inline void swap_##type(code *y, int32_t *place, int32_t a, int32_t b) {                        \
        const code value = y[a];                                                                           \
        const int32_t was = place[a];                                                                      \
        y[a] = y[b], place[a] = place[b];                                                                  \
        y[b] = value, place[b] = was;                                                                      \
    }                                                                                                      \
    static void sink_##type(code *y, int32_t *place, int32_t at, int32_t count) {                          \
        for (int32_t child; (child = 2 * at + 1) < count; at = child) {                                    \
            child += child + 1 < count && is_after_##type(y, place, child + 1, child);                     \
            if (is_after_##type(y, place, at, child)) return;                                              \
            swap_##type(y, place, at, child);                                                              \
        }                                                                                                  \
    }                                                                                                      \
    void top_##type##_scalar(const pq_step *step, int32_t begin, int32_t end) {                            \
        const pq_top *p = step->params;                                                                    \
        for (int32_t unit = begin; unit < end; unit++) {                                                   \
            const code *x = (const code *)step->in[0] + (size_t)unit * (size_t)p->size;                    \
            code *y = (code *)step->out[0] + (size_t)unit * (size_t)p->count;                              \
            int32_t *place = (int32_t *)step->out[1] + (size_t)unit * (size_t)p->count;                    \
            for (int32_t i = 0; i < p->count; i++) y[i] = x[i], place[i] = i;                              \
            for (int32_t i = p->count / 2 - 1; i >= 0; i--) sink_##type(y, place, i, p->count);            \
            for (int32_t i = p->count; i < p->size; i++) {                                                 \
                if (!is_greater_##type(x[i], y[0])) continue;                                              \
                y[0] = x[i], place[0] = i;                                                                 \
                sink_##type(y, place, 0, p->count);                                                        \
            }                                                                                              \
            for (int32_t last = p->count - 1; last > 0; last--) {                                          \
                swap_##type(y, place, 0, last);                                                            \
                sink_##type(y, place, 0, last);                                                            \
            }                                                                                              \
        }                                                                                                  \
    }
TOP(s8, int8_t)
TOP(u8, uint8_t)
TOP(s16, int16_t)
TOP(s32, int32_t)
TOP(s64, int64_t)
TOP(f32, float)
