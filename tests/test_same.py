"""Edits that must not change what a model computes: over every file of the data folder, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from running import CORRUPTED, feeds, ours, theirs

import pyquant as pq
from pyquant import graph
from pyquant.graph import Model
from pyquant.targets import TARGETS
from pyquant.validate import Oracle

EDITS: dict[str, Callable[[Model], Model]] = {
    "strip": pq.strip,
    "dedupe": pq.dedupe,
    "fold": pq.fold,
    "fuse": pq.fuse,
    "all": lambda model: pq.dedupe(pq.strip(pq.fuse(pq.fold(model)))),
} | {
    name: lambda model, name=name: pq.compat(model, name, strict=False)
    for name in (*(n for n in TARGETS if not n.startswith("tflite-2.")), "tflite-2.3")
}


def edited(model: Model) -> list[tuple[str, Model]]:
    """What the edits make of a model; one for edits that make the same file, none for those that leave it as it is."""
    made = {graph.dump(edit(model)): name for name, edit in EDITS.items()}
    made.pop(graph.dump(model), None)
    return [(name, graph.load(data)) for data, name in made.items()]


def test_outputs_stay_bit_for_bit(data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    """In ai-edge-litert and in our own kernels. Optimized kernels differ between operators: edits that put others in
    the place of some are compared in the reference's.
    """
    oracle = oracle_of("ai-edge-litert")
    compared = 0
    for path in sorted(data_folder.rglob("*.tflite")):
        model = graph.open(path)
        inputs = feeds(model)
        mine = ours(model, inputs)
        other = None if path.stem in CORRUPTED else oracle
        before = cache(lambda r, model=model, inputs=inputs, other=other: other and theirs(other, model, inputs, r))
        for name, made in edited(model):
            same_nodes = [len(s.nodes) for s in made.subgraphs] == [len(s.nodes) for s in model.subgraphs]
            resolver = "optimized" if same_nodes else "reference"
            if before(resolver) is not None:
                same = theirs(oracle, made, inputs, resolver) == before(resolver)
                assert same or theirs(oracle, model, inputs, resolver) != before(resolver), (path, name)  # or random
                compared += same
            if mine is not None:
                assert ours(made, inputs) == mine, (path, name)
    assert compared > 400
