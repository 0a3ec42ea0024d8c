/* tflite-micro's signal operators; inputs and outputs are in the operators' order. One unit is one row for signal_window and
 * signal_rfft, all of the work for the others.
 * window: y = x · weights / 2^shift, saturated. auto_scale: y = x · 2^bits, as far as the greatest goes; bits.
 * rfft: rows of `size` numbers, zeros up to `length`, to length / 2 + 1 complex ones, divided by length; turns holds
 *       exp(-2πi k / (length / 2)), half_turns exp(-πi (k / (length / 2) + 1 / 2)), from k = 1, in units of 1 / 32767.
 * energy: squares of the absolute values of the complex numbers first..last - 1 of `size`, 0 elsewhere.
 * filter_bank: sums of `channels` + 1 bands by their weights, and of the band before by its unweights; the first is dropped.
 * square_root: to nearest, and `bits` to the right. subtraction: less a running mean, its factors in units of 2^-down, for
 * channels of even and odd number. pcan: by a gain from the noise, in units of 2^-shift, then compressed.
 * log: ln(x · 2^up) · scale; bends is what log2(1 + t) is above t, for t = 0, 1/128, ..., 1, in units of 2^-16. */
#ifndef PQ_SIGNAL_H
#define PQ_SIGNAL_H
#include <stdint.h>

typedef struct {
    int32_t size, length, shift, first, last, channels;
    int32_t up, down, clamping, scale;
    uint32_t newer[2], older[2], least;
    const int16_t *turns, *half_turns; /* real and imaginary parts in turn */
    const int32_t *bends;              /* (130) */
} pq_signal;
#endif
