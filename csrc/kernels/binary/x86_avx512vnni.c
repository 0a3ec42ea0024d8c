/* add, multiply and their like of codes by the vectors of AVX-512; what their exact scaling does not hold for is left to AVX2. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include <math.h>
#include <string.h>

#include "binary.h"
#include "pq.h"
#include "rescale_avx512.h"

pq_kernel_function add_s8_x86_avx2, add_u8_x86_avx2, add_s16_x86_avx2;
pq_kernel_function multiply_s8_x86_avx2, multiply_u8_x86_avx2, multiply_s16_x86_avx2;
pq_kernel_function prelu_s8_x86_avx2, prelu_u8_x86_avx2, prelu_s16_x86_avx2, squared_difference_s8_x86_avx2;

#define PQ_TWO_BYTES_s8 0
#define PQ_TWO_BYTES_u8 0
#define PQ_TWO_BYTES_s16 1

/* add in floats: 2^16 y = a_code·a + b_code·b + rest, to be cut off after 16 bits. Where it is `NEAR` the next whole number, which
 * rest is already moved by, that is not sure: where it `holds`, the two roundings of either term and of their sum make up to 4,
 * and those of floats, of up to 2^26 on the way to results of up to 2^24, up to 10. */
typedef struct {
    double a, b, rest;
    bool holds;
} float_sum;

enum { NEAR = 16 };

static float_sum float_sum_of(const pq_binary *p) {
    const double unit = ldexp(p->multiplier, p->exponent - 31 + 16); /* of a term */
    const double a = ldexp(p->a_multiplier, p->a_exponent - 31 + p->left) * unit, b = ldexp(p->b_multiplier, p->b_exponent - 31 + p->left) * unit * p->sign;
    const double rest = ldexp(p->zero_point + 0.5, 16) + NEAR - a * p->a_zero - b * p->b_zero;
    return (float_sum){a, b, rest, 3 * fabs(unit) < 4 && 255 * (fabs(a) + fabs(b)) + fabs(rest) < 0x1p26};
}

#define ISA x86_avx512vnni
#define TYPE s8
#include "vectors.h"
#define TYPE u8
#include "vectors.h"
#define TYPE s16
#include "vectors.h"

void squared_difference_s8_x86_avx512vnni(const pq_step *step, int32_t begin, int32_t end) {
    const pq_binary *p = step->params;
    const int64_t term = INT64_C(255) << p->left;
    const double a = ldexp(p->a_multiplier, p->a_exponent - 31), b = ldexp(p->b_multiplier, p->b_exponent - 31), most = (double)term * (a + b) + 2;
    const bool holds = p->a_exponent <= 0 && pq_rescale_holds(term, p->a_multiplier, p->a_exponent, false) && p->b_exponent <= 0 &&
                       pq_rescale_holds(term, p->b_multiplier, p->b_exponent, false) && most < 0x1p15 &&
                       pq_rescale_holds((int64_t)(most * most), p->multiplier, p->exponent, false);
    if (holds) vector_runs_s8(run_squared_s8, step, begin, end);
    else squared_difference_s8_x86_avx2(step, begin, end);
}
#endif
