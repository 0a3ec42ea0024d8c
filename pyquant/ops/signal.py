"""tflite-micro's signal operators: from a window of sound to the logarithms of mel filters, in integers.

Semantics from tflite-micro, signal/src and signal/micro/kernels; its FFT is KISS FFT with 16-bit numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from pyquant.dtypes import dtype
from pyquant.errors import GraphError, ShapeError
from pyquant.graph import Node, Tensor
from pyquant.ops.flex import flex_options
from pyquant.ops.operator import Call, Fill, Kernel, Launch, Operator, Shape, Slot
from pyquant.ops.registry import register

X, Y = Slot("x", role="any"), Slot("y", role="any")
LONGEST_FFT = 1 << 16
LONGEST_KERNEL = 4096  # that the C kernel has room for
MASK = np.uint64(0xFFFFFFFF)
SNR_BITS, OUTPUT_BITS = 12, 6
LOG_2 = 45426  # ln(2) in units of 2**-16


def _option(call: Call, name: str, least: int, most: int) -> int:
    value = int(flex_options(call, {name: int})[name])
    if not least <= value <= most:
        raise GraphError(f"{call.label}: option {name} is {value}, expected {least} to {most}")
    return value


def same(call: Call, x: Shape, *_others: Shape) -> list[Shape]:
    return [x] * len(call.node.outputs)


def windowed(call: Call, x: Shape, weights: Shape) -> list[Shape]:
    if not x or len(weights) != 1 or weights[0] != x[-1]:
        raise ShapeError(f"{call.label}: window {weights} of {x}")
    return [x]


def window(call: Call, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    product = x.astype(np.int64) * weights >> _option(call, "shift", 0, 31)
    return np.asarray(np.clip(product, -32768, 32767), np.int16)


def auto_scaled(call: Call, x: Shape) -> list[Shape]:
    return [x, ()]


def auto_scale(call: Call, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """To the left as far as the greatest value goes. -> scaled, the number of bits"""
    peak = int(np.abs(x.astype(np.int64)).max(initial=0))
    bits = 15 - peak.bit_length() if 0 < peak < 32768 else 0
    return (x.astype(np.int64) << bits).astype(np.int16), np.array(bits, np.int32)


def transformed(call: Call, x: Shape) -> list[Shape]:
    size = _option(call, "fft_length", 8, LONGEST_FFT)
    if size & (size - 1) or not x or x[-1] > size:
        raise ShapeError(f"{call.label}: a transform of {size} of {x}: expected a power of two that is as long")
    return [(*x[:-1], size + 2)]


def real_fft(call: Call, x: np.ndarray) -> np.ndarray:
    """(..., n) int16 -> (..., size + 2): real and imaginary parts of size / 2 + 1 frequencies, in turn."""
    size = _option(call, "fft_length", 8, LONGEST_FFT)
    rows = np.zeros((x.size // x.shape[-1] if x.size else 0, size), np.int64)
    rows[:, : x.shape[-1]] = x.reshape(len(rows), -1)
    half = size // 2
    at = _complex_fft(np.stack([rows[:, 0::2], rows[:, 1::2]]))
    first = _divided(at[:, :, 0], 2)
    out = np.zeros((2, len(rows), half + 1), np.int64)
    out[0, :, 0], out[0, :, half] = first[0] + first[1], first[0] - first[1]
    k = np.arange(1, half // 2 + 1)
    near, far = _divided(at[:, :, k], 2), _divided(at[:, :, half - k] * np.array([1, -1])[:, None, None], 2)
    turns = _unit(-math.pi * (k / half + 0.5))
    total, turned = _wrap16(near + far), _product(_wrap16(near - far), turns)
    out[:, :, k] = total + turned >> 1
    out[0, :, half - k], out[1, :, half - k] = (total[0] - turned[0] >> 1).T, (turned[1] - total[1] >> 1).T
    return _wrap16(np.moveaxis(out, 0, -1)).astype(np.int16).reshape(*x.shape[:-1], size + 2)


def _complex_fft(x: np.ndarray) -> np.ndarray:
    """By four as often as it goes, then by two; every stage divides by as much. x: (2, rows, n)"""
    n = x.shape[-1]
    if n == 1:
        return x
    p = 4 if n % 4 == 0 else 2
    part, m = np.stack([_complex_fft(x[:, :, i::p]) for i in range(p)]), n // p
    part = _divided(part, p)
    turned = [part[0], *(_product(part[q], _unit(-2 * math.pi * q * np.arange(m) / n)) for q in range(1, p))]
    if p == 2:
        return np.concatenate([_wrap16(turned[0] + turned[1]), _wrap16(turned[0] - turned[1])], axis=-1)
    even, odd = _wrap16(turned[0] + turned[2]), _wrap16(turned[1] + turned[3])
    rest, across = _wrap16(turned[0] - turned[2]), _wrap16(turned[1] - turned[3])
    quarter = np.stack([across[1], -across[0]])  # times -i
    return np.concatenate([_wrap16(v) for v in (even + odd, rest + quarter, even - odd, rest - quarter)], axis=-1)


def _unit(angle: np.ndarray) -> np.ndarray:
    """(2, n): the complex numbers of length 1 at these angles, in units of 1 / 32767."""
    return np.floor(0.5 + 32767 * np.stack([np.cos(angle), np.sin(angle)])).astype(np.int64)


def _rounded(x: np.ndarray) -> np.ndarray:
    return _wrap16(x + (1 << 14) >> 15)


def _divided(x: np.ndarray, by: int) -> np.ndarray:
    return _rounded(x * (32767 // by))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([_rounded(a[0] * b[0] - a[1] * b[1]), _rounded(a[0] * b[1] + a[1] * b[0])])


def _wrap16(x: np.ndarray) -> np.ndarray:
    return np.asarray((x + 32768) % 65536 - 32768)


def of_pairs(call: Call, x: Shape) -> list[Shape]:
    if len(x) != 1 or x[0] % 2:
        raise ShapeError(f"{call.label}: expected pairs of real and imaginary parts, got shape {x}")
    return [(x[0] // 2,)]


def energy(call: Call, x: np.ndarray) -> np.ndarray:
    """Squares of the absolute values from start_index up to end_index; 0 elsewhere."""
    count = x.size // 2
    start, end = _option(call, "start_index", 0, count), _option(call, "end_index", 0, count)
    parts = x.astype(np.int64).reshape(-1, 2)
    squares = (parts * parts).sum(1)
    inside = (np.arange(count) >= start) & (np.arange(count) < end)
    return np.where(inside, squares, 0).astype(np.uint32)


def filtered(call: Call, x: Shape, *tables: Shape) -> list[Shape]:
    channels = _option(call, "num_channels", 1, 1 << 16)
    if len(x) != 1 or tables[0] != tables[1] or any(t != (channels + 1,) for t in tables[2:]):
        raise ShapeError(f"{call.label}: tables {tables} for {channels} channels of {x}")
    return [(channels,)]


def filter_bank(
    call: Call,
    x: np.ndarray,
    weights: np.ndarray,
    unweights: np.ndarray,
    starts: np.ndarray,
    weight_starts: np.ndarray,
    widths: np.ndarray,
) -> np.ndarray:
    """Each band counts by its weights for its own channel, and by the rest for the next."""
    output, carried = [], 0
    for start, first, width in zip(starts.tolist(), weight_starts.tolist(), widths.tolist(), strict=True):
        end, last = start + max(width, 0), first + max(width, 0)
        if min(start, first) < 0 or end > x.size or last > weights.size:
            raise ShapeError(f"{call.label}: a band of {width} at {start}, weights at {first}, is not all there")
        terms = x[start:end].tolist()
        total = carried + sum(w * t for w, t in zip(weights[first:last].tolist(), terms, strict=True))
        carried = sum(w * t for w, t in zip(unweights[first:last].tolist(), terms, strict=True))
        output.append(total % (1 << 64))
    return np.array(output[1:], np.uint64)


def square_root(call: Call, x: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Rounded to nearest, up to the greatest number of half as many bits; then `bits` to the right."""
    if bits.size != 1 or not 0 <= int(bits.item()) <= 31:
        raise ShapeError(f"{call.label}: {bits.tolist()} bits to scale down by")
    return np.array([_root(n) >> int(bits.item()) for n in x.ravel().tolist()], np.uint32).reshape(x.shape)


def _root(n: int) -> int:
    root, most = math.isqrt(n), 0xFFFF if n < 1 << 32 else 0xFFFFFFFF
    return root + (n - root * root > root and root != most)


SUBTRACTION = {
    "alternate_one_minus_smoothing": int,
    "alternate_smoothing": int,
    "clamping": bool,
    "min_signal_remaining": int,
    "num_channels": int,
    "one_minus_smoothing": int,
    "smoothing": int,
    "smoothing_bits": int,
    "spectral_subtraction_bits": int,
}


def noise(node: Node) -> list[Tensor]:
    """What the operator keeps from run to run, which no file shows: an estimate for each channel, from 0."""
    y = node.outputs[0]
    return [Tensor(f"noise of {y.name}", y.shape, dtype("uint32"), is_variable=True)]


def subtract_noise(call: Call, x: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Less a running mean of each channel, but for a least part of it. -> the rest, the estimate of the noise"""
    options = _subtraction(call)
    up, down = options["smoothing_bits"], options["spectral_subtraction_bits"]
    odd = np.arange(x.size) % 2 == 1
    new = np.where(odd, options["alternate_smoothing"], options["smoothing"]).astype(np.uint64)
    old = np.where(odd, options["alternate_one_minus_smoothing"], options["one_minus_smoothing"]).astype(np.uint64)
    signal = x.astype(np.uint64) << np.uint64(up) & MASK
    estimate = (signal * new + state.astype(np.uint64) * old >> np.uint64(down)) & MASK
    taken = np.minimum(estimate, signal)
    floor = (x.astype(np.uint64) * np.uint64(options["min_signal_remaining"]) >> np.uint64(down)) & MASK
    state[...] = (taken if options["clamping"] else estimate).astype(np.uint32)
    rest = np.maximum(signal - taken >> np.uint64(up), floor)
    return rest.astype(np.uint32), state.copy()


def _subtraction(call: Call) -> dict[str, Any]:
    options = flex_options(call, SUBTRACTION)
    up, down = options["smoothing_bits"], options["spectral_subtraction_bits"]
    if not (0 <= up < 32 and 0 <= down < 64) or min(v for v in options.values()) < 0:
        raise GraphError(f"{call.label}: options {options} are out of range")
    return options


def subtracted(call: Call, x: Shape, state: Shape | None = None) -> list[Shape]:
    if state is not None and state != x:
        raise ShapeError(f"{call.label}: a state {state} of {x}")
    return [x, x]


def gained(call: Call, x: Shape, noise: Shape, table: Shape) -> list[Shape]:
    if noise != x or table != (4 * 32 - 3,):
        raise ShapeError(f"{call.label}: noise {noise} and a table {table} of {x}, expected 125 entries")
    return [x]


def auto_gain(call: Call, x: np.ndarray, noise: np.ndarray, table: np.ndarray) -> np.ndarray:
    """By a gain that depends on the noise, and compressed: x squared / 4 below 2, x - 1 above."""
    gain = np.array([_gain(n, table) for n in noise.tolist()], np.int64).astype(np.uint64) & MASK
    product = x.astype(np.uint64) * gain >> np.uint64(_option(call, "snr_shift", 0, 63))
    snr = product & MASK
    low = snr * snr >> np.uint64(2 + 2 * SNR_BITS - OUTPUT_BITS)
    high = (snr >> np.uint64(SNR_BITS - OUTPUT_BITS)) - np.uint64(1 << OUTPUT_BITS)
    return np.where(snr < 2 << SNR_BITS, low, high & MASK).astype(np.uint32)


def _gain(x: int, table: np.ndarray) -> int:
    """Parabolas between powers of two."""
    if x <= 2:
        return int(table[x])
    octave = x.bit_length()
    base, slope, bend = (int(v) for v in table[4 * octave - 6 : 4 * octave - 3])
    fraction = (x << 11 - octave if octave < 11 else x >> octave - 11) & 0x3FF
    result = (((bend * fraction >> 5) + (slope << 5)) * fraction + (1 << 14) >> 15) + base
    return (result + 32768) % 65536 - 32768


def logarithm(call: Call, x: np.ndarray) -> np.ndarray:
    scale, up = _log_options(call)
    return np.array([_log((n << up) & 0xFFFFFFFF, scale) for n in x.ravel().tolist()], np.int16).reshape(x.shape)


def _log_options(call: Call) -> tuple[int, int]:
    return _option(call, "output_scale", 0, 1 << 15), _option(call, "input_correction_bits", 0, 31)


def _log(x: int, scale: int) -> int:
    """ln(x) in units of 1 / scale: log2 by a table of 128 pieces, up to 32767; 0 up to 1."""
    if x <= 1:
        return 0
    whole = x.bit_length() - 1
    fraction = (x - (1 << whole)) << 16 >> whole
    piece = fraction >> 9
    here, after = bends()[piece : piece + 2]
    log2 = (whole << 16) + fraction + here + ((after - here) * (fraction - (piece << 9)) >> 16)
    natural = LOG_2 * log2 + (1 << 15) >> 16
    return min((scale * natural + (1 << 15) & 0xFFFFFFFF) >> 16, 32767)


@lru_cache(maxsize=1)
def bends() -> tuple[int, ...]:
    """How far log2(1 + t) is above t, for t = 0, 1/128, ..., 1, in units of 2**-16."""
    t = np.arange(129) / 128
    return tuple(int(v) for v in np.floor((np.log2(1 + t) - t) * 65536 + 0.5))


def _launch(call: Call, units: int = 1, **fields: Any) -> Launch:
    """pq_signal; one unit does all of the work, or a row."""
    x = call["x"]
    params: dict[str, Any] = dict.fromkeys(("length", "shift", "first", "last", "channels"), 0)
    params |= dict.fromkeys(("up", "down", "clamping", "scale", "least"), 0)
    params |= dict.fromkeys(("turns", "half_turns", "bends"))
    params |= {"size": x.size, "newer": (0, 0), "older": (0, 0), **fields}
    return Launch(units, params, cost=max(8 * x.size // max(units, 1), 1))


def window_params(call: Call) -> Launch:
    size = call["x"].shape[-1]
    return _launch(call, call["x"].size // size if size else 0, size=size, shift=_option(call, "shift", 0, 31))


def fft_params(call: Call) -> Launch | None:
    size, length = call["x"].shape[-1], _option(call, "fft_length", 8, LONGEST_FFT)
    if length > LONGEST_KERNEL or not size:
        return None
    half = length // 2
    turns = _unit(-2 * math.pi * np.arange(half) / half)
    half_turns = _unit(-math.pi * (np.arange(1, half // 2 + 1) / half + 0.5))
    tables = {"turns": turns, "half_turns": half_turns}
    pairs = {name: np.ascontiguousarray(table.T, np.int16) for name, table in tables.items()}
    return _launch(call, call["x"].size // size, size=size, length=length, **pairs)


def energy_params(call: Call) -> Launch:
    count = call["x"].size // 2
    first, last = _option(call, "start_index", 0, count), _option(call, "end_index", 0, count)
    return _launch(call, size=count, first=first, last=last)


def filter_params(call: Call) -> Launch | None:
    names = ("weights", "starts", "weight_starts", "widths")
    weights, starts, first, widths = (call.constant(name) for name in names)
    if weights is None or starts is None or first is None or widths is None:
        return None
    width = np.maximum(widths.astype(np.int64), 0)
    inside = (starts >= 0) & (first >= 0) & (starts + width <= call["x"].size) & (first + width <= weights.size)
    return _launch(call, channels=call["y"].size) if inside.all() else None  # the reference tells which is not


def subtraction_params(call: Call) -> Launch | None:
    options = _subtraction(call)
    if max(int(v) for v in options.values()) >> 32:
        return None
    return _launch(
        call,
        up=options["smoothing_bits"],
        down=options["spectral_subtraction_bits"],
        clamping=int(options["clamping"]),
        least=options["min_signal_remaining"],
        newer=(options["smoothing"], options["alternate_smoothing"]),
        older=(options["one_minus_smoothing"], options["alternate_one_minus_smoothing"]),
    )


def gain_params(call: Call) -> Launch:
    return _launch(call, shift=_option(call, "snr_shift", 0, 63))


def log_params(call: Call) -> Launch:
    scale, up = _log_options(call)
    return _launch(call, scale=scale, up=up, bends=np.array(bends(), np.int32))


def _signal(
    name: str,
    kind: str,
    inputs: tuple[Slot, ...],
    shape: Callable[..., Sequence[Shape]],
    reference: Callable[..., np.ndarray | tuple[np.ndarray, ...]],
    outputs: tuple[Slot, ...] = (Y,),
    state: Callable[[Node], list[Tensor]] | None = None,
    kernel: str = "",
    fill: Fill = _launch,
    types: str = "",
) -> Operator:
    """types: of the inputs and outputs that the C kernel takes, which checks nothing."""

    def typed(call: Call) -> Launch | None:
        found = [t.dtype.name for t in (*call.node.inputs, *call.node.outputs) if t is not None]
        return fill(call) if found == types.split() else None

    return register(
        Operator(
            name,
            inputs,
            outputs,
            shape,
            {kind: reference},
            kernels={kind: Kernel(f"signal_{kernel}", "pq_signal", typed)},
            custom=True,
            ranged=False,
            pure=state is None,
            state=state,
        )
    )


def _tables(*names: str) -> tuple[Slot, ...]:
    return tuple(Slot(name, role="data") for name in names)


WINDOW = _signal(
    "SignalWindow",
    "int16",
    (X, *_tables("weights")),
    windowed,
    window,
    kernel="window",
    types="int16 int16 int16",
    fill=window_params,
)
AUTO_SCALE = _signal(
    "SignalFftAutoScale",
    "int16",
    (X,),
    auto_scaled,
    auto_scale,
    (Y, Slot("bits", role="data")),
    kernel="auto_scale",
    types="int16 int16 int32",
)
RFFT = _signal("SignalRfft", "int16", (X,), transformed, real_fft, kernel="rfft", types="int16 int16", fill=fft_params)
ENERGY = _signal(
    "SignalEnergy", "int16", (X,), of_pairs, energy, kernel="energy", types="int16 uint32", fill=energy_params
)
FILTER_BANK = _signal(
    "SignalFilterBank",
    "uint32",
    (X, *_tables("weights", "unweights", "starts", "weight_starts", "widths")),
    filtered,
    filter_bank,
    kernel="filter_bank",
    types="uint32 int16 int16 int16 int16 int16 uint64",
    fill=filter_params,
)
SQUARE_ROOT = _signal(
    "SignalFilterBankSquareRoot",
    "uint64",
    (X, *_tables("bits")),
    same,
    square_root,
    kernel="square_root",
    types="uint64 int32 uint32",
)
SUBTRACT = _signal(
    "SignalFilterBankSpectralSubtraction",
    "uint32",
    (X, Slot("noise", role="any")),
    subtracted,
    subtract_noise,
    (Y, Slot("estimate", role="any")),
    noise,
    "subtraction",
    subtraction_params,
    "uint32 uint32 uint32 uint32",
)
PCAN = _signal(
    "SignalPCAN",
    "uint32",
    (X, Slot("noise", role="any"), *_tables("gains")),
    gained,
    auto_gain,
    kernel="pcan",
    types="uint32 uint32 int16 uint32",
    fill=gain_params,
)
LOG = _signal(
    "SignalFilterBankLog", "uint32", (X,), same, logarithm, kernel="log", types="uint32 int16", fill=log_params
)
