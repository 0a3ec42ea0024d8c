"""The quantizer: specified parameters, decisions that obey every slot, files that runtimes load, clear refusals."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import assert_obeys_slots, conv, network, normal, runs_in_oracles, samples

import pyquant as pq
from pyquant.dtypes import BFLOAT16, FLOAT32, INT8, INT16, DType
from pyquant.graph import Builder
from pyquant.graph.real import from_bfloat16, to_bfloat16
from pyquant.ops.build import add
from pyquant.quantize import Rule, parameters, recipe, solve

SCHEMES = ("float16", "bfloat16", "dynamic", "int8", "int16x8")
NEWER = ("bfloat16",)  # which tflite-runtime 2.14 does not take
STATIC = ("int8", "int16x8")


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from([INT8, INT16]))
def test_activation_parameters_hold_zero_and_the_range(a: float, b: float, kind: DType) -> None:
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    q = parameters.activation(low, high, kind)
    scale, zero = float(q.scale[0]), int(q.zero_point[0])
    assert kind.lo <= zero <= kind.hi
    assert scale >= parameters.SMALLEST_SCALE
    for end in (low, high):
        stored = parameters.store(np.float32([end]), q, kind)
        assert abs(scale * (int(stored[0]) - zero) - end) <= scale * 1.01
    assert parameters.store(np.float32([0]), q, kind)[0] == zero


@pytest.mark.parametrize("kind", [INT8, INT16])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 7), (4, 3, 2, 5), (1, 3, 3, 33)])
def test_codes_are_the_nearest(shape: tuple[int, ...], kind: DType) -> None:
    """As by NumPy in double, at ties and beyond the ends, too."""
    generator = np.random.default_rng(len(shape))
    for axis in [None, *range(len(shape))]:
        size = 1 if axis is None else shape[axis]
        scale = generator.uniform(0.01, 2, size).astype(np.float32)
        along = scale.reshape([-1 if i == axis else 1 for i in range(len(shape))]) if shape else scale[0]
        steps = generator.integers(-70_000, 70_000, shape) / 2
        values = np.asarray(steps * along, np.float32)
        q = pq.Quantization.of(scale, 0, axis or 0)
        exact = values.astype(np.float64) / np.asarray(along, np.float64)
        nearest = np.clip(
            np.trunc(exact) + np.copysign(np.abs(exact - np.trunc(exact)) >= 0.5, exact), -kind.hi, kind.hi
        )
        found = parameters.store(values, q, kind, narrow=True)
        assert found.dtype == kind.numpy and found.shape == shape
        np.testing.assert_array_equal(found, nearest)


def test_bfloat16_is_the_nearest_ties_to_even() -> None:
    values = np.float32([0, -0.0, 1, 1 + 2**-8, 1 + 3 * 2**-8, -3.14159, 3e38, np.inf, -np.inf, 1e-40])
    bits = to_bfloat16(values)
    assert bits[2:5].tolist() == [0x3F80, 0x3F80, 0x3F82] and bits[1] == 0x8000
    again = from_bfloat16(bits)
    np.testing.assert_array_equal(to_bfloat16(again), bits)
    np.testing.assert_allclose(again[2:6], values[2:6], rtol=2**-8)
    assert np.isnan(from_bfloat16(to_bfloat16(np.float32([np.nan, -np.nan])))).all()


def test_bits_of_bfloat16_are_no_numbers() -> None:
    b = Builder()
    y = add(b, "FULLY_CONNECTED", [b.input("x", (2, 4)), b.constant("w", normal(3, 4)), None], "y")
    model = b.model([y])
    weight = model.main.nodes[0].inputs[1]
    assert weight is not None and weight.data is not None
    weight.data, weight.dtype = None, BFLOAT16
    weight.data = to_bfloat16(normal(3, 4))
    for run in (pq.compile, lambda model: pq.interpret(model, [normal(2, 4)])):
        with pytest.raises(pq.UnsupportedOp, match="no kernel and no reference takes these types"):
            run(model)


def test_weights_are_symmetric_and_narrow() -> None:
    w = normal(4, 3, 3, 2)
    w[2] = 0
    q = pq.Quantization.of(parameters.weight_scales(w, 0))
    stored = parameters.store(w, q, INT8, narrow=True)
    assert np.abs(stored.reshape(4, -1)).max(axis=1).tolist() == [127, 127, 0, 127]
    assert q.scale[2] == q.scale.max()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("per_channel", [True, False])
def test_every_scheme_runs_and_stays_near_float(scheme: str, per_channel: bool) -> None:
    model, feeds = network(), samples()
    small = pq.quantize(model, scheme, data=feeds, per_channel=per_channel)
    assert_obeys_slots(small)
    assert [t.name for t in small.main.inputs + small.main.outputs] == ["x", "y", "mean"]
    expected, ours = pq.interpret(model, feeds[:1]), pq.interpret(small, feeds[:1])
    theirs = runs_in_oracles(small, feeds[:1], newer=scheme in NEWER)
    for before, after in zip(model.main.outputs, small.main.outputs, strict=True):
        assert np.abs(expected[before] - ours[after]).max() <= 0.05
    for tensor, array in zip(small.main.outputs, theirs, strict=True):
        assert np.abs(ours[tensor] - array).max() <= 0.02


@pytest.mark.parametrize(
    ("scheme", "kind"), [("int8", "int8"), ("int8", "uint8"), ("int8", "float32"), ("int16x8", "int16")]
)
def test_boundary_types(scheme: str, kind: str) -> None:
    small = pq.quantize(network(), scheme, data=samples(), input_type=kind, output_type=kind)
    boundary = small.main.inputs + small.main.outputs
    assert [t.dtype.name for t in boundary] == [kind] * 3
    assert [t.name for t in boundary] == ["x", "y", "mean"]
    x = small.main.inputs[0]
    assert x.dtype.numpy is not None
    runs_in_oracles(small, [np.zeros(x.shape, x.dtype.numpy)])


@pytest.mark.parametrize("scheme", STATIC)
@pytest.mark.parametrize("value", [0.0, 1.0, 1e-30, 1e30])
def test_degenerate_data_still_makes_a_file_that_loads(scheme: str, value: float) -> None:
    data = [np.full((1, 8, 8, 3), value, np.float32)]
    made = pq.assign(network(), scheme, data=data)
    if value != 1.0:
        assert made.notes or made.repairs
    small = pq.apply(made)
    assert_obeys_slots(small)
    runs_in_oracles(small, [np.zeros((1, 8, 8, 3), np.float32)])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_data_without_a_finite_value_are_refused(value: float) -> None:
    with pytest.raises(pq.DataError, match="input 'x': found 192 values that are NaN or infinite"):
        pq.quantize(network(), "int8", data=[np.full((1, 8, 8, 3), value, np.float32)])


@pytest.mark.parametrize("scheme", STATIC)
def test_a_huge_bias_raises_the_weight_scale(scheme: str) -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    w = b.constant("w", np.full((2, 4), 1e-12, np.float32))
    y = add(b, "FULLY_CONNECTED", [x, w, b.constant("bias", np.float32([1e3, 0]))], "y")
    small = pq.quantize(b.model([y]), scheme, data=[np.full((1, 4), 1e-6, np.float32)])
    runs_in_oracles(small, [np.zeros((1, 4), np.float32)])
    assert abs(pq.interpret(small, [np.zeros((1, 4), np.float32)])[small.main.outputs[0]][0, 0] - 1e3) < 10


def test_unknown_and_excluded_operators_stay_float_between_casts() -> None:
    b = Builder()
    x = b.input("x", (1, 4, 4, 3))
    odd = b.tensor("odd", (1, 4, 4, 4))
    b.node("CUSTOM", [conv(b, x, 4, "first")], [odd], custom_code="Mystery")
    model = b.model([conv(b, odd, 4, "second"), conv(b, odd, 4, "third")])
    ranges = {t: pq.Range(-1, 1) for t in model.main.tensors if not t.is_constant}
    made = solve(model, recipe("int8", keep_float=("^third$",)), ranges)
    assert [label for label, _ in made.kept_float] == ["Mystery 'odd'", "CONV_2D 'third'"]
    ops = [node.op for node in pq.apply(made).main.nodes]
    assert ops.count("Mystery") == 1 and ops.count("QUANTIZE") == 2 and ops.count("DEQUANTIZE") == 2
    assert "Mystery 'odd': unknown operator" in str(made)


@pytest.mark.parametrize("scheme", STATIC)
def test_a_fixed_scale_enters_a_concatenation_by_a_copy_unless_all_are_fixed(scheme: str) -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    gate = add(b, "LOGISTIC", [x], "gate")
    mixed = add(b, "CONCATENATION", [gate, gate, x], "mixed", axis=1)
    alike = add(b, "CONCATENATION", [gate, add(b, "LOGISTIC", [mixed], "other")], "alike", axis=1)
    data = list(np.random.default_rng(7).uniform(-9, 9, (9, 1, 4)).astype(np.float32))
    model = b.model([mixed, alike])
    small = pq.quantize(model, scheme, data=data)
    assert_obeys_slots(small)
    expected, ours = pq.interpret(model, data[:1]), pq.interpret(small, data[:1])
    # LOGISTIC adds its own rounding to a quarter of that of its input
    for before, after, step in zip(model.main.outputs, small.main.outputs, (18 / 255, 4 / 256), strict=True):
        assert np.abs(expected[before] - ours[after]).max() <= step * 1.01
    casts = [n for n in small.main.nodes if n.op == "QUANTIZE" and n.inputs[0].dtype is not FLOAT32]
    assert len(casts) == 1  # both copies of the gate are one
    runs_in_oracles(small, data[:1])


def test_one_bias_under_two_scales_becomes_two() -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    w1, w2, bias = b.constant("w1", normal(4, 4)), b.constant("w2", normal(4, 4) * 9), b.constant("bias", normal(4))
    y = add(b, "FULLY_CONNECTED", [add(b, "FULLY_CONNECTED", [x, w1, bias], "h"), w2, bias], "y")
    small = pq.quantize(b.model([y]), "int8", data=[normal(1, 4)])
    assert_obeys_slots(small)
    assert len({n.inputs[2] for n in small.main.nodes if n.op == "FULLY_CONNECTED"}) == 2


@pytest.mark.parametrize("scheme", STATIC)
@pytest.mark.parametrize("first", range(4))
def test_a_model_quantized_in_part_ends_as_one_quantized_at_once(scheme: str, first: int) -> None:
    model, feeds = network(), samples()
    names = [node.outputs[0].name for node in model.main.nodes]
    part = pq.quantize(model, scheme, data=feeds, keep_float=[f"^{name}$" for name in names[first::4]])
    whole, at_once = (pq.quantize(m, scheme, data=feeds) for m in (part, model))
    assert len(part.main.nodes) > len(at_once.main.nodes)
    assert_obeys_slots(whole)
    counts = [Counter(n.op for n in m.main.nodes if n.op != "QUANTIZE") for m in (whole, at_once)]
    assert counts[0] == counts[1]  # but for what casts between scales that the part has fixed
    expected, ours = (list(pq.interpret(m, feeds[:1]).values()) for m in (model, whole))
    assert all(np.abs(a - b).max() <= 0.05 for a, b in zip(expected, ours, strict=True))
    runs_in_oracles(whole, feeds[:1])


def test_the_argument_is_left_as_it_is(tmp_path: object) -> None:
    model = network()
    before = [(t.name, t.dtype, t.quantization, t.buffer) for t in model.main.tensors]
    nodes = [(n.op, list(n.inputs), list(n.outputs)) for n in model.main.nodes]
    pq.quantize(model, "int8", data=samples())
    assert before == [(t.name, t.dtype, t.quantization, t.buffer) for t in model.main.tensors]
    assert nodes == [(n.op, list(n.inputs), list(n.outputs)) for n in model.main.nodes]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: pq.quantize(m, "int7"), "'int7' is not one of float16, bfloat16, dynamic, int8, int16x8"),
        (lambda m: pq.quantize(m, "int8"), "needs representative samples"),
        (lambda m: pq.quantize(m, "int8", data=samples(), input_type="int16"), "input_type 'int16' is not one of"),
        (lambda m: pq.quantize(m, "int8", data=samples(), keep_float=("(",)), "not a regular expression"),
        (lambda m: pq.quantize(m, [Rule(operation="conv_2d")]), "'conv_2d' is no operator; did you mean 'CONV_2D'?"),
        (lambda m: pq.quantize(m, []), "found no rules"),
        (lambda m: pq.quantize(pq.quantize(m, "int8", data=samples()), "dynamic"), "converts no operator"),
        (lambda m: pq.quantize(m, "int8", data=[]), "no samples"),
        (lambda m: pq.quantize(m, "int8", data=[np.zeros((3, 3), np.float32)]), "x"),
    ],
)
def test_refusals_name_the_thing(call: object, message: str) -> None:
    with pytest.raises(pq.PyQuantError, match=message):
        call(network())  # type: ignore[operator]


def test_one_expression_of_what_stays_in_float_is_not_many() -> None:
    one, listed = (recipe("int8", keep_float=kept) for kept in ("stem", ["stem"]))
    assert one == listed and len(one.rules) == 2


def test_what_float16_does_not_hold_is_told() -> None:
    b = Builder()
    w = np.ones((8, 8), np.float32)
    w[3, 4] = -1e6
    model = b.model([add(b, "FULLY_CONNECTED", [b.input("x", (1, 8)), b.constant("w", w)], "y")])
    (note,) = pq.assign(model, "float16", min_weight_elements=0).notes
    assert note == "weight 'w': elements past 65504, the most of float16, become that"
    assert pq.assign(model, "bfloat16", min_weight_elements=0).notes == []


def test_a_target_asks_for_the_kernels_that_it_has() -> None:
    b = Builder()
    model = b.model([add(b, "GELU", [b.input("x", (1, 8))], "y")])
    with pytest.raises(pq.RecipeError, match="converts no operator"):
        pq.quantize(model, "int16x8", data=[normal(1, 8)])
    made = pq.quantize(model, "int16x8", data=[normal(1, 8)], target="ai-edge-litert-2.3")
    assert [node.op for node in made.main.nodes] == ["QUANTIZE", "GELU", "DEQUANTIZE"]


def test_weights_that_are_not_finite_are_refused() -> None:
    b = Builder()
    w = np.full((2, 4), np.nan, np.float32)
    y = add(b, "FULLY_CONNECTED", [b.input("x", (1, 4)), b.constant("w", w), None], "y")
    with pytest.raises(pq.RangeError, match="'w'"):
        pq.quantize(b.model([y]), "int8", data=[np.zeros((1, 4), np.float32)])


def test_sizes_shrink() -> None:
    b = Builder()
    x = b.input("x", (1, 256))
    y = add(b, "FULLY_CONNECTED", [x, b.constant("w", normal(256, 256)), None], "y")
    model = b.model([y])
    data = [normal(1, 256)]
    stored = {
        s: sum(t.buffer.data.size for t in pq.quantize(model, s, data=data).main.tensors if t.is_constant)
        for s in SCHEMES
    }
    # where there is data, with a bias that corrects what rounding did to the means
    expected = {
        "float16": 2 * 65536,
        "bfloat16": 2 * 65536,
        "dynamic": 65536 + 1024,
        "int8": 65536 + 1024,
        "int16x8": 65536 + 2048,
    }
    assert stored == expected


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_runtimes_read_equal_scales(op: str, per_channel: bool) -> None:
    """tflite-runtime 2.14 would take several equal ones for 0, a depthwise convolution needs all."""
    b = Builder()
    x, shape = b.input("x", (1, 4, 4, 4)), (4, 1, 1, 4) if op == "CONV_2D" else (1, 1, 1, 4)
    inputs = [x, b.constant("w", np.full(shape, 0.5, np.float32)), b.constant("b", np.zeros(4, np.float32))]
    options = {"depth_multiplier": 1} if op == "DEPTHWISE_CONV_2D" else {}
    model = b.model([add(b, op, inputs, "y", stride_h=1, stride_w=1, **options)])
    small = pq.quantize(model, "dynamic", min_weight_elements=1, per_channel=per_channel)
    feed = [np.linspace(-1, 1, 64, dtype=np.float32).reshape(x.shape)]
    found, expected = runs_in_oracles(small, feed)[0], pq.interpret(small, feed)[small.main.outputs[0]]
    np.testing.assert_allclose(found, expected, atol=1e-5)


PEAK = """
import re, sys
import pyquant as pq
def most():
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) << 10
def quantize(source):
    pq.quantize(pq.open(source), sys.argv[3]).save(sys.argv[2], overwrite=True)
quantize(sys.argv[4])  # imports are no part of it
before = most()
quantize(sys.argv[1])
print(most() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell what a process holds")
@pytest.mark.parametrize("scheme", ["dynamic", "dynamic_wi4_afp32"])
def test_large_weights_are_read_piece_by_piece(scheme: str, tmp_path: Path) -> None:
    """128 MiB of them: memory, what is read of the mapped file included, stays below 1.5 times the written file."""
    for name, width in (("large", 1024), ("small", 64)):
        b = pq.Builder()
        x = b.input("x", (1, width))
        for i in range(32):
            w = np.resize(normal(width + 1), (width, width))
            x = add(b, "FULLY_CONNECTED", [x, b.constant(f"w{i}", w), None], f"y{i}")
        b.model([x]).save(tmp_path / f"{name}.tflite")
    source, target, small = (str(tmp_path / f"{name}.tflite") for name in ("large", "quantized", "small"))
    command = [sys.executable, "-c", PEAK, source, target, scheme, small]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(found.stdout) < 1.5 * Path(target).stat().st_size
