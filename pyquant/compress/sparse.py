"""Sparse encoding: constants of many zeros stored as the values that are none, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import numpy as np

from pyquant.compress.weights import Weight, weights
from pyquant.graph import Buffer, Model, Node, OpCode, Subgraph, Tensor, dump
from pyquant.graph.edit import ADVICE, drop_metadata, remove_unused
from pyquant.graph.sparsity import Layout, encoded, encoded_bytes
from pyquant.ops import Slot, find, get, lowest_version
from pyquant.rewrite.links import declare, replaced, substitute
from pyquant.wire import Record

DENSIFY = get("DENSIFY")
BLOCKS = (2, 4, 8, 16)  # elements of a block along each of its dimensions


def encode_sparse(
    model: Model, regex: str = ".*", operation: str = "*", least: int = 0, delegates: bool = True
) -> Model:
    """A copy whose weights are stored sparse where that makes the file smaller; every value is what it was.

    The weights are those that `weights` names, behind casts too; each gets the layout of the fewest bytes, and what
    reads it a DENSIFY in front, unless a kernel of its own takes a layout that is as small.
    delegates=False: for runtimes that are told to apply no delegate. XNNPACK, which LiteRT 2.3 applies unless it is,
    fails at what a DENSIFY makes of int8 weights for some operators; these else stay dense. No microcontroller
    runtime has DENSIFY.
    Raises OptionError where no weight is meant.
    """
    made = model.copy()
    sharers = Counter(t.buffer for s in made.subgraphs for t in s.tensors if t.buffer is not None)
    for weight in weights(made, regex, operation, least, casts=True):
        buffer = weight.tensor.buffer
        if weight.tensor.sparsity is None and buffer is not None and sharers[buffer] == 1:
            _encode(made, weight, delegates)
    remove_unused(made)
    drop_metadata(made, ADVICE)
    return made if len(dump(made)) < len(dump(model)) else model.copy()


def decode_sparse(model: Model) -> Model:
    """A copy in which every constant is stored dense, and no operator has a DENSIFY in front."""
    made = model.copy()
    for subgraph in made.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.sparsity is not None:
                tensor.data = tensor.data
        nodes = [node for node in subgraph.nodes if _densifies(node)]
        dense = {node.outputs[0]: node.inputs[0] for node in nodes if node.inputs[0] is not None}
        for opened, tensor in dense.items():
            tensor.quantization = opened.quantization
        if dense:
            replaced(made, subgraph, nodes, dense)
            drop_metadata(made, ADVICE)
    remove_unused(made)
    return made


def sparse_bytes(tensor: Tensor) -> int | None:
    """What a constant takes sparse, values and indices, in the layout of the fewest bytes; None where none is known."""
    dense = _encodable(tensor)
    return None if dense is None else encoded_bytes(dense, _smallest(dense, _layouts(dense)))


def file_bytes(subgraph: Subgraph) -> int:
    """The bytes of a file of nothing else but the scales that tensors of it name."""
    scales = [t for tensor in subgraph.tensors if tensor.quantization for t in tensor.quantization.tensors.values()]
    return len(dump(Model([replace(subgraph, tensors=list(dict.fromkeys([*subgraph.tensors, *scales])))])))


def _densifies(node: Node) -> bool:
    operator = find(node.op)
    return operator is not None and operator.densifies


def _encode(model: Model, weight: Weight, delegates: bool) -> None:
    """Store a weight sparse, in place, where that takes fewer bytes of a file."""
    tensor, dense = weight.tensor, _encodable(weight.tensor)
    if dense is None:
        return
    forms: list[tuple[Tensor, Node | None]] = []
    if taken := _taken(weight, dense):
        forms.append((_stored(tensor, dense, taken), None))
    if not (delegates and any(_held(node, i) for node, i in weight.uses)):
        stored = _stored(tensor, dense, _layouts(dense))
        forms.append((stored, _densify(tensor, stored)))
    sizes = [_measured(*form) for form in forms]
    if not sizes or min(sizes) >= _measured(tensor):
        return
    stored, opened = forms[sizes.index(min(sizes))]
    tensor.buffer, tensor.sparsity, tensor.quantization = stored.buffer, stored.sparsity, stored.quantization
    if opened is not None:
        _insert(model, tensor, opened)
    for node, _ in weight.uses:
        declare(model, node)


def _insert(model: Model, tensor: Tensor, opened: Node) -> None:
    """Let what reads a tensor read what a DENSIFY makes of it."""
    subgraph = next(s for s in model.subgraphs if tensor in s.tensors)
    first = next(i for i, node in enumerate(subgraph.nodes) if tensor in node.inputs)
    substitute(subgraph, {tensor: opened.outputs[0]})
    opened.inputs[0] = tensor
    subgraph.tensors += opened.outputs
    subgraph.nodes.insert(first, opened)
    declare(model, opened)


def _encodable(tensor: Tensor) -> np.ndarray | None:
    """The array, of a type that sparse encoding is for; None for others."""
    sparse = DENSIFY.inputs[0].sparse
    known = sparse is not None and tensor.dtype.name in sparse.blocks and tensor.shape and tensor.size
    return tensor.data if known else None


def _layouts(dense: np.ndarray) -> Iterator[Layout]:
    """Every dimension listed, in blocks of one element, of some along it, or of as many along another one, too."""
    dimensions = [d for d, size in enumerate(dense.shape) if size > 1] or [0]
    for along in dimensions:
        yield Layout(along)
        for n in BLOCKS:
            for layout in (Layout(along, {along: n, d: n}) for d in dimensions):
                if layout.fits(dense.shape):
                    yield layout


def _taken(weight: Weight, dense: np.ndarray) -> list[Layout]:
    """The layouts that the kernels of everything that reads a weight take."""
    last = dense.ndim - 1
    sizes = set.intersection(*(set(_blocks(node, i, weight.tensor)) for node, i in weight.uses))
    layouts = (Layout(last, {last: n} if n > 1 else {}) for n in sorted(sizes))
    return [layout for layout in layouts if layout.fits(dense.shape)]


def _blocks(node: Node, place: int, tensor: Tensor) -> Collection[int]:
    operator, sparse, q = get(node.op), _slot(node, place).sparse, tensor.quantization
    if sparse is None or node.inputs[place] is not tensor or (q is not None and q.per_axis):
        return ()  # behind a cast; or more scales than kernels of int8 read in tflite-runtime 2.14
    if max(node.opcode.version, lowest_version(node) or 1) > sparse.version:
        return ()
    return sparse.blocks.get(operator.kind(node), ())


def _held(node: Node, place: int) -> bool:
    return get(node.op).kind(node) in _slot(node, place).held


def _slot(node: Node, place: int) -> Slot:
    return get(node.op).of(node).slots(node.inputs)[place]


def _stored(tensor: Tensor, dense: np.ndarray, layouts: Iterable[Layout]) -> Tensor:
    """The tensor in the layout of the fewest bytes."""
    sparsity, values = encoded(dense, _smallest(dense, layouts))
    buffer = Buffer(np.ascontiguousarray(values).view(np.uint8))
    signature = tensor.shape_signature
    return Tensor(tensor.name, tensor.shape, tensor.dtype, buffer, tensor.quantization, False, signature, sparsity)


def _smallest(dense: np.ndarray, layouts: Iterable[Layout]) -> Layout:
    return min(layouts, key=lambda layout: encoded_bytes(dense, layout))


def _densify(tensor: Tensor, stored: Tensor) -> Node:
    """What makes a tensor of its stored form, which leaves to it scales that may be thousands."""
    stored.quantization = None
    opened = Tensor(f"{tensor.name}_densify", tensor.shape, tensor.dtype, None, tensor.quantization)
    assert DENSIFY.options is not None
    return Node(OpCode(DENSIFY.name), [stored], [opened], Record(DENSIFY.options))


def _measured(tensor: Tensor, opened: Node | None = None) -> int:
    """The bytes of a file of nothing else."""
    return file_bytes(
        Subgraph(tensors=[tensor]) if opened is None else Subgraph(tensors=[tensor, *opened.outputs], nodes=[opened])
    )
