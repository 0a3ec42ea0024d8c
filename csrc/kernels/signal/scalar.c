#include "signal.h"

#include <stddef.h>
#include <string.h>

#include "fixed.h"
#include "pq.h"

enum { LONGEST = 4096, SNR_BITS = 12, OUTPUT_BITS = 6, LOG_2 = 45426 };

static inline int32_t bit_length(uint32_t x) { return x ? 32 - __builtin_clz(x) : 0; }

void signal_window_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_signal *p = step->params;
    const int16_t *weights = step->in[1];
    for (int32_t unit = begin; unit < end; unit++) {
        const int16_t *x = (const int16_t *)step->in[0] + (size_t)unit * (size_t)p->size;
        int16_t *y = (int16_t *)step->out[0] + (size_t)unit * (size_t)p->size;
        for (int32_t i = 0; i < p->size; i++) y[i] = (int16_t)pq_clamp((x[i] * weights[i]) >> p->shift, INT16_MIN, INT16_MAX);
    }
}

void signal_auto_scale_scalar(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_signal *p = step->params;
    const int16_t *x = step->in[0];
    int16_t *y = step->out[0];
    int32_t peak = 0;
    for (int32_t i = 0; i < p->size; i++) peak = x[i] > peak ? x[i] : -x[i] > peak ? -x[i] : peak;
    const int32_t bits = peak == 0 || peak > INT16_MAX ? 0 : 15 - bit_length((uint32_t)peak);
    for (int32_t i = 0; i < p->size; i++) y[i] = (int16_t)(x[i] * (1 << bits));
    *(int32_t *)step->out[1] = bits;
}

typedef struct {
    int16_t re, im;
} complex16;

static inline int16_t rounded(int32_t x) { return (int16_t)((x + (1 << 14)) >> 15); }

static inline complex16 divided(complex16 a, int32_t by) {
    return (complex16){rounded(a.re * (INT16_MAX / by)), rounded(a.im * (INT16_MAX / by))};
}

static inline complex16 product(complex16 a, complex16 b) {
    return (complex16){rounded(a.re * b.re - a.im * b.im), rounded(a.re * b.im + a.im * b.re)};
}

static inline complex16 sum(complex16 a, complex16 b) { return (complex16){(int16_t)(a.re + b.re), (int16_t)(a.im + b.im)}; }

static inline complex16 difference(complex16 a, complex16 b) {
    return (complex16){(int16_t)(a.re - b.re), (int16_t)(a.im - b.im)};
}

/* The transform of n numbers of x, `stride` apart; turns has n · stride of them. */
static void transform(const complex16 *turns, const complex16 *x, int32_t stride, int32_t n, complex16 *y) {
    if (n == 1) {
        *y = *x;
        return;
    }
    const int32_t p = n % 4 == 0 ? 4 : 2, m = n / p;
    for (int32_t i = 0; i < p; i++) transform(turns, x + i * stride, stride * p, m, y + i * m);
    for (int32_t k = 0; k < m; k++) {
        complex16 v[4], *out = y + k;
        for (int32_t q = 0; q < p; q++) v[q] = divided(out[q * m], p);
        for (int32_t q = 1; q < p; q++) v[q] = product(v[q], turns[q * k * stride]);
        if (p == 2) {
            out[0] = sum(v[0], v[1]);
            out[m] = difference(v[0], v[1]);
            continue;
        }
        const complex16 even = sum(v[0], v[2]), odd = sum(v[1], v[3]), rest = difference(v[0], v[2]);
        const complex16 across = difference(v[1], v[3]), quarter = {across.im, (int16_t)-across.re};
        out[0] = sum(even, odd);
        out[m] = sum(rest, quarter);
        out[2 * m] = difference(even, odd);
        out[3 * m] = difference(rest, quarter);
    }
}

void signal_rfft_scalar(const pq_step *step, int32_t begin, int32_t end) {
    const pq_signal *p = step->params;
    const complex16 *turns = (const complex16 *)p->turns, *half_turns = (const complex16 *)p->half_turns;
    const int32_t half = p->length / 2;
    int16_t work[LONGEST];
    complex16 at[LONGEST / 2];
    for (int32_t unit = begin; unit < end; unit++) {
        complex16 *y = (complex16 *)step->out[0] + (size_t)unit * ((size_t)half + 1);
        memset(work, 0, (size_t)p->length * sizeof *work);
        memcpy(work, (const int16_t *)step->in[0] + (size_t)unit * (size_t)p->size, (size_t)p->size * sizeof *work);
        transform(turns, (const complex16 *)work, 1, half, at);
        const complex16 first = divided(at[0], 2);
        y[0] = (complex16){(int16_t)(first.re + first.im), 0};
        y[half] = (complex16){(int16_t)(first.re - first.im), 0};
        for (int32_t k = 1; k <= half / 2; k++) {
            const complex16 mirrored = {at[half - k].re, (int16_t)-at[half - k].im};
            const complex16 near = divided(at[k], 2), far = divided(mirrored, 2), total = sum(near, far);
            const complex16 turned = product(difference(near, far), half_turns[k - 1]);
            y[k] = (complex16){(int16_t)((total.re + turned.re) >> 1), (int16_t)((total.im + turned.im) >> 1)};
            y[half - k] = (complex16){(int16_t)((total.re - turned.re) >> 1), (int16_t)((turned.im - total.im) >> 1)};
        }
    }
}

void signal_energy_scalar(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_signal *p = step->params;
    const complex16 *x = step->in[0];
    uint32_t *y = step->out[0];
    for (int32_t i = 0; i < p->size; i++)
        y[i] = i < p->first || i >= p->last ? 0 : (uint32_t)(x[i].re * x[i].re) + (uint32_t)(x[i].im * x[i].im);
}

void signal_filter_bank_scalar(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_signal *p = step->params;
    const uint32_t *x = step->in[0];
    const int16_t *weights = step->in[1], *unweights = step->in[2];
    const int16_t *starts = step->in[3], *weight_starts = step->in[4], *widths = step->in[5];
    uint64_t *y = step->out[0], carried = 0;
    for (int32_t i = 0; i <= p->channels; i++) {
        uint64_t total = carried;
        carried = 0;
        for (int32_t j = 0; j < widths[i]; j++) {
            const uint64_t energy = x[starts[i] + j];
            total += (uint64_t)(int64_t)weights[weight_starts[i] + j] * energy;
            carried += (uint64_t)(int64_t)unweights[weight_starts[i] + j] * energy;
        }
        if (i > 0) y[i - 1] = total;
    }
}

void signal_square_root_scalar(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_signal *p = step->params;
    const uint64_t *x = step->in[0];
    const int32_t bits = *(const int32_t *)step->in[1];
    uint32_t *y = step->out[0];
    for (int32_t i = 0; i < p->size; i++) {
        uint64_t rest = x[i], root = 0;
        for (uint64_t bit = UINT64_C(1) << 62; bit; bit >>= 2) {
            const int fits = rest >= root + bit;
            rest -= fits ? root + bit : 0;
            root = (root >> 1) + (fits ? bit : 0);
        }
        const uint64_t most = x[i] >> 32 ? UINT32_MAX : UINT16_MAX;
        root += rest > root && root != most;
        y[i] = bits < 0 || bits > 31 ? 0 : (uint32_t)root >> bits;
    }
}

void signal_subtraction_scalar(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_signal *p = step->params;
    const uint32_t *x = step->in[0];
    uint32_t *noise = (uint32_t *)step->in[1], *y = step->out[0];
    for (int32_t i = 0; i < p->size; i++) {
        const uint32_t signal = x[i] << p->up;
        const uint32_t mean = (uint32_t)(((uint64_t)signal * p->newer[i & 1] + (uint64_t)noise[i] * p->older[i & 1]) >> p->down);
        const uint32_t taken = mean < signal ? mean : signal, left = (signal - taken) >> p->up;
        const uint32_t floor = (uint32_t)(((uint64_t)x[i] * p->least) >> p->down);
        noise[i] = p->clamping ? taken : mean;
        y[i] = left > floor ? left : floor;
    }
    memcpy(step->out[1], noise, (size_t)p->size * sizeof *noise);
}

static int16_t gain_of(uint32_t x, const int16_t *table) {
    if (x <= 2) return table[x];
    const int32_t octave = bit_length(x);
    const int16_t *piece = table + 4 * octave - 6;
    const int32_t fraction = (int32_t)((octave < 11 ? x << (11 - octave) : x >> (octave - 11)) & 0x3FF);
    const int32_t slope = ((piece[2] * fraction) >> 5) + piece[1] * 32;
    return (int16_t)(((int32_t)((uint32_t)slope * (uint32_t)fraction + (1 << 14)) >> 15) + piece[0]);
}

void signal_pcan_scalar(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_signal *p = step->params;
    const uint32_t *x = step->in[0], *noise = step->in[1];
    uint32_t *y = step->out[0];
    for (int32_t i = 0; i < p->size; i++) {
        const uint32_t gain = (uint32_t)gain_of(noise[i], step->in[2]), snr = (uint32_t)(((uint64_t)x[i] * gain) >> p->shift);
        y[i] = snr < 2 << SNR_BITS ? (snr * snr) >> (2 + 2 * SNR_BITS - OUTPUT_BITS)
                                   : (snr >> (SNR_BITS - OUTPUT_BITS)) - (1 << OUTPUT_BITS);
    }
}

void signal_log_scalar(const pq_step *step, int32_t begin, int32_t end) {
    (void)begin, (void)end;
    const pq_signal *p = step->params;
    const uint32_t *x = step->in[0];
    int16_t *y = step->out[0];
    for (int32_t i = 0; i < p->size; i++) {
        const uint32_t scaled = x[i] << p->up;
        y[i] = 0;
        if (scaled <= 1) continue;
        const int32_t whole = bit_length(scaled) - 1;
        const int32_t fraction = (int32_t)(((uint64_t)(scaled - (1u << whole)) << 16) >> whole), piece = fraction >> 9;
        const int32_t here = p->bends[piece], bend = ((p->bends[piece + 1] - here) * (fraction - piece * 512)) >> 16;
        const uint32_t log2 = ((uint32_t)whole << 16) + (uint32_t)(fraction + here + bend);
        const uint32_t natural = (uint32_t)(((uint64_t)LOG_2 * log2 + (1 << 15)) >> 16);
        const uint32_t code = ((uint32_t)p->scale * natural + (1 << 15)) >> 16;
        y[i] = (int16_t)(code < INT16_MAX ? code : INT16_MAX);
    }
}
