"""Wire records <-> Model, without loss: indices become objects, and what the model has no field for stays in `extra`.

A list or name that the file leaves out reads as empty. Where a new file would have it, `extra` marks it None; where a
new file would leave it out, `extra` holds the empty list that the file has. So it is written as it was read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, Generic, TypeVar

import numpy as np

from pyquant.dtypes import BY_CODE, by_code
from pyquant.errors import FormatError, GraphError
from pyquant.graph.lut_metadata import read_lookups, with_lookups
from pyquant.graph.model import Buffer, Model, Node, OpCode, Quantization, Signature, Subgraph, Tensor
from pyquant.wire import Record, decode, decode_objects
from pyquant.wire.decode import Objects
from pyquant.wire.layout import fields
from pyquant.wire.schema import ENUMS, UNIONS

S = TypeVar("S")
T = TypeVar("T")
Fields = dict[str, Any]

VERSION = 3
_BUILTINS = ENUMS["BuiltinOperator"][1]
_BUILTIN_NAMES = {code: name for name, code in _BUILTINS.items()}
# Option fields that hold the index of a subgraph; a vector of them has one entry in Node.subgraphs per element.
SUBGRAPH_FIELDS: dict[str, tuple[str, ...]] = {
    "CallOptions": ("subgraph",),
    "CallOnceOptions": ("init_subgraph_index",),
    "IfOptions": ("then_subgraph_index", "else_subgraph_index"),
    "WhileOptions": ("cond_subgraph_index", "body_subgraph_index"),
    "StablehloWhileOptions": ("cond_subgraph_index", "body_subgraph_index"),
    "StablehloReduceWindowOptions": ("body_subgraph_index",),
    "StablehloReduceOptions": ("body_subgraph_index",),
    "StablehloSortOptions": ("comparator_subgraph_index",),
    "StablehloScatterOptions": ("update_computation_subgraph_index",),
    "StablehloCustomCallOptions": ("called_computations",),
    "StablehloCaseOptions": ("branch_subgraph_indices",),
    "StableHLOCompositeOptions": ("decomposition_subgraph_index",),
}
# Quantization details that hold the index of a tensor; -1 is none.
TENSOR_FIELDS = {
    "BlockwiseQuantization": ("scales", "zero_points"),
    "MultiAxisQuantization": ("scales", "zero_points"),
}
_NO_SCALES = np.empty(0, np.float32)
_NO_ZERO_POINTS = np.empty(0, np.int64)
# What `decode_objects` makes of a file: the model's own types, with indices where they refer to others.
_OBJECTS: Objects = {
    "Buffer": (Buffer, (("data", "data", "v", None), ("extra", None, "x", None))),
    "QuantizationParameters": (
        Quantization,
        (
            ("scale", "scale", "a", _NO_SCALES),
            ("zero_point", "zero_point", "a", _NO_ZERO_POINTS),
            ("axis", "quantized_dimension", "v", 0),
            ("details", "details", "v", None),
            ("tensors", None, "d", None),
            ("extra", None, "x", None),
        ),
    ),
    "Tensor": (
        Tensor,
        (
            ("name", "name", "v", ...),
            ("shape", "shape", "t", ...),
            ("dtype", "type", "m", BY_CODE),
            ("buffer", "buffer", "v", 0),
            ("quantization", "quantization", "v", None),
            ("is_variable", "is_variable", "v", False),
            ("shape_signature", "shape_signature", "t", None),
            ("sparsity", "sparsity", "v", None),
            ("extra", None, "x", None),
            ("lookup", None, "v", None),
        ),
    ),
    "Operator": (
        Node,
        (
            ("opcode", "opcode_index", "v", 0),
            ("inputs", "inputs", "l", ...),
            ("outputs", "outputs", "l", ...),
            ("options", "builtin_options", "v", None),
            ("custom_options", "custom_options", "v", None),
            ("intermediates", "intermediates", "e", None),
            ("subgraphs", None, "d", None),
            ("extra", None, "x", None),
        ),
    ),
}


def from_record(record: Record) -> Model:
    """The model of a decoded file; it shares the record's arrays. Raises FormatError for an index out of range."""
    return _taken(_copied(record))


def read(data: Any) -> Model:
    """The model in a file's bytes. Raises FormatError for bytes, and for an index, that are not sound."""
    record = decode_objects(data, _OBJECTS)
    return _taken(decode(data)) if record is None else _taken(record, parts=True)


def _taken(record: Record, parts: bool = False) -> Model:
    """The model of a record that nobody else has: what is left of the dicts in it becomes the model's `extra`.

    parts: its buffers, tensors and operators are those of the model, but for what they refer to by index.
    """
    rest = record.fields
    rest.setdefault("version", 0)
    buffers = [*_required(rest, "buffers")] if parts else list(map(_buffer, _required(rest, "buffers")))
    opcodes = [_opcode(r) for r in _required(rest, "operator_codes")]
    records = _required(rest, "subgraphs")
    subgraphs = [Subgraph() for _ in records]
    _each("subgraphs", zip(subgraphs, records, strict=True), _fill, subgraphs, opcodes, buffers, parts)
    signatures = _each("signature_defs", _optional(rest, "signature_defs"), _signature, subgraphs)
    entries = _optional(rest, "metadata")
    metadata = _each("metadata", entries, _metadata, buffers)
    _note_newer(rest, "metadata", entries)
    if rest.get("metadata_buffer") is not None:
        rest["metadata_buffer"] = [_at(buffers, i, "metadata_buffer") for i in rest["metadata_buffer"].tolist()]
    made = Model(subgraphs, rest.pop("description", None), signatures, metadata, opcodes, buffers, rest)
    read_lookups(made)
    return made


def to_record(model: Model) -> Record:
    """The Model record to encode; it shares the model's arrays. Raises GraphError where objects do not fit together."""
    rest = {name: value for name, value in model.extra.items() if name != "outside"}
    model = with_lookups(model)
    opcodes, buffers = _Numbering(model.opcodes), _Numbering(model.buffers or [Buffer()])  # index 0 means none
    subgraphs = {subgraph: i for i, subgraph in enumerate(model.subgraphs)}
    records = [_subgraph_record(s, subgraphs, opcodes, buffers) for s in model.subgraphs]
    metadata = [_pair("Metadata", name, "buffer", buffers.number(buffer)) for name, buffer in model.metadata]
    signatures = [_signature_record(s, subgraphs) for s in model.signatures]
    if rest.get("metadata_buffer") is not None:
        rest["metadata_buffer"] = _int32([buffers.number(b) for b in rest["metadata_buffer"]], "metadata_buffer")
    rest.setdefault("version", VERSION)
    _put_present(rest, "description", model.description)
    _put(rest, "subgraphs", records)
    _put(rest, "operator_codes", [_opcode_record(o) for o in opcodes.items])
    alone = not model.buffers and len(buffers.items) == 1
    _put(rest, "buffers", [] if alone and "buffers" in rest else [_buffer_record(b) for b in buffers.items])
    _put_optional(rest, "metadata", metadata)
    _put_optional(rest, "signature_defs", signatures)
    return Record.of("Model", rest)


def _copied(value: Any) -> Any:
    if isinstance(value, Record):
        return Record.of(value.table, {name: _copied(item) for name, item in value.fields.items()})
    return [_copied(item) for item in value] if isinstance(value, list) else value


# The parts, each with its way back.


def _opcode(record: Record) -> OpCode:
    rest = record.fields
    old, new = rest.get("deprecated_builtin_code", 0), rest.get("builtin_code", 0)
    code = max(old, new)
    if (old, new) == (min(code, 127), code):
        rest.pop("deprecated_builtin_code", None)
        rest.pop("builtin_code", None)
    else:
        rest |= {"deprecated_builtin_code": old, "builtin_code": new}
    name = _BUILTIN_NAMES.get(code, f"BUILTIN_{code}")
    return OpCode(name, rest.pop("version", 1), rest.pop("custom_code", None), rest)


def _opcode_record(opcode: OpCode) -> Record:
    name = opcode.name
    unknown = name.removeprefix("BUILTIN_")
    if name not in _BUILTINS and not unknown.removeprefix("-").isdecimal():
        raise GraphError(f"{name!r} is not a builtin operator; a custom one is named CUSTOM and has a custom_code")
    code = _BUILTINS[name] if name in _BUILTINS else int(unknown)
    codes = {"deprecated_builtin_code": min(code, 127), "builtin_code": code}
    kept = {key: opcode.extra[key] for key in codes if key in opcode.extra}
    if kept and max(kept.values()) == code:
        codes = kept
    rest = {**opcode.extra, **codes, "version": opcode.version}
    _put_present(rest, "custom_code", opcode.custom_code)
    return Record.of("OperatorCode", rest)


def _metadata(record: Record, buffers: list[Buffer]) -> tuple[str, Buffer]:
    name: Any = record.fields.get("name")
    return name, _at(buffers, record.fields.get("buffer", 0), ".buffer")


def _buffer(record: Record) -> Buffer:
    rest = record.fields
    return Buffer(rest.pop("data", None), rest)


def _buffer_record(buffer: Buffer) -> Record:
    rest = dict(buffer.extra)
    _put_present(rest, "data", buffer.data)
    return Record.of("Buffer", rest)


def _fill(
    pair: tuple[Subgraph, Record],
    subgraphs: list[Subgraph],
    opcodes: list[OpCode],
    buffers: list[Buffer],
    parts: bool,
) -> None:
    made, rest = pair[0], pair[1].fields
    found, nodes = _required(rest, "tensors"), _required(rest, "operators")
    if not parts:
        found, nodes = map(_tensor, found), map(_node, nodes)
    unusual: list[Tensor] = []
    made.tensors = _each(".tensors", found, _refer_tensor, buffers, unusual)
    tensors = dict(enumerate(made.tensors))
    if unusual:
        _set_referred(unusual, tensors)
    made.inputs = _found(tensors, _numbers(rest, "inputs"), ".inputs")
    made.outputs = _found(tensors, _numbers(rest, "outputs"), ".outputs")
    optional = {**tensors, -1: None}
    made.nodes = _each(".operators", nodes, _refer_node, tensors, optional, subgraphs, opcodes)
    if unusual:
        _set_scales_aside(made, unusual)
    made.name = _name(rest, "name")
    made.extra = rest


def _set_referred(unusual: list[Tensor], tensors: dict[int, Tensor]) -> None:
    """Put the tensors that quantization details name by index into `Quantization.tensors`."""
    index = {tensor: i for i, tensor in tensors.items()}
    for tensor in unusual:
        q = tensor.quantization
        if q is not None and q.details is not None:
            for name in TENSOR_FIELDS.get(q.details.table, ()):
                if getattr(q.details, name) != -1:
                    path = f".tensors[{index[tensor]}].quantization.details.{name}"
                    (q.tensors[name],) = _found(tensors, [getattr(q.details, name)], path)
                    q.details.fields.pop(name, None)


def _set_scales_aside(subgraph: Subgraph, unusual: list[Tensor]) -> None:
    """Keep in `extra`, as the file has them, scales that do not fit a constant which only custom operators read.

    tflite-micro's compress tool leaves them at what it packs: they are of the values, which its operator makes.
    """
    odd = [t for t in unusual if t.is_constant and t.quantization is not None and not t.quantization.fits(t.shape)]
    if odd:
        read = {t for node in subgraph.nodes if node.opcode.name != "CUSTOM" for t in node.inputs} | {*subgraph.outputs}
        for tensor in (t for t in odd if t not in read):
            q = tensor.quantization
            if q is not None and q.details is None:
                tensor.extra["quantization"], tensor.quantization = _quantization_record(q, {}, tensor.name), None


def _subgraph_record(
    subgraph: Subgraph, subgraphs: dict[Subgraph, int], opcodes: _Numbering[OpCode], buffers: _Numbering[Buffer]
) -> Record:
    where = f"subgraph {subgraph.name!r}"
    index = {tensor: i for i, tensor in enumerate(subgraph.tensors)}
    rest = dict(subgraph.extra)
    _put(rest, "tensors", [_tensor_record(t, index, buffers) for t in subgraph.tensors])
    _put(rest, "inputs", _indices(subgraph.inputs, index, f"{where}: inputs"))
    _put(rest, "outputs", _indices(subgraph.outputs, index, f"{where}: outputs"))
    _put(rest, "operators", [_node_record(n, index, subgraphs, opcodes) for n in subgraph.nodes])
    _put(rest, "name", subgraph.name)
    return Record.of("SubGraph", rest)


def _tensor(record: Record) -> Tensor:
    rest = record.fields
    take = rest.pop
    quantization = _quantization(take("quantization").fields) if "quantization" in rest else None
    return Tensor(
        take("name") if "name" in rest else _absent(rest, "name", ""),
        tuple(take("shape").tolist()) if "shape" in rest else _absent(rest, "shape", ()),
        by_code(take("type", 0)),
        take("buffer", 0),
        quantization,
        take("is_variable", False),
        tuple(take("shape_signature").tolist()) if "shape_signature" in rest else None,
        take("sparsity", None),
        rest,
    )


def _refer_tensor(tensor: Any, buffers: list[Buffer], unusual: list[Tensor]) -> Tensor:
    """A tensor with its buffer instead of the index. It is unusual if its quantization has details, or does not fit."""
    number, q = tensor.buffer, tensor.quantization
    tensor.buffer = _at(buffers, number, ".buffer") if number else None
    if q is not None and (q.details is not None or (q.scale.size > 1 and not q.fits(tensor.shape))):
        unusual.append(tensor)
    return tensor  # type: ignore[no-any-return]


def _tensor_record(tensor: Tensor, index: dict[Tensor, int], buffers: _Numbering[Buffer]) -> Record:
    rest = dict(tensor.extra)
    where = f"tensor {tensor.name!r}"
    _put(rest, "name", tensor.name)
    _put(rest, "shape", _int32(tensor.shape, f"{where}: shape"))
    rest["type"] = tensor.dtype.code
    rest["buffer"] = _buffer_number(tensor, buffers)
    rest["is_variable"] = tensor.is_variable
    if tensor.quantization is not None:
        rest["quantization"] = _quantization_record(tensor.quantization, index, where)
    if tensor.shape_signature is not None:
        rest["shape_signature"] = _int32(tensor.shape_signature, f"{where}: shape_signature")
    _put_present(rest, "sparsity", tensor.sparsity)
    return Record.of("Tensor", rest)


def _buffer_number(tensor: Tensor, buffers: _Numbering[Buffer]) -> int:
    if tensor.buffer is None or (tensor.extra.get("external_buffer") and tensor.buffer not in buffers):
        return 0
    number = buffers.number(tensor.buffer)
    if number == 0:
        raise GraphError(f"tensor {tensor.name!r}: its buffer is the model's first, and index 0 means none")
    return number


def _quantization(rest: Fields) -> Quantization:
    take = rest.pop
    scale, zero_point = take("scale", _NO_SCALES), take("zero_point", _NO_ZERO_POINTS)
    if not len(scale) and scale is not _NO_SCALES:
        rest["scale"] = scale
    if not len(zero_point) and zero_point is not _NO_ZERO_POINTS:
        rest["zero_point"] = zero_point
    return Quantization(scale, zero_point, take("quantized_dimension", 0), take("details", None), {}, rest)


def _quantization_record(quantization: Quantization, index: dict[Tensor, int], where: str) -> Record:
    rest = dict(quantization.extra)
    _put_optional(rest, "scale", quantization.scale)
    _put_optional(rest, "zero_point", quantization.zero_point)
    rest["quantized_dimension"] = quantization.axis
    if quantization.details is not None:
        found = {name: _find(index, t, f"{where}: {name}") for name, t in quantization.tensors.items()}
        rest["details"] = quantization.details.replace(**found)
    return Record.of("QuantizationParameters", rest)


def _node(record: Record) -> Node:
    rest = record.fields
    take = rest.pop
    inputs: Any = _numbers(rest, "inputs")  # indices, as `_refer_node` takes them
    outputs: Any = _numbers(rest, "outputs")
    return Node(
        take("opcode_index", 0),
        inputs,
        outputs,
        take("builtin_options", None),
        take("custom_options", None),
        _optional(rest, "intermediates").tolist() if "intermediates" in rest else [],
        {},
        rest,
    )


def _refer_node(
    node: Any,
    tensors: dict[int, Tensor],
    optional: dict[int, Tensor | None],
    subgraphs: list[Subgraph],
    opcodes: list[OpCode],
) -> Node:
    """A node with what it refers to instead of the indices."""
    inputs = _found(optional, node.inputs, ".inputs")
    node.opcode = _at(opcodes, node.opcode, ".opcode_index")
    node.inputs, node.outputs = inputs, _found(tensors, node.outputs, ".outputs")
    if node.intermediates:
        node.intermediates = _found(tensors, node.intermediates, ".intermediates")
    if node.options is None and node.extra:
        node.options = node.extra.pop("builtin_options_2", None)
    if node.options is not None and node.options.table in SUBGRAPH_FIELDS:
        node.options, node.subgraphs = _subgraph_options(node.options, subgraphs)
    return node  # type: ignore[no-any-return]


def _node_record(
    node: Node, index: dict[Tensor, int], subgraphs: dict[Subgraph, int], opcodes: _Numbering[OpCode]
) -> Record:
    rest = dict(node.extra)
    rest["opcode_index"] = opcodes.number(node.opcode)
    _put(rest, "inputs", _indices(node.inputs, index, node.label))
    _put(rest, "outputs", _indices(node.outputs, index, node.label))
    _put_optional(rest, "intermediates", _indices(node.intermediates, index, node.label))
    if node.options is not None:
        field = _options_field(node, node.options.table)
        rest[field] = _indexed_options(node, subgraphs) if node.subgraphs else node.options
    _put_present(rest, "custom_options", node.custom_options)
    return Record.of("Operator", rest)


def _options_field(node: Node, table: str) -> str:
    for field, union in (("builtin_options", "BuiltinOptions"), ("builtin_options_2", "BuiltinOptions2")):
        if table in UNIONS[union]:
            return field
    raise GraphError(f"{node.label}: {table} is not a table of options")


def _subgraph_options(options: Record, subgraphs: list[Subgraph]) -> tuple[Record, dict[str, Subgraph]]:
    """The options without their subgraph indices, and the subgraphs by field; `field[0]`, ... for a vector."""
    named: dict[str, Subgraph] = {}
    rest = dict(options.fields)
    for name in SUBGRAPH_FIELDS[options.table]:
        if fields(options.table)[name].kind == "numbers":
            for i, index in enumerate(_optional(rest, name)):
                named[f"{name}[{i}]"] = _at(subgraphs, int(index), f".builtin_options.{name}")
        elif rest.get(name) != -1:
            named[name] = _at(subgraphs, rest.pop(name, 0), f".builtin_options.{name}")
    return Record.of(options.table, rest), named


def _indexed_options(node: Node, subgraphs: dict[Subgraph, int]) -> Record:
    assert node.options is not None
    found: Fields = {}
    for key, subgraph in node.subgraphs.items():
        index = _find(subgraphs, subgraph, f"{node.label}: {key}")
        name, vector, _ = key.partition("[")
        found[name] = [*found.get(name, ()), index] if vector else index
    return node.options.replace(**found)


def _signature(record: Record, subgraphs: list[Subgraph]) -> Signature:
    rest = record.fields
    subgraph = _at(subgraphs, rest.pop("subgraph_index", 0), ".subgraph_index")
    named: list[list[tuple[str, Tensor]]] = []
    for side in ("inputs", "outputs"):
        entries = _required(rest, side)
        pairs = [(r.fields.get("name"), r.fields.get("tensor_index", 0)) for r in entries]
        named.append([(name, _at(subgraph.tensors, i, f".{side}")) for name, i in pairs])
        _note_newer(rest, side, entries)
    return Signature(_name(rest, "signature_key"), subgraph, named[0], named[1], rest)


def _signature_record(signature: Signature, subgraphs: dict[Subgraph, int]) -> Record:
    where = f"signature {signature.key!r}"
    rest = dict(signature.extra)
    rest["subgraph_index"] = _find(subgraphs, signature.subgraph, f"{where}: subgraph")
    index = {tensor: i for i, tensor in enumerate(signature.subgraph.tensors)}
    for side, pairs in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        found = [(name, _find(index, tensor, f"{where}: {name!r}")) for name, tensor in pairs]
        _put(rest, side, [_pair("TensorMap", name, "tensor_index", i) for name, i in found])
    _put(rest, "signature_key", signature.key)
    return Record.of("SignatureDef", rest)


# Fields in and out of `rest`, the dict that becomes `extra`.


def _required(rest: Fields, name: str) -> Any:
    value = rest.pop(name, None)
    if value is None:
        rest[name] = value
        return ()
    return value


def _absent(rest: Fields, name: str, empty: T) -> T:
    """Mark what the file leaves out and a new file would have. It reads as empty."""
    rest[name] = None
    return empty


def _optional(rest: Fields, name: str) -> Any:
    value = rest.get(name)
    if value is None:
        return ()
    if len(value):
        del rest[name]
    return value


def _numbers(rest: Fields, name: str) -> list[int]:
    value = rest.pop(name, None)
    if value is None:
        rest[name] = value
        return []
    return value.tolist()  # type: ignore[no-any-return]


def _name(rest: Fields, name: str) -> str:
    return _required(rest, name) or ""


def _note_newer(rest: Fields, name: str, entries: Sequence[Record]) -> None:
    """Entries that become plain pairs have no `extra`: what is newer in them is noted a level above."""
    found = tuple(f"{name}[{i}] {what}" for i, r in enumerate(entries) for what in r.fields.get("newer", ()))
    if found:
        rest["newer"] = (*rest.get("newer", ()), *found)


def _put(rest: Fields, name: str, value: Any) -> None:
    if len(value) or name not in rest:
        rest[name] = value
    elif rest[name] is None:
        del rest[name]


def _put_optional(rest: Fields, name: str, value: Any) -> None:
    if len(value):
        rest[name] = value


def _put_present(rest: Fields, name: str, value: Any) -> None:
    if value is not None:
        rest[name] = value


def _pair(table: str, name: str | None, field: str, index: int) -> Record:
    return Record.of(table, {field: index} if name is None else {"name": name, field: index})


# Indices and objects.


def _at(items: Sequence[T], index: int, path: str) -> T:
    if not 0 <= index < len(items):
        raise FormatError(f"{path}: index {index} is not below {len(items)}")
    return items[index]


def _found(items: dict[int, T], indices: list[int], path: str) -> list[T]:
    """The items with these indices; -1 may be among the items, and is no index."""
    try:
        return [items[i] for i in indices]
    except KeyError as error:
        raise FormatError(f"{path}: index {error} is not below {len(items) - (-1 in items)}") from None


def _each(path: str, items: Iterable[S], convert: Callable[..., T], *others: Any) -> list[T]:
    """What convert makes of each item and the others. A FormatError gets the item's place in front."""
    made: list[T] = []
    try:
        for result in map(convert, items, *map(repeat, others)):
            made.append(result)  # noqa: PERF402 (a list comprehension would not tell where it stopped)
    except FormatError as error:
        raise FormatError(f"{path}[{len(made)}]{error}") from None
    return made


def _find(index: dict[T, int], item: T, where: str) -> int:
    if item not in index:
        raise GraphError(f"{where} is not part of the model, or of another subgraph")
    return index[item]


def _indices(tensors: Sequence[Tensor | None], index: dict[Tensor, int], where: str) -> np.ndarray:
    for tensor in tensors:
        if tensor is not None and tensor not in index:
            raise GraphError(f"{where}: tensor {tensor.name!r} is not among its subgraph's tensors")
    return _int32([-1 if tensor is None else index[tensor] for tensor in tensors], where)


def _int32(values: Sequence[int], where: str) -> np.ndarray:
    try:
        return _packed(tuple(values))
    except struct.error as error:
        raise GraphError(f"{where}: {tuple(values)} are not 32-bit integers") from error


@lru_cache(maxsize=1024)
def _packed(values: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(struct.pack(f"<{len(values)}i", *values), np.int32)


class _Numbering(Generic[T]):
    """Objects by index: those that the model lists, then others as they are met."""

    def __init__(self, items: Iterable[T]) -> None:
        self.items = list(items)
        self._index = {item: i for i, item in enumerate(self.items)}

    def __contains__(self, item: T) -> bool:
        return item in self._index

    def number(self, item: T) -> int:
        if item not in self._index:
            self._index[item] = len(self.items)
            self.items.append(item)
        return self._index[item]
