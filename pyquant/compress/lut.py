"""tflite-micro's compression: a weight of few distinct values is stored as indices into tables of them."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.compress.sparse import file_bytes
from pyquant.compress.weights import weights
from pyquant.dtypes import dtype
from pyquant.errors import GraphError, OptionError
from pyquant.graph import Buffer, Model, Node, OpCode, Subgraph, Tensor
from pyquant.graph.edit import ADVICE, drop_metadata, remove_unused
from pyquant.graph.lookup import MOST_BITS, Lookup, bits_for, compress, distinct
from pyquant.ops import Call, find, get
from pyquant.ops.decode import ancillary
from pyquant.rewrite.links import replaced
from pyquant.wire.file import read

DECODE = get("TFLM_DECODE")
TYPES = ("float32", "int8", "int16", "int32", "int64", "bool")  # of what tflite-micro looks up


@dataclass(frozen=True)
class Indexed:
    """How a tensor is stored: bits of an index, and the axis along which each slice has a table; None for one table."""

    bits: int
    axis: int | None


def compress_lut(
    model: Model,
    regex: str = ".*",
    operation: str = "*",
    least: int = 0,
    bits: int | None = None,
    tensors: Mapping[str, int] | None = None,
    spec: str | os.PathLike[str] | None = None,
    form: str = "decode",
) -> Model:
    """A copy whose weights are stored as indices into tables of their values, as tflite-micro's compress tool does it.

    What has a scale for each channel gets a table for each. The weights are those that `weights` names; of these one
    stays as it is, and a warning says why, where it has more values than indices of `bits` (without it, of 7 at most)
    tell apart, or would take more bytes.
    tensors: name -> bits, of constants to take in place of those. spec: the YAML file of tflite-micro's tool, likewise.
    form: "decode", as that tool writes it since August 2026: what reads a weight gets a TFLM_DECODE in front.
    "metadata", as before: kernels of convolutions and fully connected layers look up themselves, by an entry
    COMPRESSION_METADATA, in a tflite-micro that is built with compression. pyquant runs both.
    Raises OptionError for one of `tensors` or `spec`, by its name, that cannot be stored so.
    """
    if form not in FORMS:
        raise OptionError(f"form: found {form!r}, expected {' or '.join(map(repr, FORMS))}")
    made = model.copy()
    if spec is not None:
        chosen = _specified(made, Path(spec))
    elif tensors is not None:
        chosen = _named(made, tensors)
    else:
        chosen = _found(made, regex, operation, least, bits, form)
    for subgraph in made.subgraphs:
        own = set(subgraph.tensors)
        here = {tensor: how for tensor, how in chosen.items() if tensor in own}
        for tensor, how in here.items():
            _check_readers(subgraph, tensor, how, form)
        FORMS[form](subgraph, here)
    remove_unused(made)
    drop_metadata(made, ADVICE)
    return made


def decompress_lut(model: Model) -> Model:
    """A copy in which constants are stored as they are, and no operator has a TFLM_DECODE in front."""
    made = model.copy()
    for subgraph in made.subgraphs:
        for looked_up in (t for t in subgraph.tensors if t.lookup is not None):
            looked_up.data = looked_up.data
        nodes = [node for node in subgraph.nodes if _looks_up(node)]
        values = [get(node.op).reference["uint8"](Call(get(node.op), node), *_inputs(node)) for node in nodes]
        whole: dict[Tensor, Tensor] = {}
        for node, arrays in zip(nodes, values, strict=True):
            for tensor, opened, array in zip(node.inputs[::2], node.outputs, arrays, strict=True):
                assert tensor is not None
                tensor.shape, tensor.dtype, tensor.quantization = opened.shape, opened.dtype, opened.quantization
                tensor.shape_signature, tensor.data = opened.shape_signature, array
                whole[opened] = tensor
        if nodes:
            replaced(made, subgraph, nodes, whole)
            drop_metadata(made, ADVICE)
    remove_unused(made)
    return made


def _looks_up(node: Node) -> bool:
    operator = find(node.op)
    return operator is not None and operator.looks_up


def _inputs(node: Node) -> list[np.ndarray]:
    for tensor in node.inputs:
        if tensor is None or tensor.data is None:
            raise GraphError(f"{node.label}: input {tensor and tensor.name!r} is no constant")
    return [_values(tensor) for tensor in node.inputs if tensor is not None]


def lookup(tensor: Tensor) -> tuple[int, int] | None:
    """Bits of an index into tables of a constant's values, and the bytes of both; None where it cannot be stored so."""
    axis = scale_axis(tensor)
    if not tensor.is_constant or _reason(tensor, Indexed(MOST_BITS, axis)):
        return None
    values = _values(tensor)
    bits = bits_for(count := distinct(values, axis))
    tables = 1 if axis is None else values.shape[axis]
    return bits, (values.size * bits + 7) // 8 + tables * count * values.itemsize


def scale_axis(tensor: Tensor) -> int | None:
    """The dimension that has a scale for each index, if one does."""
    q = tensor.quantization
    return q.axis if q is not None and q.per_axis else None


def _found(model: Model, regex: str, operation: str, least: int, bits: int | None, form: str) -> dict[Tensor, Indexed]:
    """The weights that are meant, but for those that stay as they are."""
    if bits is not None and not 1 <= bits <= MOST_BITS:
        raise OptionError(f"bits: found {bits}, expected 1 to {MOST_BITS}")
    sharers = Counter(t.buffer for s in model.subgraphs for t in s.tensors if t.buffer is not None)
    chosen: dict[Tensor, Indexed] = {}
    left: list[str] = []
    for weight in weights(model, regex, operation, least):
        tensor, buffer = weight.tensor, weight.tensor.buffer
        shared = buffer is not None and sharers[buffer] > 1
        reason = "shares its bytes" if shared else _reason(tensor, Indexed(bits or MOST_BITS, scale_axis(tensor)))
        if not reason and form == "metadata":
            reason = _unread([node for node, _ in weight.uses])
        if reason:
            left.append(f"{tensor.name!r} {reason}")
            continue
        axis = scale_axis(tensor)
        how = Indexed(bits or bits_for(distinct(_values(tensor), axis)), axis)
        twin = replace(tensor)
        alone = Subgraph(tensors=[twin], nodes=[Node(OpCode("CUSTOM"), [twin], []) for _ in weight.uses])
        before = file_bytes(alone)
        FORMS[form](alone, {twin: how})
        if file_bytes(alone) < before:
            chosen[tensor] = how
        else:
            left.append(f"{tensor.name!r} would take more bytes")
    if left:
        warnings.warn(f"not compressed: {', '.join(left)}", stacklevel=3)
    return chosen


def _named(model: Model, tensors: Mapping[str, int]) -> dict[Tensor, Indexed]:
    by_name = {tensor.name: tensor for subgraph in model.subgraphs for tensor in subgraph.tensors}
    if missing := sorted(tensors.keys() - by_name.keys()):
        raise OptionError(f"tensors: the model has none called {', '.join(map(repr, missing))}")
    chosen = {by_name[name]: bits for name, bits in tensors.items()}
    return {tensor: _asked(tensor, Indexed(bits, scale_axis(tensor))) for tensor, bits in chosen.items()}


def _specified(model: Model, path: Path) -> dict[Tensor, Indexed]:
    """What a YAML file of tflite-micro's compress tool says."""
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ImportError as missing:
        raise OptionError(f"{path}: reading it needs PyYAML: pip install pyyaml") from missing
    try:
        entries = yaml.safe_load(bytes(read(path)))["tensors"]
        found = [(entry["subgraph"], entry["tensor"], *_lut_of(entry["compression"])) for entry in entries]
        chosen = {model.subgraphs[s].tensors[t]: (bits, modes) for s, t, bits, modes in found}
    except (yaml.YAMLError, KeyError, TypeError, IndexError, ValueError) as error:
        expected = "tensors: [{subgraph, tensor, compression: [{lut: {index_bitwidth}}]}] of the model"
        raise OptionError(f"{path}: found {error!r}, expected {expected}") from error
    return {
        tensor: _asked(tensor, Indexed(bits, axis[0] if axis else scale_axis(tensor)))
        for tensor, (bits, axis) in chosen.items()
    }


def _lut_of(methods: Sequence[Mapping[str, Any]]) -> tuple[int, tuple[int | None, ...]]:
    """Bits of an index, and the axis or None for a single table, where one of them is asked for."""
    (method,) = methods
    lut = method["lut"]
    if "per_channel" in lut:
        return lut["index_bitwidth"], (lut["per_channel"]["axis"],)
    return lut["index_bitwidth"], (None,) if "per_tensor" in lut else ()


def _asked(tensor: Tensor, how: Indexed) -> Indexed:
    """The same, if the tensor can be stored so."""
    if not isinstance(how.bits, int) or not 1 <= how.bits <= MOST_BITS:
        raise OptionError(f"tensor {tensor.name!r}: found indices of {how.bits} bits, expected 1 to {MOST_BITS}")
    if reason := _reason(tensor, how):
        raise OptionError(f"tensor {tensor.name!r} {reason}")
    return how


def _reason(tensor: Tensor, how: Indexed) -> str:
    """Why a tensor cannot be stored so; empty where it can."""
    if not tensor.is_constant:
        return "is no constant"
    if tensor.lookup is not None:
        return "is stored so already"
    if tensor.dtype.name not in TYPES or tensor.sparsity is not None:
        return f"is {'sparse' if tensor.sparsity is not None else tensor.dtype}, expected one of {', '.join(TYPES)}"
    if how.axis not in (None, 0, len(tensor.shape) - 1):
        return f"is to have a table for each index of dimension {how.axis}, expected the first or the last"
    count = distinct(_values(tensor), how.axis)
    if count > 1 << how.bits:
        where = "" if how.axis is None else " in a channel"
        return f"has {count} values{where}, expected at most {1 << how.bits} for indices of {how.bits} bits"
    return ""


def _check_readers(subgraph: Subgraph, tensor: Tensor, how: Indexed, form: str) -> None:
    """Raise OptionError for a tensor that something reads as it is stored, or before a run: shapes, axes."""
    if tensor in subgraph.outputs:
        raise OptionError(f"tensor {tensor.name!r} is an output of its subgraph: it must stay as it is")
    readers = [node for node in subgraph.nodes if tensor in node.inputs]
    for node in readers:
        operator = find(node.op)
        slots = [] if operator is None else operator.of(node).slots(node.inputs)
        if any(read is tensor and slot.role == "data" for slot, read in zip(slots, node.inputs, strict=False)):
            raise OptionError(f"tensor {tensor.name!r}: {node.label} reads it before a run: it must stay as it is")
    if form == "metadata" and (reason := _unread(readers)):
        raise OptionError(f"tensor {tensor.name!r} {reason}")
    if form == "metadata" and how.axis != scale_axis(tensor):
        raise OptionError(f"tensor {tensor.name!r}: in form 'metadata' its tables are along the axis of its scales")


def _unread(readers: Sequence[Node]) -> str:
    """Why operators do not look a tensor up themselves; empty where they do."""
    operators = ((node, find(node.op)) for node in readers)
    other = next((node for node, operator in operators if operator is None or operator.contraction is None), None)
    return "" if other is None else f"is read by {other.label}, which does not look up: form 'decode' serves it"


def _values(tensor: Tensor) -> np.ndarray:
    values = tensor.data
    assert values is not None
    return values


def _with_decode(subgraph: Subgraph, chosen: Mapping[Tensor, Indexed]) -> None:
    """Store tensors so, in place, with a TFLM_DECODE right in front of each reader: what it makes lasts no longer."""
    packed, tables, shared = {}, {}, {}
    for tensor, how in chosen.items():
        packed[tensor], values = compress(_values(tensor), how.axis, how.bits)
        tables[tensor] = ancillary(values, how.bits, how.axis)
    opcode = OpCode("CUSTOM", custom_code=DECODE.name)

    def opened(tensors: Sequence[Tensor]) -> Node:
        node = Node(opcode, [], [])
        for tensor in tensors:
            key = tables[tensor].tobytes()
            if key not in shared:
                shared[key] = _constant(f"{tensor.name}_ancillary", tables[tensor])
                subgraph.tensors.append(shared[key])
            node.inputs += [tensor, shared[key]]
            node.outputs.append(replace(tensor, name=f"{tensor.name}_decoded", buffer=None))
            subgraph.tensors.append(node.outputs[-1])
        return node

    for i, reader in reversed(list(enumerate(subgraph.nodes))):
        if tensors := [tensor for tensor in chosen if tensor in reader.inputs]:
            node = opened(tensors)
            subgraph.nodes.insert(i, node)
            whole = dict(zip(tensors, node.outputs, strict=True))
            reader.inputs = [None if t is None else whole.get(t, t) for t in reader.inputs]
    for tensor, raw in packed.items():
        made = _constant(tensor.name, raw)
        tensor.shape, tensor.dtype, tensor.buffer = made.shape, made.dtype, made.buffer
        tensor.quantization = tensor.shape_signature = None


def _constant(name: str, raw: np.ndarray) -> Tensor:
    return Tensor(name, raw.shape, dtype("uint8"), Buffer(raw))


def _with_metadata(subgraph: Subgraph, chosen: Mapping[Tensor, Indexed]) -> None:
    """Store tensors so, in place, for kernels that look up themselves."""
    for tensor, how in chosen.items():
        packed, tables = compress(_values(tensor), how.axis, how.bits, 1 << how.bits)
        tensor.buffer, tensor.lookup = Buffer(packed), Lookup(how.bits, tables.reshape(-1).view(np.uint8))


FORMS = {"decode": _with_decode, "metadata": _with_metadata}
