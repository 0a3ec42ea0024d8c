"""Which nodes of a graph a compiler hands to a device as one piece, and which stay before and behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyquant.graph import Node


def sources(nodes: Sequence[Node]) -> list[list[int]]:
    """For each node the places of those that make its inputs."""
    maker = {tensor: i for i, node in enumerate(nodes) for tensor in node.outputs}
    return [sorted({maker[t] for t in node.inputs if t in maker}) for node in nodes]


def mapped(before: Sequence[Sequence[int]], supported: np.ndarray) -> np.ndarray:
    """Which nodes are in the one piece: (nodes, hypotheses) bool, of the supported ones, likewise.

    before: `sources` of the nodes. A node that the device cannot run comes before the piece where nothing of the piece
    leads to it; otherwise it and all that follows from it comes behind.
    """
    made, follows, behind = (np.zeros_like(supported) for _ in range(3))
    for i, places in enumerate(before):
        follows[i] = (made[places] | follows[places]).any(axis=0)
        behind[i] = behind[places].any(axis=0) | (follows[i] & ~supported[i])
        made[i] = supported[i] & ~behind[i]
    return made
