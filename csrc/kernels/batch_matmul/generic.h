/* The loops of batch_matmul for one TYPE and ISA. */
#include "types.h"

enum { NAME(COLUMNS) = 128 }; /* sums that are held at once */

/* Element i of b, which is int8 where `narrow`. */
static inline SUM NAME(other)(const void *b, size_t i, int32_t narrow) {
    return narrow ? (SUM)((const int8_t *)b)[i] : (SUM)((const CODE *)b)[i];
}

/* The sums of `columns` columns of a row: a holds `depth` elements, a_step apart; b's first is element `at`. */
static inline void NAME(row_sums)(
    const pq_batch_matmul *p, const CODE *a, size_t a_step, const void *b, size_t at, int32_t columns, SUM *restrict sums) {
    const size_t b_step = p->transposed_b ? (size_t)p->depth : 1, next = p->transposed_b ? 1 : (size_t)p->columns;
    const int32_t a_zero = p->a_zero, narrow = sizeof(CODE) == 2 && p->narrow;
    const SUM b_zero = (SUM)p->b_zero;
    (void)a_zero;
    for (int32_t c = 0; c < columns; c++) sums[c] = 0;
    for (int32_t k = 0; k < p->depth; k++, a += a_step, at += next) {
#if INTEGER
        const SUM x = (SUM)(*a - a_zero);
#else
        const SUM x = *a;
#endif
        if (b_step == 1)
            for (int32_t c = 0; c < columns; c++) sums[c] += x * (NAME(other)(b, at + (size_t)c, narrow) - b_zero);
        else
            for (int32_t c = 0; c < columns; c++) sums[c] += x * (NAME(other)(b, at + (size_t)c * b_step, narrow) - b_zero);
    }
}

static inline CODE NAME(code)(const pq_batch_matmul *p, int32_t column, SUM sum) {
#if !INTEGER
    (void)p, (void)column;
    return sum;
#else
    const int32_t zero = p->zero_point, lo = (int32_t)NAME(LO) - zero, hi = (int32_t)NAME(HI) - zero;
    const int32_t multiplier = p->multiplier[column * p->by_column], exponent = p->exponent[column * p->by_column];
    const int32_t scaled = sizeof(SUM) == 8 ? pq_multiply64((int64_t)sum, multiplier, exponent)
                                            : pq_multiply((int32_t)sum, multiplier, exponent);
    return (CODE)(pq_clamp(scaled, lo, hi) + zero);
#endif
}

void FULL_NAME(batch_matmul)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_batch_matmul *p = step->params;
    const size_t rows = (size_t)p->rows, depth = (size_t)p->depth, width = (size_t)p->columns;
    SUM sums[NAME(COLUMNS)];
    for (int32_t unit = begin; unit < end; unit++) {
        const int32_t matrix = unit / p->rows, row = unit % p->rows;
        const CODE *a = (const CODE *)step->in[0] + (size_t)p->a_matrix[matrix] * rows * depth;
        const size_t b = (size_t)p->b_matrix[matrix] * depth * width;
        CODE *y = (CODE *)step->out[0] + (size_t)unit * width;
        a += (size_t)row * (p->transposed_a ? 1 : depth);
        for (int32_t first = 0; first < p->columns; first += NAME(COLUMNS)) {
            const int32_t n = p->columns - first < NAME(COLUMNS) ? p->columns - first : NAME(COLUMNS);
            const size_t at = b + (size_t)first * (p->transposed_b ? depth : 1);
            NAME(row_sums)(p, a, p->transposed_a ? rows : 1, step->in[1], at, n, sums);
            for (int32_t c = 0; c < n; c++) y[first + c] = NAME(code)(p, first + c, sums[c]);
        }
    }
}
#undef TYPE
