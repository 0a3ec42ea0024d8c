"""The metadata of sparse-encoded constants, read and written: levels of a tree, in the TACO storage format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pyquant.wire import Record
from pyquant.wire.schema import ENUMS

if TYPE_CHECKING:
    from pyquant.graph.model import Tensor

_FORMATS = ENUMS["DimensionType"][1]
DENSE, SPARSE_CSR = _FORMATS["DENSE"], _FORMATS["SPARSE_CSR"]
_VECTORS = ((np.uint8, "Uint8Vector"), (np.uint16, "Uint16Vector"), (np.int32, "Int32Vector"))


@dataclass(frozen=True)
class Layout:
    """How a constant is stored sparse: only those blocks that are not all 0 (-0.0 is).

    along: the dimension whose blocks are listed, the last that is traversed. blocks: dimension -> elements of a block
    along it, which divide its size; without any a block is one element.
    """

    along: int
    blocks: Mapping[int, int] = field(default_factory=dict)

    def fits(self, shape: Sequence[int]) -> bool:
        return 0 <= self.along < len(shape) and all(shape[d] % n == 0 for d, n in self.blocks.items())


def encoded(dense: np.ndarray, layout: Layout) -> tuple[Record, np.ndarray]:
    """SparsityParameters for an array, and the values that its buffer then holds: those of one block at least."""
    rank, blocks, order = dense.ndim, dict(sorted(layout.blocks.items())), _outer(dense.ndim, layout)
    cells = _cells(dense, layout)
    used = (cells != 0).any(axis=2)
    if not used.any():
        used[0, 0] = True  # a buffer without a byte would mean no constant
    segments, indices = np.concatenate([[0], np.cumsum(used.sum(axis=1))]), np.nonzero(used)[1]
    levels = [_dense_level(dense.shape[d] // blocks.get(d, 1)) for d in order[:-1]]
    vectors = {"array_segments": _indices(segments), "array_indices": _indices(indices)}
    levels.append(Record("DimensionMetadata", format="SPARSE_CSR", **vectors))
    levels += [_dense_level(size) for size in blocks.values()]
    made = Record("SparsityParameters", traversal_order=[*order, *range(rank, rank + len(blocks))], dim_metadata=levels)
    return made.replace(block_map=list(blocks)) if blocks else made, cells[used].reshape(-1)


def _dense_level(size: int) -> Record:
    return Record("DimensionMetadata", dense_size=size)


def encoded_bytes(dense: np.ndarray, layout: Layout) -> int:
    """What the values and the two vectors of indices take, without the tables around them."""
    used = _cells(dense != 0, layout).any(axis=2)
    kept, (parents, size) = max(int(np.count_nonzero(used)), 1), used.shape
    block = math.prod(layout.blocks.values()) * dense.itemsize
    bytes_: int = kept * (block + _narrowest(size - 1)[0]().itemsize) + (parents + 1) * _narrowest(kept)[0]().itemsize
    return bytes_


def _cells(array: np.ndarray, layout: Layout) -> np.ndarray:
    """(parents, size along the listed dimension, elements of a block), in the order of traversal."""
    split: list[int] = []
    for d, size in enumerate(array.shape):
        n = layout.blocks.get(d, 1)
        split += [size // n, n]
    axes = [2 * d for d in _outer(array.ndim, layout)] + [2 * d + 1 for d in range(array.ndim)]
    listed = split[2 * layout.along]
    return array.reshape(split).transpose(axes).reshape(-1, listed, math.prod(layout.blocks.values()))


def _outer(rank: int, layout: Layout) -> list[int]:
    """The dimensions in the order of traversal."""
    return [*(d for d in range(rank) if d != layout.along), layout.along]


def _indices(array: np.ndarray) -> Record:
    """A vector of the narrowest type."""
    kind, table = _narrowest(int(array.max(initial=0)))
    return Record(table, values=array.astype(kind))


def _narrowest(most: int) -> tuple[type[np.generic], str]:
    return next((kind, table) for kind, table in _VECTORS if most <= np.iinfo(kind).max)


def stored_values(tensor: Tensor) -> int:
    """How many values the buffer of a sparse tensor holds. Raises ValueError, which says why, for unsound metadata."""
    sparsity = tensor.sparsity
    assert sparsity is not None
    order, blocks, levels = _list(sparsity.traversal_order), _list(sparsity.block_map), sparsity.dim_metadata or ()
    rank, count = len(tensor.shape), len(tensor.shape) + len(blocks)
    if len(order) != count or len(levels) != count:
        raise ValueError(
            f"found {len(order)} levels to traverse and metadata of {len(levels)}, expected {count} of both"
        )
    if sorted(order[:rank]) != list(range(rank)) or sorted(order[rank:]) != list(range(rank, count)):
        raise ValueError(
            f"traversal_order {order} does not name the {rank} dimensions, then the {len(blocks)} of a block"
        )
    sizes = _level_sizes(tensor.shape, blocks, dict(zip(order, levels, strict=True)))
    values = 1
    for i, (dimension, level) in enumerate(zip(order, levels, strict=True)):
        values = _nodes(level, sizes[dimension], values, f"dim_metadata[{i}]")
    return values


def positions(tensor: Tensor) -> np.ndarray:
    """Where in the dense tensor, flat, the stored values of a sound sparse tensor are. -> (values,) int64"""
    sparsity = tensor.sparsity
    assert sparsity is not None
    order, blocks, levels = _list(sparsity.traversal_order), _list(sparsity.block_map), sparsity.dim_metadata or ()
    by_dimension = dict(zip(order, levels, strict=True))
    sizes = _level_sizes(tensor.shape, blocks, by_dimension)
    places = [np.zeros(1, np.int64) for _ in order]  # of the nodes so far, along each dimension
    if not places:
        return np.zeros(1, np.int64)
    for dimension, level in zip(order, levels, strict=True):
        if level.format == DENSE:
            nodes = len(places[0])
            places = [np.repeat(p, sizes[dimension]) for p in places]
            places[dimension] = np.tile(np.arange(sizes[dimension]), nodes)
        else:
            segments, indices = level.array_segments.values, level.array_indices.values
            places = [np.repeat(p, np.diff(segments.astype(np.int64))) for p in places]
            places[dimension] = indices.astype(np.int64)
    flat = np.zeros(len(places[0]), np.int64)
    for d, n in enumerate(tensor.shape):
        inner = len(tensor.shape) + blocks.index(d) if d in blocks else None
        along = places[d] if inner is None else places[d] * sizes[inner] + places[inner]
        flat = flat * n + along
    return flat


def _list(numbers: np.ndarray | None) -> list[int]:
    return [] if numbers is None else numbers.tolist()


def _level_sizes(shape: Sequence[int], blocks: list[int], levels: dict[int, Record]) -> list[int]:
    """The size of each dimension counted in blocks, then those of a block."""
    sizes = list(shape)
    if len(set(blocks)) < len(blocks) or not all(0 <= d < len(shape) for d in blocks):
        raise ValueError(f"block_map {blocks} does not name different dimensions of shape {tuple(shape)}")
    for i, dimension in enumerate(blocks):
        size = levels[len(shape) + i].dense_size
        if size < 1 or sizes[dimension] % size:
            raise ValueError(f"blocks of {size} do not divide dimension {dimension} of shape {tuple(shape)}")
        sizes[dimension] //= size
        sizes.append(size)
    return sizes


def _nodes(level: Record, size: int, parents: int, where: str) -> int:
    """How many nodes a level has below its parents."""
    if level.format == DENSE:
        if level.dense_size != size:
            raise ValueError(f"{where}: found dense_size {level.dense_size}, expected {size}")
        return parents * size
    if level.format != SPARSE_CSR:
        raise ValueError(f"{where}: found format {level.format}, expected DENSE or SPARSE_CSR")
    segments, indices = (_vector(level, name, where) for name in ("array_segments", "array_indices"))
    if segments.size != parents + 1 or segments[0] != 0 or segments[-1] != indices.size:
        expected = f"{parents + 1} from 0 to {indices.size}"
        raise ValueError(f"{where}: found {segments.size} segments, expected {expected}, the number of indices")
    if (segments[1:] < segments[:-1]).any():
        raise ValueError(f"{where}: array_segments decrease")
    if indices.size and not (indices.min() >= 0 and indices.max() < size):
        raise ValueError(f"{where}: array_indices are not all in 0..{size - 1}")
    inside = np.ones(indices.size, bool)  # whether an index follows another of its segment
    inside[segments[:-1][segments[:-1] < indices.size]] = False
    if (inside[1:] & (indices[1:] <= indices[:-1])).any():
        raise ValueError(f"{where}: array_indices do not increase within a segment")
    return indices.size


def _vector(level: Record, name: str, where: str) -> np.ndarray:
    vector = getattr(level, name)
    values: np.ndarray | None = None if vector is None else vector.values
    if values is None:
        raise ValueError(f"{where}: {name} is missing")
    return values
