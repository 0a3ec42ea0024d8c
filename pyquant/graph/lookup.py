"""Constants as tflite-micro compresses them: indices of 1 to 7 bits, packed, into tables of the values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MOST_BITS = 7


@dataclass(frozen=True, eq=False, slots=True)
class Lookup:
    """How a tensor's buffer is to be read: as indices of so many bits. values: (n,) uint8, the tables one by one.

    A tensor with several scales has a table for each.
    """

    bits: int
    values: np.ndarray

    def dense(self, packed: np.ndarray, shape: tuple[int, ...], kind: np.dtype, axis: int | None) -> np.ndarray:
        """The constant. Raises ValueError as `decompress`."""
        count = 1 if axis is None else shape[axis]
        if not self.values.size or self.values.size % (count * kind.itemsize):
            raise ValueError(f"found {self.values.size} bytes of values, expected {count} tables of {kind}")
        tables = np.frombuffer(self.values.tobytes(), kind).reshape(count, -1)
        return decompress(packed, self.bits, tables, shape, axis)


def distinct(dense: np.ndarray, axis: int | None) -> int:
    """How many values an array has, in the slice along `axis` that has most of them; in all if it is None."""
    return max(np.unique(part).size for part in _slices(dense, axis))


def bits_for(count: int) -> int:
    """Bits of an index below count, at least one."""
    return max((count - 1).bit_length(), 1)


def compress(
    dense: np.ndarray, axis: int | None, bits: int, length: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """-> packed indices (n,) uint8, first bit highest, and (tables, length) values, each table sorted, zeros behind.

    One table for each slice along `axis`. length: of every table; the longest's where it is not given.
    """
    found = [np.unique(part, return_inverse=True) for part in _slices(dense, axis)]
    tables = np.zeros((len(found), length or max(values.size for values, _ in found)), dense.dtype)
    for table, (values, _) in zip(tables, found, strict=True):
        table[: values.size] = values
    shape = dense.shape if axis is None else np.moveaxis(dense, axis, 0).shape
    indices = np.stack([inverse.reshape(-1) for _, inverse in found]).reshape(shape)
    if axis is not None:
        indices = np.moveaxis(indices, 0, axis)
    fields = np.unpackbits(indices.reshape(-1, 1).astype(np.uint8), axis=1)[:, 8 - bits :]
    return np.packbits(fields), tables


def decompress(
    packed: np.ndarray, bits: int, tables: np.ndarray, shape: tuple[int, ...], axis: int | None
) -> np.ndarray:
    """The inverse. Raises ValueError, which says why, for what does not fit together."""
    count = math.prod(shape)
    if not 1 <= bits <= MOST_BITS:
        raise ValueError(f"found indices of {bits} bits, expected 1 to {MOST_BITS}")
    if packed.size != (needed := (count * bits + 7) // 8):
        raise ValueError(f"found {packed.size} bytes of indices, expected {needed} for {shape} of {bits} bits")
    if len(tables) != (expected := 1 if axis is None else shape[axis]):
        raise ValueError(f"found {len(tables)} tables of values, expected {expected}")
    fields = np.unpackbits(packed)[: count * bits].reshape(count, bits)
    indices = np.packbits(np.pad(fields, ((0, 0), (8 - bits, 0))), axis=1).reshape(shape)
    if indices.max(initial=0) >= tables.shape[1]:
        raise ValueError(f"found index {indices.max()}, expected one below {tables.shape[1]}, the size of a table")
    if axis is None:
        return np.asarray(tables[0][indices])
    channel = np.arange(shape[axis]).reshape([-1 if d == axis else 1 for d in range(len(shape))])
    return np.asarray(tables[channel, indices])


def _slices(dense: np.ndarray, axis: int | None) -> np.ndarray:
    return dense[None] if axis is None else np.moveaxis(dense, axis, 0)
