"""Lookup tables as tflite-micro has them: the bytes of its own tool, run there and here to the same bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures import Micro
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyquant as pq
from pyquant import graph, wire
from pyquant.compress import weights
from pyquant.errors import GraphError, OptionError
from pyquant.graph import Builder, Model, Quantization, Tensor
from pyquant.graph.edit import remove_unused
from pyquant.graph.lookup import bits_for, compress, decompress, distinct
from pyquant.ops.build import add
from pyquant.targets import get


def clustered(shape: tuple[int, ...], values: int = 16) -> np.ndarray:
    return np.random.default_rng(0).choice(np.arange(-64, 64, 128 // values), shape).astype(np.int8)


def network(values: int = 16) -> Model:
    """A convolution with a scale for each of 16 channels, and a fully connected layer with one."""
    b = Builder()
    x = b.input("x", (1, 8, 8, 8), "int8", Quantization.of(0.05))
    w = b.constant("w", clustered((16, 3, 3, 8), values), quantization=Quantization.of(np.full(16, 0.02)))
    bias = b.constant("b", np.arange(16, dtype=np.int32), quantization=Quantization.of(np.full(16, 0.001)))
    options: dict[str, Any] = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    y = add(b, "CONV_2D", [x, w, bias], "y", quantization=Quantization.of(0.1), **options)
    dense = b.constant("dense", clustered((10, 1024), values), quantization=Quantization.of(0.02))
    flat = add(
        b, "RESHAPE", [y, b.constant("shape", np.array([1, 1024], np.int32))], "flat", quantization=y.quantization
    )
    return b.model([add(b, "FULLY_CONNECTED", [flat, dense, None], "z", quantization=Quantization.of(0.2))])


def kws(data: Path) -> Model:
    """The keyword spotter with its weights rounded to 16 values."""
    model = pq.open(data / "models" / "mlperf_tiny" / "kws_ref_model.tflite").copy()
    for weight in weights(model):
        values = weight.tensor.data
        assert values is not None
        weight.tensor.data = (np.rint(values / 17) * 17).clip(-119, 119).astype(np.int8)
    remove_unused(model)
    for code in model.opcodes:
        code.extra.clear()  # their tool takes all operators for one where a file has their codes in the old field only
    return model


def named(model: Model, name: str) -> Tensor:
    return next(tensor for tensor in model.main.tensors if tensor.name == name)


def size(model: Model) -> int:
    return len(graph.dump(model))


def codes(model: Model) -> np.ndarray:
    shape = model.main.inputs[0].shape
    return np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)


def contents(model: Model) -> tuple[list[Any], list[Any]]:
    """All of a model but scales and the order of its buffers."""
    tensors = [
        (t.name, t.shape, t.dtype, None if t.buffer is None or t.buffer.data is None else t.buffer.data.tobytes())
        for t in model.main.tensors
    ]
    nodes = [(n.op, [t and t.name for t in n.inputs], [t.name for t in n.outputs], n.options) for n in model.main.nodes]
    return tensors, nodes


def by_their_tool(model: Model, bits: dict[str, int]) -> Model:
    tool = pytest.importorskip("tflite_micro.tensorflow.lite.micro.compression")
    names = [tensor.name for tensor in model.main.tensors]
    parts = []
    for name, count in bits.items():
        q = named(model, name).quantization
        mode = tool.spec.PerChannel(q.axis) if q is not None and q.per_axis else tool.spec.PerTensor()
        parts.append(tool.spec.Tensor(0, names.index(name), [tool.spec.LookUpTableCompression(count, mode)]))
    return graph.load(bytes(tool.compress(graph.dump(model), parts)))


def chosen(model: Model) -> dict[str, int]:
    """The weights that pyquant stores by tables, and the bits of their indices."""
    made = {}
    for node in pq.compress_lut(model).main.nodes:
        if node.op == "TFLM_DECODE":
            for packed, data in zip(node.inputs[::2], node.inputs[1::2], strict=True):
                assert packed is not None and data is not None and data.data is not None
                made[packed.name] = int(data.data[5] & 7)
    return made


@pytest.mark.filterwarnings("ignore:not compressed")
def test_keyword_spotter_equals_their_tool_and_runs_there(data_folder: Path, oracle_of: Callable[[str], Micro]) -> None:
    model = kws(data_folder)
    made, oracle, x = pq.compress_lut(model), oracle_of("tflite-micro"), codes(model)
    assert size(made) < size(model)
    bits = chosen(model)
    assert len(bits) == 6
    theirs = by_their_tool(model, bits)
    assert contents(theirs) == contents(made)
    wanted = pq.compile(model)(x)
    for file in (model, made, theirs, pq.compress_lut(model, form="metadata")):
        assert np.array_equal(pq.compile(file)(x), wanted)
        assert np.array_equal(pq.interpret(file, [x])[file.main.outputs[0]], wanted)
        oracle.load(file, "reference")
        assert np.array_equal(oracle.run([x])[0], wanted)
    assert contents(pq.decompress_lut(made)) == contents(model)
    assert contents(pq.decompress_lut(theirs)) == contents(model)


@pytest.mark.filterwarnings("ignore:Compression of tensor")
@pytest.mark.parametrize("bits", range(1, 8))
def test_every_width_equals_their_tool_and_runs_there(bits: int, oracle_of: Callable[[str], Micro]) -> None:
    model, oracle = network(2**bits), oracle_of("tflite-micro")
    asked = {"w": bits, "dense": bits}
    made, x = pq.compress_lut(model, tensors=asked), codes(model)
    assert contents(made) == contents(by_their_tool(model, asked))
    oracle.load(made, "reference")
    wanted = pq.compile(model)(x)
    assert np.array_equal(oracle.run([x])[0], wanted)
    assert np.array_equal(pq.compile(made)(x), wanted)
    assert contents(pq.fold(made, casts=False)) == contents(made)
    assert contents(pq.decompress_lut(made)) == contents(model)
    assert named(pq.decompress_lut(made), "w").quantization == named(model, "w").quantization


def test_what_has_too_many_values_is_named_or_left() -> None:
    model = network(32)
    named(model, "dense").data = clustered((10, 1024), 16)
    with pytest.raises(OptionError, match=r"tensor 'w' has 31 values in a channel, expected at most 16 for"):
        pq.compress_lut(model, tensors={"w": 4, "dense": 4})
    with pytest.warns(UserWarning, match="not compressed: 'w' has 31 values"):
        made = pq.compress_lut(model, bits=4)
    assert [node.op for node in made.main.nodes] == ["CONV_2D", "RESHAPE", "TFLM_DECODE", "FULLY_CONNECTED"]
    for tensors, message in (
        ({"none": 4}, "the model has none called 'none'"),
        ({"w": 8}, "tensor 'w': found indices of 8 bits, expected 1 to 7"),
        ({"x": 4}, "tensor 'x' is no constant"),
        ({"shape": 2}, "tensor 'shape': RESHAPE 'flat' reads it before a run"),
    ):
        with pytest.raises(OptionError, match=message):
            pq.compress_lut(model, tensors=tensors)
    with pytest.raises(OptionError, match="form: found 'zip', expected 'decode' or 'metadata'"):
        pq.compress_lut(model, form="zip")
    with pytest.raises(OptionError, match="bits: found 9"):
        pq.compress_lut(model, bits=9)


def test_a_specification_of_their_tool(tmp_path: Path) -> None:
    tool = pytest.importorskip("tflite_micro.tensorflow.lite.micro.compression")
    model, path = network(), tmp_path / "spec.yaml"
    indices = [[t.name for t in model.main.tensors].index(name) for name in ("w", "dense")]
    entry = "  - {{subgraph: 0, tensor: {}, compression: [{{lut: {{index_bitwidth: {}, {}}}}}]}}\n"
    text = (
        "tensors:\n"
        + entry.format(indices[0], 4, "per_tensor: ")
        + entry.format(indices[1], 5, "per_channel: {axis: 0}")
    )
    path.write_text(text)
    made = pq.compress_lut(model, spec=path)
    theirs = graph.load(bytes(tool.compress(graph.dump(model), tool.spec.parse_yaml(text))))
    assert contents(made) == contents(theirs)
    assert contents(pq.decompress_lut(made)) == contents(model)
    with pytest.raises(OptionError, match="tensor 'w': in form 'metadata' its tables are along the axis of its scales"):
        pq.compress_lut(model, spec=path, form="metadata")
    path.write_text("tensors: [{subgraph: 0, tensor: 1, compression: [{huffman: }]}]")
    with pytest.raises(OptionError, match=r"spec.yaml: found KeyError\('lut'\), expected tensors:"):
        pq.compress_lut(model, spec=path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_is_looked_up_is_what_was_there(data: st.DataObject) -> None:
    dense = data.draw(hnp.arrays(np.int16, hnp.array_shapes(max_dims=4), elements=st.integers(-60, 60)))
    axis = data.draw(st.none() | st.integers(0, dense.ndim - 1))
    bits = data.draw(st.integers(bits_for(distinct(dense, axis)), 7))
    packed, tables = compress(dense, axis, bits)
    assert packed.size == (dense.size * bits + 7) // 8
    assert np.array_equal(decompress(packed, bits, tables, dense.shape, axis), dense)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: 2}, "expected a header of 16 bytes and version 1"),
        ({4: 2}, "expected a header of 16 bytes and version 1"),
        ({5: 15 << 4}, "found indices of 0 bits"),
        ({5: 15 << 4 | 5}, "bytes of indices, expected 6400"),
        ({6: 3}, "found 16 bytes of values, expected tables of 3 int8"),
        ({6: 8}, "found 2 tables of values, expected 10"),
        ({6: 0}, "expected tables of 0 int8"),
        ({16: 0}, None),
    ],
)
def test_unsound_tables_are_refused(change: dict[int, int], message: str | None) -> None:
    model = pq.compress_lut(network(), tensors={"dense": 4})
    header = named(model, "dense_ancillary")
    assert header.data is not None
    data = header.data.copy()
    for at, value in change.items():
        data[at] = value
    header.data = data
    if message is None:
        pq.compile(model)
        return
    with pytest.raises(GraphError, match=message):
        pq.compile(model)
    with pytest.raises(GraphError, match=message):
        pq.decompress_lut(model)


@pytest.mark.filterwarnings("ignore:not compressed")
@pytest.mark.parametrize("bits", [None, *range(1, 8)])
def test_the_older_form_runs_there_and_comes_back(bits: int | None, oracle_of: Callable[[str], Micro]) -> None:
    model, oracle = network(2 ** (bits or 4)), oracle_of("tflite-micro")
    asked = None if bits is None else {"w": bits, "dense": bits}
    made, x = pq.compress_lut(model, tensors=asked, form="metadata"), codes(model)
    assert [node.op for node in made.main.nodes] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]
    wanted = pq.compile(model)(x)
    again = graph.load(graph.dump(made))
    assert graph.dump(again) == graph.dump(made)
    for file in (made, again, pq.strip(again), pq.dedupe(again)):
        lookup, other = first_weight(file), first_weight(made)
        assert lookup.lookup is not None and other.lookup is not None
        assert np.array_equal(lookup.lookup.values, other.lookup.values)
        assert np.array_equal(pq.compile(file)(x), wanted)
        assert np.array_equal(pq.interpret(file, [x])[file.main.outputs[0]], wanted)
        oracle.load(file, "reference")
        assert np.array_equal(oracle.run([x])[0], wanted)
    assert contents(pq.decompress_lut(again)) == contents(model)
    assert [p.rule for p in get("tflm").problems(made)] == []
    assert "storage" in [p.rule for p in get("tflite-runtime-2.14").problems(made)]
    assert pq.describe(made).to_dict()["subgraphs"][0]["tensors"][1]["lookup"]["bits"] == (bits or 4)


def first_weight(model: Model) -> Tensor:
    """The weight of the convolution, of which strip takes the name."""
    found = model.main.nodes[0].inputs[1]
    assert found is not None
    return found


# By their tool of tflite-micro 0.dev20260811145345, for the two weights of `network` at 4 bits.
THEIR_ENTRY = (
    "0c00000008000800000004000800000004000000010000000c0000000000060008000400060000000400000002000000300000001000000000"
    "000a0012000c00080007000a00000000000004060000000400000000000a0010000c00080007000a000000000000040500000001000000"
)


def test_the_older_entry_is_laid_out_as_by_their_tool() -> None:
    model = pq.compress_lut(network(), tensors={"w": 4, "dense": 4}, form="metadata")
    record = wire.decode(graph.dump(model))
    entry = next(m for m in record.metadata if m.name == "COMPRESSION_METADATA")
    assert record.buffers[entry.buffer].data.tobytes().hex() == THEIR_ENTRY


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"tensor": 99},
            r"metadata COMPRESSION_METADATA: subgraphs\[0\] tensor 99, value_buffer 5: the model has 8 tensors there",
        ),
        ({"value_buffer": 99}, "value_buffer 99: the model has 8 tensors there, 7 buffers"),
        ({"index_bitwidth": 5}, "found a buffer of 576 bytes, expected 720 for indices of 5 bits into int8"),
        ({"index_bitwidth": 0}, "found a buffer of 576 bytes, expected 0 for indices of 0 bits into int8"),
        ({"value_buffer": 3}, "found 8 bytes of values, expected 16 tables of int8"),
        (None, "metadata COMPRESSION_METADATA: "),
    ],
)
def test_an_unsound_entry_is_refused(change: dict[str, int] | None, message: str) -> None:
    model = pq.compress_lut(network(), tensors={"w": 4}, form="metadata")
    record = wire.decode(graph.dump(model))
    entry = record.buffers[next(m for m in record.metadata if m.name == "COMPRESSION_METADATA").buffer]
    raw, fields = entry.data.copy(), {"tensor": ("<i", 1), "value_buffer": ("<I", 5), "index_bitwidth": ("<B", 4)}
    for name, value in (change or {}).items():
        pattern, old = fields[name]
        at = raw.tobytes().rindex(struct.pack(pattern, old), raw.size - 12)
        raw[at : at + struct.calcsize(pattern)] = np.frombuffer(struct.pack(pattern, value), np.uint8)
    entry.data = raw if change is not None else raw[:7]
    with pytest.raises(pq.PyQuantError, match=message):
        pq.compile(graph.load(b"".join(wire.encode(record))))


@settings(max_examples=30, deadline=None)
@pytest.mark.filterwarnings("ignore:not compressed")
@given(
    outputs=st.integers(1, 40),
    depth=st.integers(1, 64),
    values=st.sampled_from([2, 16, 128]),
    per_axis=st.booleans(),
    form=st.sampled_from(["decode", "metadata"]),
)
def test_a_file_never_gets_bigger(outputs: int, depth: int, values: int, per_axis: bool, form: str) -> None:
    b, q = Builder(), Quantization.of(0.1)
    scales = Quantization.of(np.full(outputs if per_axis else 1, 0.02))
    w = b.constant("w", clustered((outputs, depth), values), quantization=scales)
    model = b.model([add(b, "FULLY_CONNECTED", [b.input("x", (1, depth), "int8", q), w, None], "y", quantization=q)])
    made = pq.compress_lut(model, form=form)
    assert size(made) <= size(model)
    assert np.array_equal(pq.compile(made)(codes(model)), pq.compile(model)(codes(model)))
    assert contents(graph.load(graph.dump(pq.decompress_lut(made)))) == contents(model)
