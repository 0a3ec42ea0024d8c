"""fold: what need not run is gone, and every output stays bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from running import feeds, ours, theirs

import pyquant as pq
from pyquant.graph import Builder, Model, Node, OpCode, Quantization, Tensor
from pyquant.ops.build import add
from pyquant.rewrite import fold
from pyquant.validate import Oracle

Q = Quantization.of(0.05, -7)


def ops(model: Model) -> list[str]:
    return [node.op for subgraph in model.subgraphs for node in subgraph.nodes]


def test_float16_weights(data_folder: Path) -> None:
    """They double, unless the caller wants them small."""
    model = pq.open(data_folder / "models" / "converter_variants" / "kws_float16.tflite")
    made = fold(model)
    assert ops(model).count("DEQUANTIZE") == 20 and "DEQUANTIZE" not in ops(made)
    assert not [t for t in made.main.tensors if t.dtype.name == "float16"]
    assert [t.name for t in made.main.inputs + made.main.outputs] == [
        t.name for t in model.main.inputs + model.main.outputs
    ]
    assert ops(fold(model, casts=False)) == ops(model)


def constant_chain() -> Model:
    """x + DEQUANTIZE(QUANTIZE(1, 2, 3) * 0.5): all but the sum is constant."""
    b = Builder()
    x = b.input("x", (2, 3))
    codes = add(b, "QUANTIZE", [b.constant("c", np.float32([1, 2, 3]))], "codes", "int8", Q)
    half = b.constant("half", np.int8([64]), quantization=Quantization.of(1 / 128))
    product = add(b, "MUL", [codes, half], "product", "int8", Quantization.of(0.02, 3))
    real = add(b, "DEQUANTIZE", [product], "real", "float32")
    return b.model([add(b, "ADD", [x, real], "y")])


def outer_product() -> Model:
    """A product of two small constants, of 4 MB."""
    b = Builder()
    x = b.input("x", (1000, 1000))
    row, column = (
        b.constant("row", np.ones((1, 1000), np.float32)),
        b.constant("column", np.ones((1000, 1), np.float32)),
    )
    return b.model([add(b, "ADD", [x, add(b, "MUL", [row, column], "table")], "y")])


def casts(first: Quantization, second: Quantization, types: tuple[str, str] = ("int8", "int8")) -> Model:
    """Codes to float32, to codes again, and a RELU."""
    b = Builder()
    x = b.input("x", (2, 3), types[0], first)
    real = add(b, "DEQUANTIZE", [x], "real", "float32")
    codes = add(b, "QUANTIZE", [real], "codes", types[1], second)
    return b.model([add(b, "RELU", [codes], "y", types[1], second)])


def there_and_back() -> Model:
    """Float32 to codes and back: that rounds."""
    b = Builder()
    x = b.input("x", (2, 3))
    codes = add(b, "QUANTIZE", [x], "codes", "int8", Q)
    return b.model([add(b, "TANH", [add(b, "DEQUANTIZE", [codes], "real", "float32")], "y")])


def requantized(second: Quantization) -> Model:
    b = Builder()
    x = b.input("x", (2, 3), "int8", Q)
    return b.model([add(b, "RELU", [add(b, "QUANTIZE", [x], "codes", "int8", second)], "y", "int8", Q)])


def reshapes(*shapes: tuple[int, ...]) -> Model:
    """TANH, RESHAPEs, TANH."""
    b = Builder()
    x = add(b, "TANH", [b.input("x", (2, 6))], "t")
    for i, shape in enumerate(shapes):
        x = add(b, "RESHAPE", [x, b.constant(f"shape{i}", np.int32(shape))], f"r{i}")
    return b.model([add(b, "TANH", [x], "y")])


def squeezed() -> Model:
    b = Builder()
    x = add(b, "TANH", [b.input("x", (1, 6))], "t")
    wide = add(b, "RESHAPE", [x, b.constant("shape", np.int32([1, 6, 1]))], "wide")
    return b.model([add(b, "TANH", [add(b, "SQUEEZE", [wide], "flat")], "y")])


@pytest.mark.parametrize(
    ("model", "left"),
    [
        (constant_chain(), ["ADD"]),
        (outer_product(), ["MUL", "ADD"]),
        (casts(Q, Q), ["RELU"]),
        (casts(Q, Quantization.of(0.05, -8)), ["DEQUANTIZE", "QUANTIZE", "RELU"]),
        (casts(Q, Quantization.of(0.06, -7)), ["DEQUANTIZE", "QUANTIZE", "RELU"]),
        (casts(Quantization.of(0.05), Quantization.of(0.05), ("int8", "int16")), ["DEQUANTIZE", "QUANTIZE", "RELU"]),
        (casts(Quantization.of(2e-40), Quantization.of(2e-40), ("int16", "int16")), ["RELU"]),
        (there_and_back(), ["QUANTIZE", "DEQUANTIZE", "TANH"]),
        (requantized(Q), ["RELU"]),
        (requantized(Quantization.of(0.05, -8)), ["QUANTIZE", "RELU"]),
        (reshapes((3, 4)), ["TANH", "RESHAPE", "TANH"]),
        (reshapes((2, 6)), ["TANH", "TANH"]),
        (reshapes((3, 4), (12,)), ["TANH", "RESHAPE", "TANH"]),
        (reshapes((3, -1), (12,), (2, -1)), ["TANH", "TANH"]),
        (squeezed(), ["TANH", "SQUEEZE", "TANH"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_left(model: Model, left: list[str], oracle_of: Callable[[str], Oracle]) -> None:
    """And that it gives the same, for all inputs that there are where these are codes."""
    before = ops(model)
    made = fold(model)
    assert ops(made) == left
    assert ops(model) == before
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, model.main.inputs[0].shape)
    for inputs in ([x.astype(model.main.inputs[0].dtype.numpy)], feeds(model)):
        assert ours(made, inputs) == ours(model, inputs) is not None
        for runtime in ("tflite-runtime", "ai-edge-litert"):
            oracle = oracle_of(runtime)
            assert theirs(oracle, made, inputs) == theirs(oracle, model, inputs) is not None, runtime


def test_all_codes_survive_their_real_values() -> None:
    """DEQUANTIZE and QUANTIZE of one scale cancel for every code of every type."""
    rng = np.random.default_rng(0)
    for dtype, size in (("int8", 256), ("uint8", 256), ("int16", 65536)):
        for scale in np.exp(rng.uniform(-80, 10, 20)).astype(np.float32):
            b = Builder()
            q = Quantization.of(scale, 0 if dtype == "int16" else 5)
            x = b.input("x", (size,), dtype, q)
            model = b.model([add(b, "QUANTIZE", [add(b, "DEQUANTIZE", [x], "r", "float32")], "y", dtype, q)])
            codes = np.arange(size).astype(f"u{size.bit_length() // 8}").view(dtype)
            assert ours(model, [codes]) == [codes.tobytes()]


def test_growth_is_limited() -> None:
    assert ops(fold(outer_product(), growth=1 << 22)) == ["ADD"]
    assert ops(fold(constant_chain(), casts=False)) == ["QUANTIZE", "MUL", "DEQUANTIZE", "ADD"]


def test_an_output_keeps_its_name_and_is_computed() -> None:
    b = Builder()
    x = b.input("x", (2, 3), "int8", Q)
    positive = add(b, "RELU", [x], "positive", "int8", Q)
    real = add(b, "DEQUANTIZE", [positive], "real", "float32")
    constant = add(b, "QUANTIZE", [b.constant("c", np.float32([1, 2]))], "constant", "int8", Q)
    model = b.model([add(b, "QUANTIZE", [real], "again", "int8", Q), constant])
    made = fold(model)
    assert ops(made) == ["RELU", "QUANTIZE"]
    assert [t.name for t in made.main.outputs] == ["again", "constant"]
    assert ours(made, feeds(model)) == ours(model, feeds(model)) is not None
    passed = b.model([add(b, "QUANTIZE", [add(b, "DEQUANTIZE", [x], "r", "float32")], "out", "int8", Q)])
    assert ops(fold(passed))[-2:] == ["DEQUANTIZE", "QUANTIZE"]  # an input is not to be an output as well


def test_what_may_have_effects_is_not_dropped() -> None:
    """Operators that nobody reads go where pyquant knows them, and they keep no state."""
    b = Builder()
    x = b.input("x", (2, 3))
    state = b.tensor("state", (2, 3), is_variable=True)
    add(b, "RELU", [add(b, "TANH", [x], "t")], "unread")
    b.node("CUSTOM", [add(b, "LOGISTIC", [x], "l")], [b.tensor("seen", (2, 3))], custom_code="Log")
    add(b, "ADD", [x, state], "stateful")
    b.node("RELU", [x], [])
    made = fold(b.model([add(b, "TANH", [x], "y")]))
    assert ops(made) == ["LOGISTIC", "Log", "ADD", "RELU", "TANH"]


def test_what_does_not_fit_is_left_alone() -> None:
    """Constants that no array form has, operators of wrong shapes or options, and nodes of other models' kinds."""
    b = Builder()
    x, c = b.input("x", (2, 3)), b.constant("c", np.float32([[1, 2, 3]]))
    y = add(b, "TANH", [x], "y")
    model = b.model([y])
    odd = Tensor("odd", (7,), y.dtype)
    model.main.tensors.append(odd)
    model.main.nodes.append(Node(OpCode("TANH"), [c], [odd]))
    end = replace(y, name="end")
    model.main.tensors.append(end)
    model.main.nodes.append(Node(OpCode("ADD"), [y, odd], [end]))
    model.main.outputs = [end]
    assert ops(fold(model)) == ["TANH", "TANH", "ADD"]


def test_results_on_which_runtimes_differ_are_left_to_them() -> None:
    """FULLY_CONNECTED of one scale: tflite-runtime multiplies scales in single precision, LiteRT in double."""
    rng = np.random.default_rng(0)
    b = Builder()
    x = b.constant("x", rng.integers(-128, 128, (64, 256)).astype(np.int8), quantization=Quantization.of(0.0371))
    w = b.constant("w", rng.integers(-127, 128, (64, 256)).astype(np.int8), quantization=Quantization.of(0.00773))
    y = add(b, "FULLY_CONNECTED", [x, w], "y", "int8", Quantization.of(0.9))
    z = b.input("z", (64, 64), "int8", Q)
    model = b.model([add(b, "ADD", [y, z], "sum", "int8", Q)])
    values = [pq.interpret(model, [np.zeros((64, 64), np.int8)], n, keep=[y])[y] for n in ("tflite", "litert")]
    assert ops(fold(model)) == (["ADD"] if np.array_equal(*values) else ["FULLY_CONNECTED", "ADD"])
    assert not np.array_equal(*values)
