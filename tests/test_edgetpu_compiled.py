"""Compiled files of small models: layouts, what inspecting and recovering say, and what becomes of broken files."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from compiled import compiled, flex, holding, model, weighted
from fuzz.worker import SECONDS, limited
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import assert_fails, run

import pyquant as pq
from pyquant.edgetpu import inspect, parameter_bytes, recover, recovery
from pyquant.edgetpu.multipliers import assigned
from pyquant.edgetpu.parameters import ALIGNMENT, BLOCK, GROUP, ORDERS, Constants, decode, encode
from pyquant.errors import FormatError, GraphError, RangeError
from pyquant.graph import Builder, Model, Quantization, dump, load
from pyquant.ops.build import add

every_order = pytest.mark.parametrize("order", ORDERS)
every_type = pytest.mark.parametrize("dtype", ["int8", "uint8"])


@st.composite
def constants(draw: st.DrawFn) -> Constants:
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    count, taps = draw(st.integers(1, 140)), draw(st.integers(1, 4))
    depthwise, single, biased = draw(st.booleans()), draw(st.booleans()) or count == 1, draw(st.booleans())
    inputs = 1 if depthwise else draw(st.integers(1, 11))
    return Constants(
        rng.integers(0, 256, (count, taps, inputs), dtype=np.uint8),
        zero_point=draw(st.integers(0, 255)) if single else 128,
        bias=rng.integers(1, 1 << 30, count, dtype=np.int32) if biased else np.zeros(count, np.int32),
        multipliers=rng.uniform(0, 1, 1 if single else count).astype(np.float32),
        depthwise=depthwise,
    )


@given(constants(), st.sampled_from(ORDERS))
@settings(max_examples=60, deadline=None)
def test_the_layout_is_that_of_plain_loops_and_has_an_inverse(constants: Constants, order: str) -> None:
    data = encode(constants, order)
    assert data.tobytes() == plainly(constants, order)
    assert data.size == constants.bytes
    found = decode(data, constants, order)
    np.testing.assert_array_equal(found.weights, constants.weights)
    np.testing.assert_array_equal(found.bias, constants.bias)
    np.testing.assert_array_equal(found.multipliers, [] if constants.single else constants.multipliers)


def plainly(c: Constants, order: str) -> bytes:
    """The layout byte after byte."""
    count, taps, inputs = c.weights.shape
    full = -(-count // GROUP) * GROUP
    groups = range(1 if c.depthwise else -(-inputs // GROUP))

    def weight(o: int, k: int, i: int) -> int:
        if o >= full:
            return 0
        if c.depthwise:
            i = 0 if i == o % GROUP else inputs
        return int(c.weights[o, k, i]) if o < count and i < inputs else c.zero_point

    out = b""
    for start in range(0, count, c.width):
        outputs = range(start, start + c.width)
        real = [o if o < count else 0 for o in outputs]
        if not c.single:
            beyond = float(count > BLOCK)
            numbers = [c.multipliers[r] if o < full else beyond for o, r in zip(outputs, real, strict=True)]
            out += np.array(numbers, "<f4").tobytes()
        if c.bias.any():
            out += np.array([c.bias[o] if o < count else 0 for o in outputs], "<i4").tobytes()
        if not c.single:
            out += np.array([128 if o < full else 0 for o in outputs], "<i4").tobytes()
        steps = product(range(taps), groups) if order == "taps" else ((k, g) for g in groups for k in range(taps))
        out += bytes(weight(o, k, GROUP * g + j) for k, g in steps for o in outputs for j in range(GROUP))
    return out + bytes(-len(out) % ALIGNMENT)


def test_blocks_are_as_wide_as_the_compiler_makes_them() -> None:
    widths = {1: 4, 4: 4, 8: 16, 10: 16, 16: 16, 17: 32, 24: 32, 34: 48, 64: 64, 65: 64, 1001: 64}
    for count, width in widths.items():
        layer = Constants(
            np.zeros((count, 1, 4), np.uint8), 0, np.zeros(count, np.int32), np.ones(1, np.float32), False
        )
        assert layer.width == width


@pytest.mark.parametrize("bare", [False, True])
@every_order
@every_type
def test_a_small_compiled_file(dtype: str, order: str, bare: bool, tmp_path: Path) -> None:
    source = model(dtype)
    compiled(source, order=order, bare=bare).save(tmp_path / "small_edgetpu.tflite")
    found = inspect(tmp_path / "small_edgetpu.tflite", source)
    assert found.comparison is not None
    assert [node.op for node in found.cpu] == ["ABS"]
    assert (len(found.comparison.mapped), len(found.comparison.cpu)) == (5, 1)
    assert [layer.stored.order for layer in found.comparison.layers] == [order, "taps", "taps", "taps"]
    assert (
        sum(parameter_bytes(layer.node) for layer in found.comparison.layers) == {"int8": 10240, "uint8": 8832}[dtype]
    )
    if not (bare and dtype == "int8"):  # which knew of uint8 only
        assert found.same, found.comparison.differences
        assert "compiled from this source: yes" in str(found)
    assert pq.diff(source, recover(tmp_path / "small_edgetpu.tflite", source)).same


def test_what_a_container_says() -> None:
    (container,) = inspect(compiled(model())).containers
    (package,) = container.packages
    assert (package.runtime, package.compiler, package.bare) == (13, "a compiler", False)
    execution, caching = package.executables
    assert [e.type for e in (execution, caching)] == ["execution only", "parameter caching"]
    assert [(e.token, e.chip, e.batch) for e in (execution, caching)] == [(5, "beagle", 1)] * 2
    assert [hint.kind for hint in execution.hints] == ["instructions", "transfer", "interrupt", "fence"]
    assert [hint.direction for hint in execution.hints] == ["in", "in", "out", "in"]
    ((field,),) = (chunk.fields for chunk in execution.chunks)
    assert (field.base, field.half, field.bit) == ("parameters", "high", 8)
    (x,), (y,) = execution.inputs, execution.outputs
    assert (x.name, x.shape, x.dtype, x.scale, x.zero_point) == ("x", (6, 6, 5), "int8", 0.5, 131)
    assert (y.name, y.shape, y.bytes, y.padded_bytes) == ("logit", (1, 1, 1), 8, 8)


def test_a_file_of_two_parts_on_the_device() -> None:
    rng, b = np.random.default_rng(0), Builder()
    x = b.input("x", (1, 4), "int8", Quantization.of(0.5, 3))
    first = weighted(b, rng, "FULLY_CONNECTED", x, (6, 4), "first")
    between = add(b, "ABS", [first], "between")
    between.quantization = first.quantization
    source = b.model([weighted(b, rng, "FULLY_CONNECTED", between, (3, 6), "second")])
    made = compiled(source)
    assert [node.op for node in made.main.nodes] == ["edgetpu-custom-op", "ABS", "edgetpu-custom-op"]
    found = inspect(made, source)
    assert found.comparison is not None and found.same
    assert (len(found.containers), len(found.comparison.layers), len(found.comparison.boundary)) == (2, 2, 4)
    assert [layer.stored.blob for layer in found.comparison.layers] == [0, 1]
    assert pq.diff(source, recover(made, source)).same


def test_an_executable_that_says_otherwise_than_the_file_is_named() -> None:
    made = compiled(model())
    made.main.inputs[0].quantization = Quantization.of(0.25, 3)
    source = model()
    source.main.inputs[0].quantization = Quantization.of(0.25, 3)
    found = inspect(made, source)
    assert found.comparison is not None
    assert "tensor 'x': the executable's layer has scale and zero point (0.5, 131)" in found.comparison.differences[0]


def test_an_output_that_the_device_does_not_give_is_named() -> None:
    source, made = model(), compiled(model())
    source.main.outputs.append(next(t for t in source.main.tensors if t.name == "stem"))
    found = inspect(made, source)
    assert found.comparison is not None
    assert found.comparison.differences == (
        "tensor 'stem': the source's CPU operators or caller read it, the device does not give it",
    )


@every_order
@every_type
@pytest.mark.parametrize("inputs", [5, 8])
def test_recovering_on_other_constants(dtype: str, order: str, inputs: int) -> None:
    """The order of the first layer's weights shows in what pads 5 inputs; of 8 it is assumed, as of small images."""
    source, like = model(dtype, inputs=inputs), model(dtype, seed=1, inputs=inputs)
    for mine, theirs in zip(like.main.tensors, source.main.tensors, strict=True):
        if not mine.is_constant:
            mine.quantization = theirs.quantization
    found = recovery(compiled(source, order=order), like)
    assumed = [layer.node.outputs[0].name for layer in found.layers if layer.assumed]
    assert assumed == ([] if inputs == 5 else ["stem"])
    named = {t.name: t for t in found.model.main.tensors}
    for t in source.main.tensors:
        if t.quantization is not None and not (assumed and t.name == "stem/w" and order == "taps"):
            np.testing.assert_array_equal(named[t.name].data, t.data)
            other = named[t.name].quantization
            assert other is not None
            np.testing.assert_allclose(other.scale, t.quantization.scale, rtol=1e-6)


def test_recovering_refuses_a_model_of_other_operators() -> None:
    b = Builder()
    other = b.model([add(b, "NEG", [b.input("x", (1, 6, 6, 5))], "y")])
    with pytest.raises(GraphError, match="ABS 'y' runs on the CPU: the model to recover has no such operator"):
        recover(compiled(model()), other)
    with pytest.raises(GraphError, match="CONV_2D 'pointwise': the compiled file has no layer of its shape there"):
        recover(compiled(model()), model(outputs=80))


@pytest.mark.parametrize(
    ("expected", "found", "places"),
    [
        ([1, 2, 3], [1, 2, 3], [0, 1, 2]),
        ([1.1, 2.1, 2.9], [1, 9, 2, 3], [0, 2, 3]),  # one of them is none of a layer
        ([3, 2.1, 1], [1, 2, 3], [2, 1, 0]),  # equal ones in whatever order
        ([1, 2], [1], [0, -1]),
        ([1, 1], [1], [0, 0]),
        ([], [1], []),
        ([2], [], [-1]),
    ],
)
def test_multipliers_are_assigned_to_layers(expected: list[float], found: list[float], places: list[int]) -> None:
    assert assigned(np.array(expected, np.float32), np.array(found, np.float32)).tolist() == places


def test_a_model_that_is_not_compiled_is_refused() -> None:
    with pytest.raises(GraphError, match="not compiled for the Edge TPU"):
        inspect(model())


def test_a_source_that_is_compiled_is_refused() -> None:
    made = compiled(model())
    for read in (inspect, recover):
        with pytest.raises(GraphError, match="the source is compiled for the Edge TPU itself"):
            read(made, made)


def tiny() -> Model:
    """One layer for the device, and an ABS."""
    b = Builder()
    x = b.input("x", (1, 4), "int8", Quantization.of(0.5, 3))
    w = b.constant("w", np.arange(16, dtype=np.int8).reshape(4, 4), quantization=Quantization.of([0.5, 1, 2, 4], 0, 0))
    bias = b.constant("b", np.arange(4, dtype=np.int32), quantization=Quantization.of([0.25, 0.5, 1, 2]))
    y = add(b, "FULLY_CONNECTED", [x, w, bias], "y")
    y.quantization = Quantization.of(3, 1)
    return b.model([add(b, "ABS", [y], "z")])


def test_every_truncation_and_changed_byte_is_refused_or_harmless() -> None:
    source = tiny()
    data = dump(compiled(source))
    assert inspected(data, source) == "read"
    ends = {inspected(data[:size], source) for size in range(len(data))}
    assert "FormatError" in ends
    rng = np.random.default_rng(0)
    ends = {inspected(changed(data, at, 255), source) for at in range(len(data))}
    ends |= {inspected(changed(data, at, 1 << int(rng.integers(8))), source) for at in range(len(data))}
    assert ends >= {"read", "FormatError", "GraphError"}


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_changed_words_are_refused_or_harmless(data: st.DataObject) -> None:
    source = tiny()
    file = bytearray(dump(compiled(source)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = 4 * data.draw(st.integers(0, len(file) // 4 - 1))
        file[at : at + 4] = data.draw(st.integers(0, 2**32 - 1)).to_bytes(4, "little")
    inspected(bytes(file), source)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_random_options_are_refused(data: bytes) -> None:
    for options in ({"4": data}, {"4": b"\x08\0\0\0DWN1" + data}, {"3": data, "4": data}):
        with pytest.raises((FormatError, GraphError)):
            inspect(holding(flex(options)))


def changed(data: bytes, at: int, bits: int) -> bytes:
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]


def inspected(data: bytes, source: Model) -> str:
    """ "read", or with which of our errors it was refused. Whatever else is raised is a fault, and so is much time."""
    with limited(SECONDS):
        try:
            made = load(data)
            found = inspect(made, source)
            assert str(found) and found.to_dict()
            recover(made, source)
        except (FormatError, GraphError, RangeError) as error:
            return type(error).__name__
    return "read"


def test_inspect_on_the_command_line(tmp_path: Path) -> None:
    source, other, made = (tmp_path / name for name in ("m.tflite", "other.tflite", "m_edgetpu.tflite"))
    model().save(source)
    model(seed=1).save(other)
    compiled(model()).save(made)
    result = run("edgetpu", "inspect", made, "--source", source)
    assert result.exit_code == 0, result.output
    assert "on the CPU: ABS y" in result.stdout and result.stdout.endswith("compiled from this source: yes\n")
    result = run("edgetpu", "inspect", made, "--source", other)
    assert result.exit_code == 1
    assert "CONV_2D 'stem': weights, bias, multipliers\n" in result.stdout
    plain = json.loads(run("edgetpu", "inspect", made, "--source", source, "--json").stdout)
    assert plain["same"] is True and plain["cpu"] == [{"operator": "ABS", "name": "y"}]
    assert plain["comparison"]["layers"][0]["weights"] is True
    assert plain["containers"][0]["packages"][0]["executables"][0]["token"] == 5
    plain = json.loads(run("edgetpu", "inspect", made, "--json").stdout)
    assert "same" not in plain
    assert_fails(run("edgetpu", "inspect", source), 1, "not compiled for the Edge TPU")


def test_recover_on_the_command_line(tmp_path: Path) -> None:
    source, made, back = (tmp_path / name for name in ("m.tflite", "m_edgetpu.tflite", "back.tflite"))
    model().save(source)
    compiled(model()).save(made)
    result = run("edgetpu", "recover", made, "--like", source, "-o", back)
    assert result.exit_code == 0 and "constants of 4 layers recovered" in result.stdout
    assert pq.diff(pq.open(source), pq.open(back)).same
    assert_fails(run("edgetpu", "recover", made, "--like", source, "-o", back), 1, "--force overwrites")
    assert_fails(run("edgetpu", "recover", source, "--like", source, "-o", back, "--force"), 1, "not compiled")
