"""The best partitions of numbers on a line into clusters."""

from __future__ import annotations

import numpy as np

from pyquant.native.params import Params
from pyquant.native.table import rows_of


def partitions(
    weight: np.ndarray,
    total: np.ndarray,
    square: np.ndarray,
    clusters: int,
    anchored: bool = False,
    isa: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The least sums of squares of n sorted points in 1..clusters clusters, and where the last of these start.

    weight, total, square: (n + 1,) float64 from 0, sums over the points before each of w > 0, w x and w x x. anchored:
    the first cluster is around 0, the others around their mean. 1 <= clusters <= n.
    -> (clusters,), and (clusters, n + 1) by the number of points, of the last row only for n.
    """
    row = next(row for row in rows_of("kmeans_f64") if row.available and isa in (None, row.isa))
    fields = {"weight": weight, "sum": total, "square": square, "n": len(weight) - 1}
    params = Params("pq_kmeans", fields | {"clusters": clusters, "anchored": int(anchored)})
    memory = np.empty(params.packed_bytes(row.index), np.uint8)
    params.lay_out(row.index, memory, None)
    least = memory[: 8 * clusters].view(np.float64)
    return least, memory[-4 * clusters * len(weight) :].view(np.int32).reshape(clusters, -1)
