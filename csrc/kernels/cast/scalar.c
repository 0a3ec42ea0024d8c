#include "cast.h"

#include "in_place.h"
#include "pq.h"

#define INLINE static inline __attribute__((always_inline))

#define EACH(CODE, TO, value)                                                                \
    do {                                                                                     \
        const CODE *x = step->in[0];                                                         \
        TO *y = step->out[0];                                                                \
        PQ_IN_PLACE for (int32_t i = begin; i < end; i++) y[i] = (TO)(value);                \
    } while (0)

/* To integers as wide as asked for, by a value that has all of their bits. */
#define INTEGERS(CODE, value)                          \
    do {                                               \
        if (p.to == 8)                                 \
            EACH(CODE, uint8_t, value);                \
        else if (p.to == 16)                           \
            EACH(CODE, uint16_t, value);               \
        else if (p.to == 32)                           \
            EACH(CODE, uint32_t, value);               \
        else                                           \
            EACH(CODE, uint64_t, value);               \
    } while (0)

#define CAST(type, CODE)                                                            \
    void cast_##type##_scalar(const pq_step *step, int32_t begin, int32_t end) {    \
        const pq_cast p = *(const pq_cast *)step->params;                           \
        if (p.to == 1)                                                              \
            EACH(CODE, uint8_t, x[i] != 0);                                         \
        else if (p.to == -32)                                                       \
            EACH(CODE, float, x[i]);                                                \
        else                                                                        \
            INTEGERS(CODE, x[i]);                                                   \
    }
CAST(s8, int8_t)
CAST(u8, uint8_t)
CAST(s16, int16_t)
CAST(u16, uint16_t)
CAST(s32, int32_t)
CAST(u32, uint32_t)
CAST(s64, int64_t)

INLINE int32_t narrow(float x, const pq_cast *p) {
    const int32_t outside = x < p->least ? (int32_t)p->below : (int32_t)p->above;
    return x >= p->least && x < p->beyond ? (int32_t)x : outside;
}

INLINE int64_t wide(float x, const pq_cast *p) {
    const int64_t outside = x < p->least ? p->below : p->above;
    return x >= p->least && x < p->beyond ? (int64_t)x : outside;
}

void cast_f32_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_cast p = *(const pq_cast *)step->params;
    if (p.to == 1)
        EACH(float, uint8_t, x[i] != 0);
    else if (p.to == -32)
        EACH(float, float, x[i]);
    else if (p.wide)
        INTEGERS(float, wide(x[i], &p));
    else
        INTEGERS(float, narrow(x[i], &p));
}
