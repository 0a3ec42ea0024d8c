/* batch_matmul: y = a · b for matrices of `rows` x `depth` and `depth` x `columns`, either stored transposed.
 * f32: in the order of the depth, each product and sum rounded, where `fused` maybe both at once. s8: sums wrap at 32 bits, s16: at 64;
 * code = clamp(scaled(sum) + zero_point), scaled by one multiplier, or by one for each column where by_column is 1.
 * Beside s16, b is int8 where `narrow`. Matrix i of y is made of the matrices a_matrix[i] of a and b_matrix[i] of b.
 * One unit is one row of y. */
#ifndef PQ_BATCH_MATMUL_H
#define PQ_BATCH_MATMUL_H
#include <stdint.h>

typedef struct {
    int32_t rows, depth, columns;
    int32_t transposed_a, transposed_b;
    const int64_t *a_matrix;
    const int64_t *b_matrix;
    int32_t a_zero, b_zero, zero_point;
    int32_t narrow, by_column, fused;
    const int32_t *multiplier, *exponent; /* (1) or (columns) */
} pq_batch_matmul;
#endif
