"""From what a caller gives to arrays for a subgraph's inputs, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyquant.dtypes import STRING
from pyquant.errors import DataError, GraphError, ShapeError
from pyquant.graph import Model, Subgraph, Tensor

Names = Mapping[str, Tensor]
Feeds = dict[Tensor, np.ndarray]


def subgraph_of(model: Model, subgraph: Subgraph | None) -> Subgraph:
    """The subgraph to run: the main one where none is named. Raises GraphError for one of another model."""
    if subgraph is None:
        return model.main
    if not any(subgraph is own for own in model.subgraphs):
        raise GraphError(f"subgraph {subgraph.name!r} is not of this model")
    return subgraph


def input_names(model: Model, subgraph: Subgraph) -> Names:
    """What each input may be called: its tensor's name, and its name in a signature of the subgraph."""
    names = {t.name: t for t in subgraph.inputs}
    for signature in model.signatures:
        if signature.subgraph is subgraph:
            names.update(signature.inputs)
    return names


def bind(
    inputs: Sequence[Tensor],
    names: Names,
    given: Sequence[Any],
    by_name: Mapping[str, Any],
    shown: Mapping[Tensor, Tensor],
) -> Feeds:
    """Pair arrays with the input tensors: in input order, by name, or as one mapping by name or tensor.

    shown: tensors that stand in for inputs, in other shapes.

    Raises DataError for a wrong count, name or element type, ShapeError for a wrong shape.
    """
    keyed: dict[Any, Any] = dict(by_name)
    own = set(inputs)
    if len(given) == 1 and isinstance(given[0], Mapping):
        keyed, given = {**given[0], **by_name}, ()
    if len(given) > len(inputs):
        raise DataError(f"{len(given)} inputs given, the model takes {len(inputs)}")
    feeds = dict(zip(inputs, given, strict=False))
    for key, value in keyed.items():
        tensor = names.get(key) if isinstance(key, str) else key
        if tensor is None or tensor not in own:
            raise DataError(f"no input is {key!r}; the inputs are {', '.join(map(repr, names)) or 'none'}")
        if tensor in feeds:
            raise DataError(f"input {tensor.name!r} is given twice")
        feeds[tensor] = value
    for tensor in inputs:
        if tensor not in feeds:
            raise DataError(f"input {tensor.name!r} is missing")
    return {tensor: _checked(shown.get(tensor, tensor), value) for tensor, value in feeds.items()}


def strings(value: Any, what: str) -> np.ndarray:
    """An object array of bytes, of bytes or str in any array or list. Raises DataError, naming `what`, for others."""
    array = np.array(value, object)
    for i, element in enumerate(array.flat):
        if not isinstance(element, bytes | str):
            raise DataError(f"{what}: found an element of type {type(element).__name__}, expected bytes or str")
        array.flat[i] = element.encode() if isinstance(element, str) else bytes(element)
    return array


def storable(array: np.ndarray) -> np.ndarray:
    """The array as `.npz` files take it without pickling: strings as bytes of one length, filled up with NULs.

    Raises DataError for a string that ends in a NUL itself.
    """
    if not array.dtype.hasobject:
        return array
    filled = array.astype(np.bytes_)
    if not np.array_equal(filled.astype(object), array):
        raise DataError("a string ends in a NUL byte, which a .npz file does not keep")
    return filled


def _checked(tensor: Tensor, value: Any) -> np.ndarray:
    array = strings(value, f"input {tensor.name!r}") if tensor.dtype is STRING else np.asarray(value)
    if array.dtype != tensor.dtype.numpy:
        raise DataError(f"input {tensor.name!r}: found element type {array.dtype.name}, expected {tensor.dtype.name}")
    if array.shape != tensor.shape:
        hint = _hint(array, tensor)
        raise ShapeError(f"input {tensor.name!r}: found shape {array.shape}, expected {tensor.shape}{hint}")
    return array


def _hint(array: np.ndarray, tensor: Tensor) -> str:
    if (1, *array.shape) == tensor.shape:
        return "; add a first axis of 1"
    if array.ndim == len(tensor.shape) and array.shape[1:] == tensor.shape[1:]:
        return f"; the model takes a batch of {tensor.shape[0]}"
    return ""
