"""What a model takes: as it is, packed by general compressors, and stored sparse or by lookup tables."""

from __future__ import annotations

from pyquant.graph import Model, Subgraph, dump


def file_bytes(subgraph: Subgraph) -> int:
    """The bytes of a file of nothing else."""
    return len(dump(Model([subgraph])))
