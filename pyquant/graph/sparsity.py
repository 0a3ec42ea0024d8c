"""The metadata of sparse-encoded constants: levels of a tree, in the TACO storage format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyquant.wire import Record
from pyquant.wire.schema import ENUMS

if TYPE_CHECKING:
    from pyquant.graph.model import Tensor

_FORMATS = ENUMS["DimensionType"][1]
DENSE, SPARSE_CSR = _FORMATS["DENSE"], _FORMATS["SPARSE_CSR"]


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
