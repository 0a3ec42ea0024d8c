"""Makes nodes of registered operators: options by field name, output shapes by the operator's shape rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyquant.dtypes import BFLOAT16, FLOAT32, DType
from pyquant.graph import Builder, Node, OpCode, Quantization, Tensor
from pyquant.ops.operator import Call
from pyquant.ops.registry import get
from pyquant.ops.versions import lowest_version
from pyquant.wire import Record


@dataclass(frozen=True)
class Made:
    """An output to be: dtype defaults to the node's first input that is no index or shape."""

    name: str
    dtype: DType | str | None = None
    quantization: Quantization | None = None


def add(
    builder: Builder,
    op: str,
    inputs: Sequence[Tensor | None],
    name: str,
    dtype_: DType | str | None = None,
    quantization: Quantization | None = None,
    **options: Any,
) -> Tensor:
    """Append operator `op` with one output and return that output. dtype_ defaults to the first input's type.

    Enum options take their names: `add(b, "CONV_2D", [x, w, bias], "y", padding="VALID", stride_h=1, stride_w=1)`.
    """
    (out,) = add_all(builder, op, inputs, [Made(name, dtype_, quantization)], **options)
    return out


def add_all(
    builder: Builder, op: str, inputs: Sequence[Tensor | None], outputs: Sequence[Made], **options: Any
) -> list[Tensor]:
    """Append operator `op` with any number of outputs and return them; a dimension that only a run knows is 1 in them.

    A custom operator takes its options as they stand in the file: `custom_options=`, uint8.
    """
    operator = get(op)
    custom = {"custom_code": op, "custom_options": options.pop("custom_options", None)} if operator.custom else {}
    record = None if operator.options is None else Record(operator.options, **options)
    given = [(slot.role, t) for slot, t in zip(operator.slots(inputs), inputs, strict=True) if t is not None]
    first = next((t for role, t in given if role != "data"), given[0][1] if given else None)
    default = FLOAT32 if first is None else first.dtype
    made = [builder.tensor(out.name, (), out.dtype or default, out.quantization) for out in outputs]
    node = builder.node("CUSTOM" if operator.custom else op, list(inputs), made, record, **custom)
    shapes = operator.shape(Call(operator, node), *(None if t is None else t.shape for t in inputs))
    for tensor, shape in zip(made, shapes, strict=True):
        tensor.shape = tuple(1 if n < 0 else int(n) for n in shape)
        tensor.shape_signature = tuple(map(int, shape)) if min(shape, default=0) < 0 else None
    builder.set_version(node, lowest_version(node) or 1)
    return made


def cast(source: Tensor, target: Tensor) -> Node:
    """A node that brings a value into the form of another tensor: DEQUANTIZE to float32, QUANTIZE to anything else.

    CAST from bfloat16, which no other kernel takes.
    """
    if source.dtype is BFLOAT16:
        types = Record("CastOptions", in_data_type=source.dtype.code, out_data_type=target.dtype.code)
        node = Node(OpCode("CAST"), [source], [target], types)
        node.opcode.version = lowest_version(node) or 1
        return node
    operator = get("DEQUANTIZE" if target.dtype is FLOAT32 else "QUANTIZE")
    options = None if operator.options is None else Record(operator.options)
    node = Node(OpCode(operator.name), [source], [target], options)
    node.opcode.version = lowest_version(node) or 1
    return node
