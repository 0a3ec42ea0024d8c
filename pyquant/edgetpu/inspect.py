"""What the Edge TPU compiler made of a model: all that a compiled file says, and whether it is of a given source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from pyquant.edgetpu.compare import Comparison, LayerMatch, compare
from pyquant.edgetpu.package import Container, containers, is_compiled
from pyquant.graph import Model, Node, Tensor
from pyquant.graph import open as open_file


@dataclass(frozen=True, eq=False)
class Inspection:
    """containers: what each custom operator holds. cpu: operators that stayed on the CPU, in the order of the file."""

    model: Model
    containers: tuple[Container, ...]
    cpu: tuple[Node, ...]
    comparison: Comparison | None

    @property
    def same(self) -> bool | None:
        """Whether it was compiled from the source, as far as can be told; None without a source."""
        return None if self.comparison is None else self.comparison.same

    def to_dict(self) -> dict[str, Any]:
        """Plain data: arrays as their number of bytes, nodes and tensors by what names them."""
        return {
            "containers": _plain(self.containers),
            "cpu": _plain(self.cpu),
            **({} if self.comparison is None else {"same": self.same, "comparison": _plain(self.comparison)}),
        }

    def __str__(self) -> str:
        from pyquant.edgetpu.text import text

        return text(self)


def inspect(model: Model | str | os.PathLike[str], source: Model | str | os.PathLike[str] | None = None) -> Inspection:
    """Read a compiled file. source: the model that it may have been compiled from, to compare it with.

    Raises GraphError for a model that is not compiled, FormatError where what the compiler wrote is not sound.
    """
    opened = opened_model(model)
    found = containers(opened)
    cpu = tuple(node for subgraph in opened.subgraphs for node in subgraph.nodes if not is_compiled(node))
    compared = None if source is None else compare(opened, found, opened_model(source))
    return Inspection(opened, found, cpu, compared)


def opened_model(model: Model | str | os.PathLike[str]) -> Model:
    return model if isinstance(model, Model) else open_file(model)


def bits(tensor: Tensor) -> str:
    """Those of a tensor's scale, a float32."""
    return f"{int(tensor.scale.view(np.uint32)):08x}"


def _plain(value: Any) -> Any:
    if isinstance(value, Node):
        return {"operator": value.op, "name": value.outputs[0].name if value.outputs else ""}
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, LayerMatch):
        return _layer(value)
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _tensor(tensor: Tensor) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "type": tensor.dtype.name}
    if tensor.is_quantized:
        plain |= {"scale": float(tensor.scale), "scale_bits": bits(tensor), "zero_point": tensor.zero_point}
    return plain


def _layer(layer: LayerMatch) -> dict[str, Any]:
    stored = layer.stored
    return {
        **_plain(stored.node),
        "bytes": stored.expected.bytes,
        "cached": stored.cached,
        "offset": stored.offset,
        "order": stored.order,
        "weights": layer.weights,
        "bias": layer.bias,
        "multipliers": layer.multipliers,
    }
