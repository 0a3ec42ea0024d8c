"""The best partitions of numbers on a line into clusters."""

from __future__ import annotations

import numpy as np

from pyquant.native.params import Params
from pyquant.native.table import rows_of


def partitions(
    start: np.ndarray,
    before: np.ndarray,
    behind: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    isa: str | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The least sums of squares up to each place of borders between clusters, and what place each border follows there.

    first, last: (borders,), the places that each may have; neither falls. start: the sums up to those of the first one.
    before, behind: (3, n) float64, by place the sums of w > 0, w x and w x x over the points before those of a cluster
    that starts there, and over those before what is behind a cluster that ends there.
    -> of each border float64, and of each but the first int32, from its first place to its last.
    """
    row = next(row for row in rows_of("kmeans_f64") if row.available and isa in (None, row.isa))
    fields = {"from": before, "to": behind, "start": start, "n": before.shape[1], "rows": len(first)}
    ends = {"first": first.astype(np.int32), "last": last.astype(np.int32)}
    params = Params("pq_kmeans", fields | ends)
    memory = np.empty(params.packed_bytes(row.index), np.uint8)
    params.lay_out(row.index, memory, None)
    sizes = (last - first + 1)[1:]
    least, starts = memory[: 8 * sizes.sum()].view(np.float64), memory[8 * sizes.sum() :].view(np.int32)
    parts = [slice(end - size, end) for size, end in zip(sizes, np.cumsum(sizes), strict=True)]
    return [start, *(least[part] for part in parts)], [starts[part] for part in parts]
