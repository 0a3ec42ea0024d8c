"""How attacks are made: a sound file with a number or a field changed, or a model of one operator, unchecked.

An attack is a module of this folder. Its docstring says what must happen; it has `make`, the bytes, and one of
`opening`, `compiling` or `inspecting` (as a file compiled for the Edge TPU), the error and what its message must say,
or `running`, the arrays to run it on.
To keep a hostile file that was found elsewhere, add the change that makes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from cases.case import Value
from compiled import compiled, flex, holding
from compiled import model as small
from reader import place, root

from pyquant.graph import Builder, Quantization, dump
from pyquant.graph.convert import to_record
from pyquant.ops import get
from pyquant.wire import Record, decode, encode

Make = Callable[[], bytes]

W = ("subgraphs", 0, "tensors", 1)  # the weight of the sound file
NODE = ("subgraphs", 0, "operators", 0)


def sound() -> bytes:
    """A small model with constants, quantization and options: what the attacks start from."""
    b = Builder()
    x = b.input("x", (1, 4), "int8", Quantization.of(0.5, 3))
    w = b.constant("w", np.arange(8, dtype=np.int8).reshape(2, 4), quantization=Quantization.of([0.5, 0.25], 0))
    y = b.tensor("y", (1, 2), "int8", Quantization.of(2.0, -1))
    b.node("FULLY_CONNECTED", [x, w, None], [y], Record("FullyConnectedOptions", keep_num_dims=True))
    return dump(b.model([y], description="sound"))


def patched(form: str, value: int, *path: str | int, at: Callable[[bytes], int] | None = None) -> Make:
    """The sound file with one number changed, where a field lies inline or at a place of its own."""

    def make() -> bytes:
        data = bytearray(sound())
        struct.pack_into(form, data, at(bytes(data)) if at else place(bytes(data), *path), value)
        return bytes(data)

    return make


def target(*path: str | int) -> Callable[[bytes], int]:
    """Where the offset of a field leads: the length of a vector or string, or a table."""

    def at(data: bytes) -> int:
        position = place(data, *path)
        return position + int(struct.unpack_from("<I", data, position)[0])

    return at


def vtable(data: bytes, entry: int = 0) -> int:
    """An entry of the root's vtable: 0 its size, 1 the table's size, from 2 the fields."""
    position = root(data).Pos
    return int(position - struct.unpack_from("<i", data, position)[0] + 2 * entry)


def repeated(data: bytearray, count: int, *path: str | int) -> None:
    """Let a vector of tables refer `count` times to its first one, which moves behind it with all that follows."""
    item = place(bytes(data), *path)
    vector = item + struct.unpack_from("<I", data, item)[0]
    table = vector + 4 + struct.unpack_from("<I", data, vector + 4)[0]
    struct.pack_into("<I", data, item, len(data) - item)
    start = len(data) + 4
    moved = start + 4 * count  # offsets are unsigned and lead forward
    body = bytes(data[table:])
    data += struct.pack(f"<{count + 1}I", count, *(moved - (start + 4 * i) for i in range(count))) + body
    struct.pack_into("<i", data, moved, struct.unpack_from("<i", data, table)[0] + moved - table)


def changed(*path: str | int, **values: Any) -> Make:
    """The sound file with fields of one record changed; None leaves a field out."""
    return with_change(sound, *path, **values)


def with_change(make: Make, *path: str | int, **values: Any) -> Make:
    """What `make` makes, with fields of one record changed."""

    def remake() -> bytes:
        model = decode(make())
        record: Any = model
        for step in path:
            record = record[step] if isinstance(step, int) else getattr(record, step)
        for name, value in values.items():
            setattr(record, name, value)
        return written(model)

    return remake


def for_device(**changes: Any) -> Make:
    """A file compiled for the Edge TPU, with changes that `compiled` takes."""
    return lambda: dump(compiled(small(), **changes))


def for_device_with(options: Any) -> Make:
    """A file whose operator for the Edge TPU has these options: bytes, or a map."""
    return lambda: dump(holding(options if isinstance(options, bytes) else flex(options)))


def model(**values: Any) -> Make:
    """A file of these fields."""
    return lambda: written(Record("Model", **values))


def written(model: Record) -> bytes:
    return b"".join(encode(model))


def indexed(buffer: int = 0, **changes: Any) -> Make:
    """A model of one node and one tensor, with wrong indices."""
    operator = Record("Operator", inputs=[0], outputs=[0]).replace(**changes)
    subgraph = Record("SubGraph", tensors=[Record("Tensor", buffer=buffer)], operators=[operator])
    codes = [Record("OperatorCode", builtin_code="RELU")]
    model = Record("Model", subgraphs=[subgraph], operator_codes=codes, buffers=[Record("Buffer")])
    return lambda: written(model)


def chain(*nodes: tuple[list[int], list[int]], **changes: Any) -> Make:
    """A model of RELUs by the indices of their inputs and outputs; of its three tensors the first is the input."""
    tensors = [Record("Tensor", name=name, shape=[1]) for name in "abc"]
    operators = [Record("Operator", inputs=inputs, outputs=outputs) for inputs, outputs in nodes]
    subgraph = Record("SubGraph", tensors=tensors, operators=operators, inputs=[0], outputs=[2]).replace(**changes)
    codes = [Record("OperatorCode", builtin_code="RELU")]
    return lambda: written(Record("Model", version=3, subgraphs=[subgraph], operator_codes=codes))


def calling(*callees: int) -> Make:
    """A model of subgraphs, each of which calls the one of that index."""
    codes = [Record("OperatorCode", builtin_code="CALL")]
    calls = [[Record("Operator", builtin_options=Record("CallOptions", subgraph=i))] for i in callees]
    subgraphs = [Record("SubGraph", operators=operators) for operators in calls]
    return lambda: written(Record("Model", version=3, subgraphs=subgraphs, operator_codes=codes))


def signed(**values: Any) -> Make:
    """The sound file with a signature of its own, changed."""
    signature = Record(
        "SignatureDef",
        signature_key="serve",
        inputs=[Record("TensorMap", name="in", tensor_index=0)],
        outputs=[Record("TensorMap", name="out", tensor_index=2)],
    )
    return changed(signature_defs=[signature.replace(**values)])


def sparse(*path: str | int, size: int = 3, **values: Any) -> Make:
    """The sound file with its weight, (2, 4), in CSR form: rows of 2 and 1 values. path: to what is changed in it."""
    rows = Record("DimensionMetadata", format="DENSE", dense_size=2)
    columns = Record("DimensionMetadata", format="SPARSE_CSR", **vectors([0, 2, 3], [0, 2, 1]))
    sparsity = Record("SparsityParameters", traversal_order=[0, 1], dim_metadata=[rows, columns])

    def make() -> bytes:
        model = decode(sound())
        weight = model.subgraphs[0].tensors[1]
        weight.sparsity = sparsity
        model.buffers[weight.buffer].data = np.ones(size, np.uint8)
        return written(model)

    return with_change(make, *W, "sparsity", *path, **values) if path or values else make


def vectors(segments: list[int], indices: list[int]) -> dict[str, Record]:
    """The two vectors of a sparse dimension."""
    return {
        "array_segments": Record("Int32Vector", values=segments),
        "array_indices": Record("Uint8Vector", values=indices),
    }


def single(op: str, *inputs: Value | None, output: Value, custom: Record | None = None, **options: Any) -> Make:
    """A model of one operator with an output that is declared, not inferred. custom: options in place of its own."""

    def make() -> bytes:
        b = Builder()
        rng = np.random.default_rng(0)
        tensors = [None if value is None else _tensor(b, f"x{i}", value, rng) for i, value in enumerate(inputs)]
        y = b.tensor("y", output.shape, output.dtype, output.quantization)
        table = get(op).options
        b.node(op, tensors, [y], custom or (Record(table, **options) if table else None))
        return written(to_record(b.model([y])))

    return make


def _tensor(b: Builder, name: str, value: Value, rng: np.random.Generator) -> Any:
    if value.constant is False:
        return b.input(name, value.shape, value.dtype, value.quantization)
    array = value.random(rng) if value.constant is True else np.asarray(value.constant, value.dtype)
    return b.constant(name, array, value.dtype, value.quantization)
