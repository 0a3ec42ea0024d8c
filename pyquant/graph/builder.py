"""Makes a model in a few lines, with every tensor stated. `ops.build.add` infers shapes and options on top of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyquant.dtypes import DType, dtype
from pyquant.graph.model import Model, Node, OpCode, Quantization, Subgraph, Tensor
from pyquant.wire import Record


class Builder:
    """Collects the tensors and nodes of one subgraph.

    >>> b = Builder()
    >>> x = b.input("x", (1, 4))
    >>> y = b.tensor("y", (1, 4))
    >>> b.node("RELU", [x], [y]).op
    'RELU'
    >>> len(b.model(outputs=[y]).main.nodes)
    1
    """

    def __init__(self, name: str = "main") -> None:
        self._subgraph = Subgraph(name)
        self._opcodes: dict[tuple[str, str | None, int], OpCode] = {}

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype_: DType | str = "float32",
        quantization: Quantization | None = None,
        is_variable: bool = False,
    ) -> Tensor:
        """A tensor that a node will write."""
        made = Tensor(name, tuple(shape), dtype(dtype_), quantization=quantization, is_variable=is_variable)
        self._subgraph.tensors.append(made)
        return made

    def input(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype_: DType | str = "float32",
        quantization: Quantization | None = None,
    ) -> Tensor:
        """The next input of the model."""
        made = self.tensor(name, shape, dtype_, quantization)
        self._subgraph.inputs.append(made)
        return made

    def constant(
        self, name: str, value: Any, dtype_: DType | str | None = None, quantization: Quantization | None = None
    ) -> Tensor:
        """A tensor that the file holds. dtype_ defaults to the array's own type."""
        array = np.asarray(value)
        made = self.tensor(name, array.shape, dtype(dtype_ or array.dtype), quantization)
        made.data = array
        return made

    def node(
        self,
        op: str,
        inputs: list[Tensor | None],
        outputs: list[Tensor],
        options: Record | None = None,
        version: int = 1,
        custom_options: np.ndarray | None = None,
        custom_code: str | None = None,
    ) -> Node:
        """Append an operator. op is a builtin's name, or CUSTOM with a custom_code."""
        made = Node(self._opcode(op, version, custom_code), inputs, outputs, options, custom_options)
        self._subgraph.nodes.append(made)
        return made

    def set_version(self, node: Node, version: int) -> None:
        """Give a node of this builder another operator version."""
        node.opcode = self._opcode(node.opcode.name, version, node.opcode.custom_code)

    def _opcode(self, op: str, version: int, custom_code: str | None) -> OpCode:
        return self._opcodes.setdefault((op, custom_code, version), OpCode(op, version, custom_code))

    def model(self, outputs: list[Tensor], description: str | None = None) -> Model:
        """The finished model. outputs: the tensors that a run returns."""
        self._subgraph.outputs = list(outputs)
        return Model([self._subgraph], description)
