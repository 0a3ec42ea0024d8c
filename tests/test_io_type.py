"""io_type: values enter and leave in other types, signatures follow, and nothing inside changes by a bit."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from running import feeds
from test_models import photographs

import pyquant as pq
from pyquant.errors import GraphError, OptionError
from pyquant.graph import Builder, Model, Quantization, Signature, Tensor
from pyquant.graph.real import real
from pyquant.ops.build import add
from pyquant.rewrite import io_type
from pyquant.validate import RUNTIMES, Oracle
from pyquant.validate.peers import every_tensor_shown

TYPES = ("float32", "int8", "uint8", "int16")


def inner(model: Model, inputs: list[np.ndarray], oracle: Oracle | None = None) -> list[tuple[str, bytes]]:
    """Operator and value of every computed tensor but casts' results, by our plan or by a runtime."""
    if oracle is None:
        values = pq.compile(model, keep="all").run(*inputs)
    else:
        oracle.load(every_tensor_shown(model), resolver="optimized")
        values = {model.main.tensors[i]: array for i, array in oracle.run(inputs).items()}
    return [
        (node.op, values[t].tobytes())
        for node in model.main.nodes
        for t in node.outputs
        if node.op not in ("QUANTIZE", "DEQUANTIZE")
    ]


def as_real(codes: np.ndarray, tensor: Tensor) -> np.ndarray:
    """The float32 values that codes of a quantized tensor stand for."""
    assert tensor.quantization is not None
    return real(codes, tensor.quantization).astype(np.float32)


@pytest.mark.parametrize("runtime", [None, *RUNTIMES])
def test_efficientnet_to_float_and_back(
    runtime: str | None, data_folder: Path, oracle_of: Callable[[str], Oracle]
) -> None:
    oracle = None if runtime is None else oracle_of(runtime)
    model = pq.open(data_folder / "models" / "efficientnet_lite0" / "efficientnet_lite0_int8.tflite")
    floats = io_type(model, "float32", "float32")
    again = io_type(floats, "int8", "int8")
    assert [n.op for n in floats.main.nodes] == ["QUANTIZE", *(n.op for n in model.main.nodes), "DEQUANTIZE"]
    assert [n.op for n in again.main.nodes] == [n.op for n in model.main.nodes]
    assert [t.name for t in again.main.tensors] == [t.name for t in model.main.tensors]
    (x,) = model.main.inputs
    for sample in islice(pq.samples(photographs(127, 128)(data_folder), model), 3):
        codes = list(sample.values())
        expected = inner(model, codes, oracle)
        assert inner(floats, [as_real(codes[0], x)], oracle) == expected
        assert inner(again, codes, oracle) == expected


FILES = {
    "converter_variants/kws_int8_uint8_io": "uint8",
    "converter_variants/kws_int8_float_io": "float32",
    "converter_variants/resnet_int16x8_int16_io": "int16",
    "converter_variants/resnet_int16x8_float_io": "float32",
    "edgetpu_pairs/mobilenet_v1_0.25_128_quant": "uint8",
    "mlperf_tiny/pretrainedResnet_large_int8": "int8",
}


@pytest.mark.parametrize("name", FILES)
def test_every_type_in_and_out(name: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    """From each type to each other one: the tensors inside are those of the float interface, given codes' values."""
    model = pq.open(data_folder / "models" / f"{name}.tflite")
    floats = io_type(model, "float32", "float32")
    for to in TYPES:
        made = io_type(model, to, to)
        assert [t.dtype.name for t in (*made.main.inputs, *made.main.outputs)] == [to, to]
        assert [t.name for t in made.main.inputs] == [t.name for t in model.main.inputs]
        assert [t.name for t in made.main.outputs] == [t.name for t in model.main.outputs]
        for before, after in zip(model.signatures, made.signatures, strict=True):
            assert [n for n, _ in (*before.inputs, *before.outputs)] == [n for n, _ in (*after.inputs, *after.outputs)]
            assert [t for _, t in (*after.inputs, *after.outputs)] == [*made.main.inputs, *made.main.outputs]
        ops = [n.op for n in io_type(made, FILES[name], FILES[name]).main.nodes]
        assert ops == [n.op for n in model.main.nodes]
        (codes,), (x,) = feeds(made), made.main.inputs
        values = codes if to == "float32" else as_real(codes, x)
        expected = inner(floats, [values])
        assert inner(made, [codes]) == expected
        assert inner(made, [codes], oracle_of("ai-edge-litert")) == inner(floats, [values], oracle_of("ai-edge-litert"))


def two_inputs(first: str = "int8", quantization: Quantization | None = None) -> Model:
    """Inputs a and b, the sum of both and half of that, and a signature. b is float32, and quantized inside."""
    q = Quantization.of(0.05, -7)
    b = Builder()
    x, y = b.input("a", (2, 3), first, quantization or q), b.input("b", (2, 3))
    codes = add(b, "QUANTIZE", [y], "codes", "int8", q)
    total = add(b, "ADD", [x, codes], "sum", "int8", Quantization.of(0.1, 3))
    half = add(b, "MUL", [total, b.constant("half", np.int8([64]), quantization=Quantization.of(1 / 128))], "half",
               "int8", Quantization.of(0.05, 3))  # fmt: skip
    model = b.model([total, add(b, "DEQUANTIZE", [half], "real", "float32")])
    main = model.main
    ends = [("first", x), ("second", y)], [("total", total), ("half", main.outputs[1])]
    model.signatures.append(Signature("serve", main, *ends))
    return model


def test_ends_by_name() -> None:
    """A tensor's name, or the name in a signature; the other ends stay."""
    model = two_inputs()
    made = io_type(model, {"first": "float32"}, {"real": "uint8"})
    assert [t.dtype.name for t in (*made.main.inputs, *made.main.outputs)] == ["float32", "float32", "int8", "uint8"]
    assert [n.op for n in made.main.nodes] == ["QUANTIZE", "QUANTIZE", "ADD", "MUL", "QUANTIZE"]
    assert [t for _, t in made.signatures[0].inputs] == made.main.inputs
    assert [t for _, t in made.signatures[0].outputs] == made.main.outputs
    assert [n.op for n in model.main.nodes] == ["QUANTIZE", "ADD", "MUL", "DEQUANTIZE"]  # the argument is as it was
    both = io_type(model, {"b": "int8"}, {"half": "int8"})
    assert [n.op for n in both.main.nodes] == ["ADD", "MUL"]
    rng = np.random.default_rng(0)
    codes = [rng.integers(-128, 128, (2, 3)).astype(np.int8) for _ in range(2)]
    values = [codes[0], as_real(codes[1], both.main.inputs[1])]
    assert (
        inner(both, codes) == inner(model, values) == inner(made, [as_real(codes[0], model.main.inputs[0]), values[1]])
    )


def test_an_unknown_size_stays_unknown() -> None:
    model = two_inputs()
    for tensor in model.main.tensors:
        tensor.shape_signature = (-1, 3) if tensor.shape == (2, 3) else None
    made = io_type(model, "float32", "float32")
    assert all(t.shape_signature == (-1, 3) for t in (*made.main.inputs, *made.main.outputs))


def through(*ops: str) -> Model:
    """A float32 input through operators of one input to the output."""
    b = Builder()
    x = b.input("x", (2, 3))
    for i, op in enumerate(ops):
        codes = op == "QUANTIZE"
        x = add(b, op, [x], f"t{i}", "int8" if codes else "float32", Quantization.of(0.1, 3) if codes else None)
    return b.model([x])


def two_forms() -> Model:
    b = Builder()
    x = b.input("x", (2, 3))
    forms = [add(b, "QUANTIZE", [x], f"q{i}", "int8", Quantization.of(0.1 + i, 3)) for i in range(2)]
    return b.model([add(b, "DEQUANTIZE", [t], f"y{i}", "float32") for i, t in enumerate(forms)])


def indices() -> Model:
    b = Builder()
    x = b.input("x", (2, 3), "int64")
    return b.model([add(b, "ADD", [x, x], "y")])


def end_to_end() -> Model:
    b = Builder()
    x = b.input("x", (2, 3), "int8", Quantization.of(0.1, 3))
    return b.model([x, add(b, "RELU", [x], "y", "int8", Quantization.of(0.1, 3))])


@pytest.mark.parametrize(
    ("model", "input_type", "output_type", "error", "message"),
    [
        (through("RELU"), "int8", None, GraphError, "RELU 't0' takes it in float32"),
        (through("QUANTIZE", "DEQUANTIZE", "TANH"), None, "int8", GraphError, "TANH 't2' makes it in float32"),
        (two_forms(), "int8", None, GraphError, "it becomes 'q0' and, in another form, 'q1'"),
        (indices(), "int8", None, GraphError, "found 'x' of int64, expected one that is float32 or quantized"),
        (indices(), {"x": "int8"}, None, GraphError, "found int64 without a scale"),
        (end_to_end(), "float32", None, GraphError, "'x': it is an output as well"),
        (two_inputs(), {"c": "int8"}, None, OptionError, "no input is 'c'; the inputs are 'a', 'b', 'first', 'second'"),
        (two_inputs(), None, "int4", OptionError, "output type 'int4': expected one of float32"),
    ],
)
def test_what_stands_in_the_way(
    model: Model, input_type: str, output_type: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        io_type(model, input_type, output_type)


def test_nothing_to_do_is_nothing_done() -> None:
    model = two_inputs()
    for made in (io_type(model), io_type(model, {"a": "int8"}, {"real": "float32"})):
        assert [n.op for n in made.main.nodes] == [n.op for n in model.main.nodes]
        assert [t.name for t in made.main.tensors] == [t.name for t in model.main.tensors]
