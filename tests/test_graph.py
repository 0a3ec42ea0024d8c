"""The model: conversion without loss, references that follow edits, constants of every type, errors with a place."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
import reader
from attacks.making import sound
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import records

from pyquant import graph
from pyquant.dtypes import DTYPES, dtype
from pyquant.errors import FormatError, GraphError, RangeError, ShapeError
from pyquant.graph import Buffer, Builder, Model, Node, OpCode, Quantization, Signature, Subgraph, Tensor
from pyquant.graph.convert import SUBGRAPH_FIELDS, TENSOR_FIELDS, from_record, to_record
from pyquant.graph.edit import remove_unused
from pyquant.wire import Record, decode, encode

INDICES = {
    ("Tensor", "buffer"): "buffers",
    ("Metadata", "buffer"): "buffers",
    ("Model", "metadata_buffer"): "buffers",
    ("Operator", "opcode_index"): "operator_codes",
    ("Operator", "inputs"): "tensors",
    ("Operator", "outputs"): "tensors",
    ("Operator", "intermediates"): "tensors",
    ("SubGraph", "inputs"): "tensors",
    ("SubGraph", "outputs"): "tensors",
    ("TensorMap", "tensor_index"): "tensors",
    ("SignatureDef", "subgraph_index"): "subgraphs",
    **{(table, name): "subgraphs" for table, names in SUBGRAPH_FIELDS.items() for name in names},
    **{(table, name): "tensors" for table, names in TENSOR_FIELDS.items() for name in names},
}


def branching() -> Model:
    """IF over two subgraphs, with a signature, metadata and a constant."""
    branches = []
    for name, op in (("double", "ADD"), ("square", "MUL")):
        x, y = Tensor(f"{name}_x", (2,), dtype("float32")), Tensor(f"{name}_y", (2,), dtype("float32"))
        branches.append(
            Subgraph(name, [x, y], [x], [y], [Node(OpCode(op), [x, x], [y], Record(f"{op.title()}Options"))])
        )
    b = Builder()
    condition = b.input("condition", (), "bool")
    x = b.constant("x", np.float32([1, 2]))
    y = b.tensor("y", (2,))
    node = b.node("IF", [condition, x], [y], Record("IfOptions"))
    node.subgraphs = {"then_subgraph_index": branches[1], "else_subgraph_index": branches[0]}
    model = b.model([y])
    model.subgraphs += branches
    model.signatures.append(Signature("serve", model.main, [("c", condition)], [("y", y)]))
    model.metadata.append(("note", Buffer(np.frombuffer(b"hello", np.uint8))))
    return model


def again(model: Model) -> Model:
    return graph.load(graph.dump(model))


def fitted(record: Record, counts: dict[str, int]) -> Record:
    """A random record with its indices brought into range."""
    changes: dict[str, Any] = {}
    for name, value in record.fields.items():
        what = INDICES.get((record.table, name))
        if what:
            changes[name] = value % counts[what]
        elif isinstance(value, Record):
            changes[name] = fitted(value, counts)
        elif isinstance(value, list):
            changes[name] = [fitted(item, counts) for item in value]
    return record.replace(**changes)


def consistent(model: Record, subgraphs: list[Record], tensors: list[Record]) -> Record:
    """A random model that has one of everything at least, and indices in range."""
    counts = {"subgraphs": 1 + len(subgraphs), "buffers": 2, "operator_codes": 1, "tensors": 1 + len(tensors)}
    parts = {"operator_codes": [Record("OperatorCode")], "buffers": [Record("Buffer"), Record("Buffer", data=[1])]}
    whole = model.replace(subgraphs=[Record("SubGraph"), *subgraphs], **parts)
    whole.subgraphs = [s.replace(tensors=[Record("Tensor"), *tensors]) for s in whole.subgraphs]
    return fitted(whole, counts)


@given(records("Model"), st.lists(records("SubGraph"), max_size=2), st.lists(records("Tensor"), max_size=2))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_model_is_converted_without_loss(model: Record, subgraphs: list[Record], tensors: list[Record]) -> None:
    record = consistent(model, subgraphs, tensors)
    made = from_record(record)
    assert to_record(made) == record
    remove_unused(made)
    assert decode(b"".join(encode(to_record(made)))) == to_record(made)
    assert str(made)


@pytest.mark.parametrize("kind", [d for d in DTYPES if d.bits], ids=str)
def test_constants_of_every_type(kind: Any) -> None:
    for shape in ((), (0,), (1,), (3, 5), (2, 4)):
        array = (
            (np.arange(np.prod(shape)) % 3 - (kind.lo is not None and kind.lo < 0)).astype(kind.numpy).reshape(shape)
        )
        tensor = Tensor("t", shape, kind)
        tensor.data = array
        assert tensor.buffer is not None and tensor.buffer.data is not None
        assert tensor.buffer.data.size == -(-array.size * kind.bits // 8)
        if array.size:
            assert tensor.data is not None
            assert np.array_equal(tensor.data, array)
            assert tensor.data.dtype == kind.numpy
            assert not tensor.data.flags.writeable


@pytest.mark.parametrize(
    ("kind", "values", "packed"),
    [
        ("int4", [1, -2, 7], [0xE1, 0x07]),
        ("uint4", [1, 14, 15], [0xE1, 0x0F]),
        ("int2", [1, -2, 0, -1, 1], [0xC9, 0x01]),
    ],
)
def test_packing_is_lowest_bits_first(kind: str, values: list[int], packed: list[int]) -> None:
    tensor = Tensor("t", (len(values),), dtype(kind))
    tensor.data = np.array(values)
    assert tensor.buffer is not None and tensor.buffer.data is not None
    assert tensor.buffer.data.tolist() == packed


def test_strings() -> None:
    tensor = Tensor("t", (2, 2), dtype("string"))
    tensor.data = np.array([["a", "bcd"], ["", "é"]], object)
    assert tensor.data is not None
    assert tensor.data.tolist() == [[b"a", b"bcd"], [b"", "é".encode()]]


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("int8", np.zeros(3), ShapeError),
        ("int8", np.array([1.5, 0]), RangeError),
        ("int8", np.array([128, 0]), RangeError),
        ("int4", np.array([8, 0]), RangeError),
        ("resource", np.zeros(2), GraphError),
    ],
)
def test_store_refuses_what_the_tensor_cannot_hold(kind: str, value: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error, match="'t'"):
        Tensor("t", (2,), dtype(kind)).data = value


@pytest.mark.parametrize(
    ("tensor", "found"),
    [
        (Tensor("t", (3,), dtype("int32"), Buffer(np.zeros(8, np.uint8))), "needs 12 bytes, its buffer has 8"),
        (Tensor("t", (-1,), dtype("int8"), Buffer(np.zeros(1, np.uint8))), "needs"),
        (Tensor("t", (1,), dtype("variant"), Buffer(np.zeros(1, np.uint8))), "no array form"),
        (Tensor("t", (2,), dtype("string"), Buffer(np.full(9, 200, np.uint8))), "expected 2"),
        (
            Tensor("t", (1,), dtype("int8"), Buffer(np.zeros(1, np.uint8)), sparsity=Record("SparsityParameters")),
            "sparsity",
        ),
        (Tensor("t", (1,), dtype("int8"), extra={"external_buffer": 1}), "another file"),
    ],
)
def test_constants_that_cannot_be_read(tensor: Tensor, found: str) -> None:
    with pytest.raises(GraphError, match=f"'t'.*{found}"):
        _ = tensor.data


def test_new_models_are_written_as_readers_expect() -> None:
    b = Builder()
    x = b.input("x", (1,))
    y = b.tensor("y", (1,))
    b.node("GELU", [x], [y])
    record = reader.read(graph.dump(b.model([y])))
    assert record.version == 3
    assert record.buffers == [Record("Buffer")]
    assert record.operator_codes == [
        Record("OperatorCode", deprecated_builtin_code=127, builtin_code="GELU", version=1)
    ]
    assert record.subgraphs[0].tensors[0].buffer == 0


def test_operator_codes_of_old_files_stay_as_they_are() -> None:
    codes = [Record("OperatorCode", deprecated_builtin_code=3), Record("OperatorCode", builtin_code=300)]
    record = Record("Model", operator_codes=codes)
    model = from_record(record)
    assert [o.name for o in model.opcodes] == ["CONV_2D", "BUILTIN_300"]
    assert to_record(model) == record
    model.opcodes[0].name = "ADD_N"
    assert to_record(model).operator_codes[0] == Record(
        "OperatorCode", deprecated_builtin_code=106, builtin_code="ADD_N"
    )


def test_subgraph_references_follow_edits() -> None:
    model = again(branching())
    node = model.main.nodes[0]
    assert {name: s.name for name, s in node.subgraphs.items()} == {
        "then_subgraph_index": "square",
        "else_subgraph_index": "double",
    }
    model.subgraphs[1:] = model.subgraphs[:0:-1]
    options = to_record(model).subgraphs[0].operators[0].builtin_options
    assert (options.then_subgraph_index, options.else_subgraph_index) == (1, 2)


def test_vectors_of_subgraph_references() -> None:
    model = branching()
    node = model.main.nodes[0]
    node.options = Record("StablehloCaseOptions")
    node.subgraphs = {f"branch_subgraph_indices[{i}]": s for i, s in enumerate(model.subgraphs[:0:-1])}
    assert list(again(model).main.nodes[0].subgraphs) == ["branch_subgraph_indices[0]", "branch_subgraph_indices[1]"]
    assert to_record(model).subgraphs[0].operators[0].builtin_options_2.branch_subgraph_indices.tolist() == [2, 1]


def test_quantization_by_tensors_follows_edits() -> None:
    b = Builder()
    b.tensor("unused", (1,))
    scales = b.constant("scales", np.ones((2, 2), np.float16))
    details = Record("BlockwiseQuantization", zero_points=-1, block_size=32)
    none = np.empty(0)
    blockwise = Quantization(none, none, 0, details, {"scales": scales})
    x = b.input("x", (2, 64), "int4", blockwise)
    model = b.model([x])
    remove_unused(model)
    assert [t.name for t in model.main.tensors] == ["scales", "x"]
    found = to_record(model).subgraphs[0].tensors[1].quantization.details
    assert (found.scales, found.zero_points, found.block_size) == (0, -1, 32)
    copied = model.copy().main.tensors
    assert copied[1].quantization is not None
    assert copied[1].quantization.tensors == {"scales": copied[0]}


def test_copy_shares_arrays_and_nothing_else() -> None:
    model = branching()
    before = graph.dump(model)
    copied = model.copy()
    assert graph.dump(copied) == before
    assert np.shares_memory(copied.main.tensors[1].data, model.main.tensors[1].data)
    copied.main.tensors[1].data = np.zeros(2, np.float32)
    copied.main.nodes[0].inputs.reverse()
    copied.subgraphs[1].nodes[0].options.pot_scale_int16 = False
    copied.signatures.clear()
    assert graph.dump(model) == before


def test_remove_unused() -> None:
    model = again(branching())
    model.main.tensors.append(Tensor("lost", (1,), dtype("int8"), Buffer(np.zeros(1, np.uint8))))
    model.buffers.append(Buffer(np.zeros(9, np.uint8)))
    model.opcodes.append(OpCode("SUB"))
    remove_unused(model)
    assert graph.dump(model) == graph.dump(branching())


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda m: m.main.tensors.pop(1), "IF 'y': tensor 'x' is not among"),
        (lambda m: m.main.tensors.pop(), "outputs: tensor 'y' is not among"),
        (lambda m: m.subgraphs.pop(), "then_subgraph_index"),
        (lambda m: m.signatures.append(Signature("s", Subgraph(), [], [])), "'s': its subgraph is not"),
        (
            lambda m: m.signatures[0].inputs.append(("z", Tensor("z", (), dtype("int8")))),
            "'serve'.inputs: 'z' is 'z', which is not",
        ),
        (lambda m: setattr(m.main.nodes[0].opcode, "name", "CONV_9D"), "'CONV_9D' is not a builtin"),
        (lambda m: setattr(m.main.tensors[0], "shape", (1 << 31,)), "32-bit"),
        (lambda m: setattr(m.main.tensors[0], "shape", (1.5,)), "32-bit"),
        (lambda m: setattr(m.main.nodes[0], "options", Record("Tensor")), "IF 'y': Tensor is not"),
        (lambda m: m.buffers.append(m.main.tensors[1].buffer), "tensor 'x': its buffer is the model's first"),
    ],
)
def test_models_that_do_not_fit_together_are_not_saved(change: Any, found: str) -> None:
    model = branching()
    change(model)
    with pytest.raises(GraphError, match=found):
        graph.dump(model)


def test_constants_may_be_added_to_a_file_without_buffers() -> None:
    model = from_record(Record("Model", subgraphs=[Record("SubGraph", tensors=[Record("Tensor", shape=[1])])]))
    model.main.tensors[0].data = np.ones(1, np.float32)
    assert np.array_equal(again(model).main.tensors[0].data, [1.0])


def test_unknown_types_and_missing_names_are_kept_and_shown() -> None:
    tensor = Record("Tensor", type=100, shape_signature=[-1])
    record = Record("Model", subgraphs=[Record("SubGraph", tensors=[tensor], inputs=[0])], operator_codes=[])
    model = from_record(record)
    assert to_record(model) == record
    assert "type_100" in str(model)
    assert model.main.name == ""


def test_tensors_of_a_file_are_as_made_by_hand() -> None:
    q = Record("QuantizationParameters", scale=[0.5], zero_point=[3])
    record = Record("Tensor", name="x", shape=[1], quantization=q)
    found = from_record(Record("Model", subgraphs=[Record("SubGraph", tensors=[record])])).main.tensors[0]
    made = Tensor("x", (1,), dtype("float32"), quantization=Quantization.of(0.5, 3))
    assert all(getattr(found, field.name) == getattr(made, field.name) for field in fields(Tensor))
    assert all(
        getattr(found.quantization, field.name) == getattr(made.quantization, field.name)
        for field in fields(Quantization)
    )
    with pytest.raises(FrozenInstanceError):
        found.quantization.axis = 1  # type: ignore[misc, union-attr]


def test_print() -> None:
    text = str(graph.load(sound() + b"PK"))
    assert "sound" in text
    assert "input   x  int8[1,4]  scale 0.5 zero point 3" in text
    assert "FULLY_CONNECTED  v1  int8[1,4], int8[2,4]*, - -> int8[1,2]" in text
    assert "1 operators, 8 constant (*) elements in 8 bytes" in text
    assert "2 bytes follow the model" in text
    assert "serve(c) -> y" in str(branching())


def test_a_model_without_subgraph() -> None:
    model = again(Model())
    assert "0 operators" in str(model)
    with pytest.raises(GraphError, match="no subgraph"):
        _ = model.main


def test_metadata_of_a_newer_schema_is_not_dropped() -> None:
    entry = Record("Metadata")
    entry.newer = ("slot 9",)
    model = from_record(Record("Model", metadata=[entry], buffers=[Record("Buffer")]))
    with pytest.raises(FormatError, match=r"metadata\[0\] slot 9"):
        graph.dump(model)
