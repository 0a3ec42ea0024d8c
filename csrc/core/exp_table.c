/* exp as gemmlowp approximates it, in fixed point; the twin of exp_negative in pyquant/ops/gemmlowp.py. */
#include "fixed.h"
#include "pq.h"

/* exp(a) in Q0 for -1/4 <= a < 0 in Q0: the Taylor polynomial of fourth degree around -1/8. */
static int32_t exp_quarter(int32_t a) {
    enum { EXP_EIGHTH = 1895147668, ONE_THIRD = 715827883 };
    const int32_t x = a + (1 << 28), x2 = pq_sdhm(x, x), x3 = pq_sdhm(x2, x), x4 = pq_sdhm(x2, x2);
    const int32_t tail = pq_rounding_shift(pq_sdhm(pq_rounding_shift(x4, 2) + x3, ONE_THIRD) + x2, 1);
    return EXP_EIGHTH + pq_sdhm(EXP_EIGHTH, x + tail);
}

/* exp(a) in Q0 for a <= 0 in Q5. */
static int32_t exp_negative(int32_t a) {
    static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242}; /* exp(-2^j), j from -2 */
    enum { ONE = 26, QUARTER = 1 << (ONE - 2) };
    const int32_t last = (a & (QUARTER - 1)) - QUARTER, rest = last - a;
    int32_t y = exp_quarter(last << 5);
    for (int32_t j = 0; j < 7; j++)
        if (rest >> (ONE - 2 + j) & 1) y = pq_sdhm(y, factors[j]);
    return a == 0 ? INT32_MAX : y;
}

void pq_exp_table(int32_t multiplier, int32_t exponent, int32_t radius, int32_t *table) {
    for (int32_t i = 0; i < 256; i++)
        table[i] = i > radius ? 0 : exp_negative(pq_sdhm((int32_t)-((int64_t)i << exponent), multiplier));
}
