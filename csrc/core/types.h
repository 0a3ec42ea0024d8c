/* The element types behind a kernel's type name: define TYPE as s8, u8, s16, f32 or f32s8, then include this file, each time.
 * CODE: activations. WEIGHT: weights in the file. TERM: what is multiplied. SUM: sums; integers wrap. INTEGER: whether terms
 * are. HYBRID: float activations, quantized at run time. ORIGIN: what their terms are counted from.
 * SCALED: whether codes have scales. s32 and s64, which have none, have beside it CODE and WHOLE alone: the same bits without
 * sign, which wrap.
 * NAME(x) is x_TYPE and, where ISA is defined, FULL_NAME(x) is x_TYPE_ISA. */
#undef CODE
#undef SCALED
#undef WHOLE
#undef WEIGHT
#undef TERM
#undef SUM
#undef INTEGER
#undef HYBRID
#undef ORIGIN
#undef NAME
#undef FULL_NAME

#define CODE PQ_JOIN(PQ_CODE, TYPE)
#define SCALED PQ_JOIN(PQ_SCALED, TYPE)
#define WHOLE PQ_JOIN(PQ_WHOLE, TYPE)
#define WEIGHT PQ_JOIN(PQ_WEIGHT, TYPE)
#define TERM PQ_JOIN(PQ_TERM, TYPE)
#define SUM PQ_JOIN(PQ_SUM, TYPE)
#define INTEGER PQ_JOIN(PQ_INTEGER, TYPE)
#define HYBRID PQ_JOIN(PQ_HYBRID, TYPE)
#define ORIGIN PQ_JOIN(PQ_ORIGIN, TYPE)
#define NAME(x) PQ_JOIN(x, TYPE)
#define FULL_NAME(x) PQ_JOIN(NAME(x), ISA)

#ifndef PQ_TYPES_H
#define PQ_TYPES_H
#include <stdint.h>

#include "dynamic.h"

#define PQ_JOIN(a, b) PQ_JOIN_EXPANDED(a, b)
#define PQ_JOIN_EXPANDED(a, b) a##_##b

#define PQ_CODE_s8 int8_t
#define PQ_WEIGHT_s8 int8_t
#define PQ_TERM_s8 int16_t
#define PQ_SUM_s8 uint32_t
#define PQ_INTEGER_s8 1
#define PQ_SCALED_s8 1
#define PQ_HYBRID_s8 0
#define PQ_ORIGIN_s8 int16_t

#define PQ_CODE_u8 uint8_t
#define PQ_WEIGHT_u8 uint8_t
#define PQ_TERM_u8 int16_t
#define PQ_SUM_u8 uint32_t
#define PQ_INTEGER_u8 1
#define PQ_SCALED_u8 1
#define PQ_HYBRID_u8 0
#define PQ_ORIGIN_u8 int16_t

#define PQ_CODE_s16 int16_t
#define PQ_WEIGHT_s16 int8_t
#define PQ_TERM_s16 int16_t
#define PQ_SUM_s16 uint64_t
#define PQ_INTEGER_s16 1
#define PQ_SCALED_s16 1
#define PQ_HYBRID_s16 0
#define PQ_ORIGIN_s16 int16_t

#define PQ_CODE_f32 float
#define PQ_WEIGHT_f32 float
#define PQ_TERM_f32 float
#define PQ_SUM_f32 float
#define PQ_INTEGER_f32 0
#define PQ_SCALED_f32 0
#define PQ_HYBRID_f32 0
#define PQ_ORIGIN_f32 float

#define PQ_CODE_f32s8 float
#define PQ_WEIGHT_f32s8 int8_t
#define PQ_TERM_f32s8 int16_t
#define PQ_SUM_f32s8 uint32_t
#define PQ_INTEGER_f32s8 1
#define PQ_SCALED_f32s8 0
#define PQ_HYBRID_f32s8 1
#define PQ_ORIGIN_f32s8 pq_dynamic

#define PQ_CODE_s32 int32_t
#define PQ_WHOLE_s32 uint32_t
#define PQ_INTEGER_s32 1
#define PQ_SCALED_s32 0

#define PQ_CODE_s64 int64_t
#define PQ_WHOLE_s64 uint64_t
#define PQ_INTEGER_s64 1
#define PQ_SCALED_s64 0
#endif
