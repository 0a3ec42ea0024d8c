"""Makes nodes of registered operators: options by field name, output shapes by the operator's shape rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyquant.dtypes import FLOAT32, DType, dtype
from pyquant.graph import Builder, Node, OpCode, Quantization, Tensor
from pyquant.ops.operator import Call
from pyquant.ops.registry import get
from pyquant.ops.versions import lowest_version
from pyquant.wire import Record


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
    operator = get(op)
    record = None if operator.options is None else Record(operator.options, **options)
    first = next(
        t for slot, t in zip(operator.slots(inputs), inputs, strict=True) if t is not None and slot.role != "data"
    )
    out = Tensor(name, (), dtype(dtype_ or first.dtype), quantization=quantization)
    call = Call(operator, Node(OpCode(op), list(inputs), [out], record))
    (shape,) = operator.shape(call, *(None if t is None else t.shape for t in inputs))
    made = builder.tensor(name, tuple(int(n) for n in shape), out.dtype, quantization)
    builder.node(op, list(inputs), [made], record, version=lowest_version(call.node) or 1)
    return made


def cast(source: Tensor, target: Tensor) -> Node:
    """A node that brings a value into the form of another tensor: DEQUANTIZE to float32, QUANTIZE to anything else."""
    operator = get("DEQUANTIZE" if target.dtype is FLOAT32 else "QUANTIZE")
    options = None if operator.options is None else Record(operator.options)
    node = Node(OpCode(operator.name), [source], [target], options)
    node.opcode.version = lowest_version(node) or 1
    return node
