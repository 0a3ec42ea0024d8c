"""tflite-micro's signal operators: against their formulas, and whole models against tflite-micro."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases.signal import CASES
from test_ops import reference

import pyquant as pq
from pyquant.ops.flex import flex_options
from pyquant.ops.operator import Call
from pyquant.ops.registry import get


def of(op: str) -> list[tuple[pq.Model, list[np.ndarray], list[np.ndarray]]]:
    """The rows of an operator: model, inputs, outputs."""
    made = [(case.model(), case.feeds()) for case in CASES if case.op == op]
    return [(model, feeds, reference(model, feeds)) for model, feeds in made]


def option(model: pq.Model, name: str) -> int:
    node = model.main.nodes[0]
    return int(flex_options(Call(get(node.op), node), {name: int})[name])


def test_transform() -> None:
    """KISS FFT divides by the size, and rounds at every stage."""
    for model, (x,), (y,) in of("SignalRfft"):
        size = option(model, "fft_length")
        exact = np.fft.rfft(x, size) / size
        found = y[..., 0::2] + 1j * y[..., 1::2]
        assert np.abs(found - exact).max() <= 2 + np.log2(size)


def test_scaling_to_the_left() -> None:
    for _, (x,), (y, bits) in of("SignalFftAutoScale"):
        assert np.array_equal(y, x.astype(np.int64) << bits)
        peak = np.abs(y.astype(np.int64)).max()
        assert peak == 0 or peak >= 1 << 14


def test_energy() -> None:
    for model, (x,), (y,) in of("SignalEnergy"):
        first, last = option(model, "start_index"), option(model, "end_index")
        squares = x[0::2].astype(np.int64) ** 2 + x[1::2].astype(np.int64) ** 2
        assert np.array_equal(y[first:last], squares[first:last])
        assert not y[:first].any() and not y[last:].any()


def test_filters_share_their_edges() -> None:
    for model, (x,), (y,) in of("SignalFilterBank"):
        _, w, u, starts, _, widths = (None if t is None else t.data for t in model.main.nodes[0].inputs)
        bands = [slice(s, s + n) for s, n in zip(starts, widths, strict=True)]
        own = [int(np.dot(w[b].astype(object), x[b].astype(object))) for b in bands]
        next_ones = [int(np.dot(u[b].astype(object), x[b].astype(object))) for b in bands]
        assert y.tolist() == [a + b for a, b in zip(own[1:], next_ones[:-1], strict=True)]


def test_square_root_is_the_nearest() -> None:
    for model, (x,), (y,) in of("SignalFilterBankSquareRoot"):
        bits = int(model.main.nodes[0].inputs[1].data)
        for n, root in zip(x.tolist(), y.tolist(), strict=True):
            exact = (round(np.sqrt(np.longdouble(n))) if n >> 32 else min(round(n**0.5), 65535)) >> bits
            assert root == exact


def test_logarithm() -> None:
    for model, (x,), (y,) in of("SignalFilterBankLog"):
        up, scale = option(model, "input_correction_bits"), option(model, "output_scale")
        exact = np.log(np.maximum((x.astype(np.uint64) << np.uint64(up)) % (1 << 32), 1).astype(float)) * scale
        assert np.abs(y - np.minimum(exact, 32767)).max() <= 0.5 + scale * 2.5e-3  # the table is not interpolated


def test_noise_is_a_running_mean() -> None:
    """Of a steady signal it becomes the signal, of which only the least part stays."""
    case = next(c for c in CASES if c.op == "SignalFilterBankSpectralSubtraction")
    session = pq.compile(case.model()).session()
    steady = np.full(case.inputs[0].shape, 50_000, np.uint32)
    first, _ = session(steady)
    for _ in range(1000):
        rest, _ = session(steady)
    assert first.min() > 40_000
    assert np.array_equal(rest, np.full_like(rest, 50_000 * 819 >> 14))


@pytest.mark.parametrize("name", ["audio_preprocessor_int8", "audio_preprocessor_float"])
def test_audio_preprocessor_equals_tflite_micro(data_folder: Path, name: str) -> None:
    """100 windows, the estimate of the noise kept."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro").runtime
    rng, path = np.random.default_rng(7), next(data_folder.rglob(f"{name}.tflite"))
    session, oracle = pq.compile(pq.open(path)).session(), runtime.Interpreter.from_file(str(path))
    for i in range(100):
        sound = (rng.standard_normal((1, 480)) * 10 ** rng.uniform(0, 4.5)).clip(-32768, 32767).astype(np.int16)
        oracle.set_input(sound, 0)
        oracle.invoke()
        assert np.array_equal(session(sound), oracle.get_output(0)), i
