"""The offsets of blocks of memory that live at different times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyquant.native._pq import ffi, lib


def place_in_order(
    blocks: Sequence[tuple[int, int, int]], order: Sequence[int], alignment: int, most: int, fixed: Mapping[int, int]
) -> tuple[list[int], int]:
    """Each block in turn at the lowest gap that holds it; after `most` comparisons, on top of all.

    blocks: size in bytes, first and last step. order: all their indices. fixed: offsets of those that do not choose.
    -> the offsets, and the bytes of the whole
    """
    offsets = ffi.new("int64_t[]", [fixed.get(i, -1) for i in range(len(blocks))])
    c_blocks, c_order = ffi.new("pq_block[]", blocks), ffi.new("int32_t[]", order)
    total = lib.pq_place_blocks(c_blocks, c_order, len(blocks), alignment, most, offsets)
    if total < 0:
        raise MemoryError("no memory to place blocks")
    return ffi.unpack(offsets, len(blocks)), total
