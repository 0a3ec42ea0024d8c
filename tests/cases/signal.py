"""Rows of tflite-micro's signal operators, which alone has them; tests/test_signal.py has their formulas."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cases.case import Case, Value
from cases.detection import packed

RNG = np.random.default_rng(11)
SUBTRACTION = {
    "alternate_one_minus_smoothing": 15400,
    "alternate_smoothing": 983,
    "clamping": True,
    "min_signal_remaining": 819,
    "one_minus_smoothing": 15974,
    "smoothing": 409,
    "smoothing_bits": 10,
    "spectral_subtraction_bits": 14,
}


def row(i: int, op: str, inputs: tuple[Value, ...], outputs: tuple[str, ...] = ("int16",), **options: Any) -> Case:
    given = {"custom_options": packed(options)} if options else {}
    more = tuple(Value((), dtype) for dtype in outputs[1:])
    return Case(f"{op}-{i}", op, inputs, Value((), outputs[0]), given, oracles=("tflite-micro",), more_outputs=more)


def rows() -> Iterator[Case]:
    for i in range(20):
        size, channels, fft = int(RNG.integers(1, 70)), int(RNG.integers(1, 41)), 1 << int(RNG.integers(3, 11))
        sound = Value((size,), "int16")
        yield row(i, "SignalWindow", (sound, Value((size,), "int16", constant=True)), shift=int(RNG.integers(8, 16)))
        yield row(i, "SignalFftAutoScale", (Value((size,), "int16", low=-(1 << i % 16), high=10),), ("int16", "int32"))
        yield row(i, "SignalRfft", (Value((i % 3 + 1, int(RNG.integers(1, fft + 1))), "int16"),), fft_length=fft, T=7)
        bins = Value((2 * size,), "int16")
        energy = row(i, "SignalEnergy", (bins,), ("uint32",), start_index=i % 2 * size // 4, end_index=size - i % 2)
        yield replace(energy, oracles=()) if i % 2 else energy  # tflite-micro leaves what is outside unwritten
        widths = RNG.integers(0, 6, channels + 1)
        starts = np.cumsum(widths) - widths
        tables = (Value((int(widths.sum()),), "int16", constant=True, low=0, high=4096),) * 2
        lines = tuple(Value((channels + 1,), "int16", constant=t) for t in (starts, starts, widths))
        spectrum = Value((int(widths.sum()) + i % 3,), "uint32")
        yield row(i, "SignalFilterBank", (spectrum, *tables, *lines), ("uint64",), num_channels=channels)
        powers = Value((channels,), "uint64", low=0, high=1 << 2 * i + 20)
        bits = Value((), "int32", constant=i % 5)
        yield row(i, "SignalFilterBankSquareRoot", (powers, bits), ("uint32",))
        energies = Value((channels,), "uint32", low=0, high=1 << i % 22)
        options = {**SUBTRACTION, "clamping": i % 2 == 0, "num_channels": channels}
        yield row(i, "SignalFilterBankSpectralSubtraction", (energies,), ("uint32", "uint32"), **options)
        noise, gains = Value((channels,), "uint32"), Value((125,), "int16", constant=True)
        yield row(i, "SignalPCAN", (energies, noise, gains), ("uint32",), snr_shift=int(RNG.integers(0, 12)))
        scale = {"input_correction_bits": i % 4, "output_scale": (1, 16, 256, 1600)[i % 4]}
        yield row(i, "SignalFilterBankLog", (Value((channels,), "uint32"),), **scale)


CASES = list(rows())
