"""What makes a model sound: its objects fit together, and its constants are what shapes and types say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from pyquant.errors import GraphError
from pyquant.graph.model import Model, Quantization, Signature, Subgraph, Tensor
from pyquant.graph.sparsity import stored_values
from pyquant.graph.storage import string_fault
from pyquant.wire import Record

MOST_DIMENSIONS = 32  # of an array of NumPy 1.26


def check(model: Model) -> Model:
    """The model itself, once it is sound. Raises GraphError with the path of what is not, what was found and expected.

    Weights are not looked at. Whether operators can run on what they are given is for compile to say.
    """
    subgraphs = set(model.subgraphs)
    for i, subgraph in enumerate(model.subgraphs):
        path = f"subgraphs[{i}]"
        own: set[Tensor | None] = {None, *subgraph.tensors}  # None is an absent input
        constants = _check_tensors(subgraph, own, path)
        _check_nodes(subgraph, own, constants, path)
    _check_calls(model.subgraphs)
    _check_different([s.key for s in model.signatures], "signature_defs: keys")
    for i, signature in enumerate(model.signatures):
        if signature.subgraph not in subgraphs:
            raise GraphError(f"signature_defs[{i}] {signature.key!r}: its subgraph is not one of the model's")
        _check_signature(signature, f"signature_defs[{i}] {signature.key!r}")
    return model


def _check_tensors(subgraph: Subgraph, own: set[Tensor | None], path: str) -> list[Tensor]:
    """Every tensor is sound by itself. Returns the constants."""
    if len(own) <= len(subgraph.tensors):
        raise GraphError(f"{path}.tensors: one of them stands there twice")
    if len(set(subgraph.inputs)) < len(subgraph.inputs):
        raise GraphError(f"{path}.inputs: one of them stands there twice")
    _check_own(subgraph.inputs, own, f"{path}.inputs")
    _check_own(subgraph.outputs, own, f"{path}.outputs")
    constants = []
    for i, tensor in enumerate(subgraph.tensors):
        buffer, quantization = tensor.buffer, tensor.quantization
        data = None if buffer is None else buffer.data
        if data is not None and data.size:
            constants.append(tensor)
        else:
            data = None
        fault = _tensor_fault(tensor, data)
        if fault:
            raise GraphError(f"{path}.tensors[{i}] {tensor.name!r}: {fault}")
        if quantization is not None and quantization.tensors:
            _check_own(quantization.tensors.values(), own, f"{path}.tensors[{i}].quantization.details")
    return constants


def _check_own(tensors: Iterable[Tensor | None], own: set[Tensor | None], where: str) -> None:
    for tensor in tensors:
        if tensor is not None and tensor not in own:
            raise GraphError(f"{where}: tensor {tensor.name!r} is not among its subgraph's tensors")


def _tensor_fault(tensor: Tensor, data: np.ndarray | None) -> str | None:
    """What is wrong with a tensor by itself. data: the bytes of a constant."""
    shape, signature, quantization = tensor.shape, tensor.shape_signature, tensor.quantization
    if len(shape) > MOST_DIMENSIONS:
        return f"found {len(shape)} dimensions, expected at most {MOST_DIMENSIONS}"
    lowest = -1 if data is None else 0  # -1: the size is not known
    if shape and min(shape) < lowest:
        return f"found shape {shape}, expected no dimension below {lowest}"
    if signature and signature != shape and not _fits(signature, shape):
        return f"found shape_signature {signature}, expected {shape} with -1 for what is not known"
    if quantization is not None and (fault := _quantization_fault(quantization, shape)):
        return fault
    return None if data is None else _constant_fault(tensor, data)


def _fits(signature: Sequence[int], shape: Sequence[int]) -> bool:
    return len(signature) == len(shape) and all(s in (n, -1) for s, n in zip(signature, shape, strict=True))


def _quantization_fault(quantization: Quantization, shape: tuple[int, ...]) -> str | None:
    scales, zero_points = quantization.scale.size, quantization.zero_point.size
    if scales == 1 == zero_points and quantization.details is None:  # of most
        return None
    if scales > 1 and not quantization.fits(shape):
        return f"found {scales} scales, expected 1 or as many as dimension {quantization.axis} of shape {shape} has"
    if zero_points != scales and scales and zero_points != 1:
        return f"found {zero_points} zero points, expected as many as scales, {scales}"
    return None if quantization.details is None else _details_fault(quantization.details, shape)


def _details_fault(details: Record, shape: tuple[int, ...]) -> str | None:
    """Of the schemes in place of scale and zero_point. An empty shape is not known."""
    if details.table == "CustomQuantization":
        return None
    if details.block_size < 0:
        return f"found blocks of {details.block_size}, expected none below 0"
    axes = details.quantized_dimensions if details.table == "MultiAxisQuantization" else None
    if axes is not None and shape and axes.size and not (axes.min() >= 0 and axes.max() < len(shape)):
        return f"found quantized_dimensions {axes.tolist()} of shape {shape}"
    return None


def _constant_fault(tensor: Tensor, data: np.ndarray) -> str | None:
    found, values, dtype, lookup = data.size, tensor.size, tensor.dtype, tensor.lookup
    if tensor.is_variable:
        return f"found a variable with a buffer of {found} bytes, expected none"
    if tensor.sparsity is not None:
        try:
            values = stored_values(tensor)
        except ValueError as error:
            return f"sparsity: {error}"
    if dtype.name == "string":
        return string_fault(data, values)
    needed = (values * (dtype.bits if lookup is None else lookup.bits) + 7) // 8
    if found != needed and dtype.bits:
        what = "" if tensor.sparsity is None else f"{values} sparse values of "
        what += "" if lookup is None else f"indices of {lookup.bits} bits into "
        return f"found a buffer of {found} bytes, expected {needed} for {what}{dtype} {tensor.shape}"
    return None


def _check_nodes(subgraph: Subgraph, own: set[Tensor | None], constants: list[Tensor], path: str) -> None:
    """Whatever a node reads has a value by then, and no value has two makers."""
    made: set[Tensor | None] = {None, *subgraph.inputs, *constants}
    for i, node in enumerate(subgraph.nodes):
        inputs, outputs = node.inputs, node.outputs
        if not own.issuperset(used := (*inputs, *outputs, *node.intermediates)):
            _check_own(used, own, f"{path}.operators[{i}] {node.label}")
        if not made.issuperset(inputs):
            name = next((t.name for t in inputs if t is not None and t not in made and not _starts(t)), None)
            if name is not None:
                fault = f"reads {name!r}, which no operator before it writes"
                raise GraphError(f"{path}.operators[{i}] {node.label}: {fault}")
        for tensor in outputs:
            if tensor in made:
                fault = f"writes {tensor.name!r}, which is an input, a constant, or written already"
                raise GraphError(f"{path}.operators[{i}] {node.label}: {fault}")
            if not tensor.is_variable:
                made.add(tensor)


def _starts(tensor: Tensor) -> bool:
    """Whether a tensor that nobody makes has a value."""
    # an empty tensor needs no bytes; a variable starts at zero; the data of some lies in another file
    return tensor.is_variable or 0 in tensor.shape or "external_buffer" in tensor.extra


def _check_calls(subgraphs: Sequence[Subgraph]) -> None:
    """No subgraph calls itself, not by way of others either, and none is another model's."""
    callees: dict[Subgraph, list[Subgraph]] = {s: [] for s in subgraphs}
    callers = dict.fromkeys(subgraphs, 0)
    for i, subgraph in enumerate(subgraphs):
        for node in subgraph.nodes:
            for field, callee in node.subgraphs.items():
                if callee not in callers:
                    where = f"subgraphs[{i}] {node.label}: {field}"
                    raise GraphError(f"{where} is {callee.name!r}, which is not a subgraph of the model")
                callees[subgraph].append(callee)
                callers[callee] += 1
    ready = [s for s in subgraphs if not callers[s]]
    for subgraph in ready:  # grows by those whose callers have all been seen
        for callee in callees[subgraph]:
            callers[callee] -= 1
            if not callers[callee]:
                ready.append(callee)
    if len(ready) < len(subgraphs):
        i = next(i for i, s in enumerate(subgraphs) if callers[s])
        raise GraphError(f"subgraphs[{i}] {subgraphs[i].name!r}: calls itself, or is called by one that does")


def _check_signature(signature: Signature, path: str) -> None:
    graph = signature.subgraph
    for side, pairs, ends in (
        ("inputs", signature.inputs, set(graph.inputs)),
        ("outputs", signature.outputs, set(graph.outputs)),
    ):
        _check_different([name for name, _ in pairs], f"{path}.{side}: names")
        known = set(ends)
        for name, tensor in pairs:
            if tensor not in known:
                raise GraphError(
                    f"{path}.{side}: {name!r} is {tensor.name!r}, which is not one of its subgraph's {side}"
                )


def _check_different(names: Sequence[str], what: str) -> None:
    if len(set(names)) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise GraphError(f"{what} must differ, found {twice!r} twice")
