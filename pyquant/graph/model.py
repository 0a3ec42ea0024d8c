"""The model that people hold: objects refer to objects; indices exist only in the file.

What the file holds beyond these fields is kept, untouched, in `extra` (wire field name -> value).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pyquant.dtypes import DType
from pyquant.errors import GraphError
from pyquant.graph.storage import load, store
from pyquant.wire import Record

if TYPE_CHECKING:
    from pyquant.graph.lookup import Lookup
    from pyquant.graph.warnings import FileWarning


@dataclass(eq=False, slots=True)
class Buffer:
    """Raw bytes that tensors and metadata refer to. data: (n,) uint8, often a view on the mapped file, or None."""

    data: np.ndarray | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class Quantization:
    """real = scale * (stored - zero_point).

    scale: (n,) float32, zero_point: (n,) int64; n is 1, or the size of dimension `axis`.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int = 0
    details: Record | None = None  # another scheme, in place of the fields above
    tensors: dict[str, Tensor] = field(default_factory=dict)  # field of details -> the tensor it names
    extra: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(scale: Any, zero_point: Any = 0, axis: int = 0) -> Quantization:
        """From plain numbers or sequences; a single zero point serves all scales."""
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        zeros = np.full(scales.shape, zero_point, np.int64)
        return Quantization(scales, zeros, axis)

    @property
    def per_axis(self) -> bool:
        return self.scale.size > 1

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of that shape can have so many scales along that axis."""
        count, axis = self.scale.size, self.axis
        # TFLM's person_detect counts the one dimension of a bias as that of its filter
        return count <= 1 or (0 <= axis < len(shape) and shape[axis] == count) or shape == (count,)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantization):
            return NotImplemented
        return (
            np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
            and (self.axis == other.axis or not self.per_axis)
            and self.details == other.details
            and self.tensors == other.tensors
        )

    def __hash__(self) -> int:
        return hash((self.scale.tobytes(), self.zero_point.tobytes()))


@dataclass(eq=False, slots=True)
class Tensor:
    """One value of a subgraph. Where `shape_signature` says -1 (unknown), `shape` has the size to start from."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    buffer: Buffer | None = None
    quantization: Quantization | None = None
    is_variable: bool = False
    shape_signature: tuple[int, ...] | None = None
    sparsity: Record | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    lookup: Lookup | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_constant(self) -> bool:
        return self.buffer is not None and self.buffer.data is not None and self.buffer.data.size > 0

    @property
    def is_quantized(self) -> bool:
        return self.quantization is not None and self.quantization.scale.size > 0

    @property
    def scale(self) -> np.float32:
        """The scale of a per-tensor quantized tensor. Raises GraphError where there is none, or more than one."""
        q = self.quantization
        if q is None or q.scale.size != 1 or not q.zero_point.size:
            raise self._not_one()
        scale = q.scale[0]
        return scale if type(scale) is np.float32 else np.float32(scale)

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantized tensor. Raises GraphError where there is none, or more than one."""
        q = self.quantization
        if q is None or q.scale.size != 1 or not q.zero_point.size:
            raise self._not_one()
        return int(q.zero_point.item(0))

    def _not_one(self) -> GraphError:
        found = 0 if self.quantization is None else self.quantization.scale.size
        return GraphError(f"tensor {self.name!r}: expected one scale and zero point, found {found}")

    @property
    def data(self) -> np.ndarray | None:
        """The constant in this tensor's shape and type, int4 and int2 as int8; None for what is not constant."""
        return load(self)

    @data.setter
    def data(self, value: np.ndarray | None) -> None:
        """Give the tensor a buffer of its own with this value, of its shape and type (packed where the type is)."""
        self.buffer, self.sparsity, self.lookup = store(self, value), None, None
        self.extra.pop("external_buffer", None)


@dataclass(eq=False, slots=True)
class OpCode:
    """An entry of the file's operator table. name is the builtin's name, or CUSTOM."""

    name: str
    version: int = 1
    custom_code: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Node:
    """One operator application. An absent optional input is None."""

    opcode: OpCode
    inputs: list[Tensor | None]
    outputs: list[Tensor]
    options: Record | None = None  # builtin options, either union
    custom_options: np.ndarray | None = None  # (n,) uint8
    intermediates: list[Tensor] = field(default_factory=list)
    subgraphs: dict[str, Subgraph] = field(default_factory=dict)  # options field name -> the subgraph it names
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def op(self) -> str:
        """CONV_2D, ...; for a custom operator its custom code."""
        return self.opcode.custom_code or "CUSTOM" if self.opcode.name == "CUSTOM" else self.opcode.name

    @property
    def label(self) -> str:
        """How messages name this node: the operator and its first output's name."""
        return f"{self.op} {self.outputs[0].name!r}" if self.outputs else self.op


@dataclass(eq=False, slots=True)
class Subgraph:
    """A list of nodes in execution order, and the tensors they use."""

    name: str = ""
    tensors: list[Tensor] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Signature:
    """A named entry point: argument and result names for a subgraph's inputs and outputs, in file order."""

    key: str
    subgraph: Subgraph
    inputs: list[tuple[str, Tensor]]
    outputs: list[tuple[str, Tensor]]
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Model:
    """A whole `.tflite` file. `print(model)` shows it; `model.save(path)` writes it."""

    subgraphs: list[Subgraph] = field(default_factory=list)
    description: str | None = None
    signatures: list[Signature] = field(default_factory=list)
    metadata: list[tuple[str, Buffer]] = field(default_factory=list)
    opcodes: list[OpCode] = field(
        default_factory=list
    )  # in file order; nodes may use others, which are added on saving
    buffers: list[Buffer] = field(default_factory=list)  # likewise
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def main(self) -> Subgraph:
        """The first subgraph, which runs when nothing else is named. Raises GraphError for a model without one."""
        if not self.subgraphs:
            raise GraphError("the model has no subgraph")
        return self.subgraphs[0]

    def __str__(self) -> str:
        from pyquant.graph.summary import summary

        return summary(self)

    @property
    def warnings(self) -> tuple[FileWarning, ...]:
        """What of the opened file is of a newer schema and would be lost on saving, and what data is not there."""
        from pyquant.graph.warnings import warnings_of

        return warnings_of(self)

    def save(self, path: Any, overwrite: bool = False, layout: str | None = None, drop_newer: bool = False) -> int:
        """Write to `path`, whole or not at all. Returns the bytes written. Raises FileExists unless overwrite.

        layout: "inline", "offset" or "external": see `pyquant.graph.save`. drop_newer: lose what `warnings` names as
        of a newer schema.
        """
        from pyquant.graph.file import save

        return save(self, path, overwrite, layout, drop_newer)

    def copy(self) -> Model:
        """A copy with objects of its own that shares every array."""
        from pyquant.graph.edit import copy

        return copy(self)
