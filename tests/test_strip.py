"""strip and dedupe: what goes, what stays. That outputs stay the same bits is for test_same.py."""

from __future__ import annotations

import numpy as np
import pytest

import pyquant as pq
from pyquant import graph
from pyquant.dtypes import FLOAT32
from pyquant.graph import Buffer, Builder, Model, Tensor
from pyquant.ops.build import add


def test_strip_drops_what_it_is_told() -> None:
    model = noted()
    bare = pq.strip(model, signatures=True)
    assert (bare.description, bare.metadata, bare.signatures, bare.main.name) == (None, [], [], "")
    assert [t.name for t in bare.main.tensors] == ["x", "", "", "", "y"]
    assert "trailing" not in bare.extra
    kept = pq.strip(model, names=False, metadata=False)
    assert [t.name for t in kept.main.tensors] == ["x", "w1", "w2", "x2", "y"]
    assert (kept.description, [name for name, _ in kept.metadata]) == ("what it is for", ["note"])
    assert len(model.main.tensors) == 6


@pytest.mark.parametrize(
    ("name", "tensors"), [("COMPRESSION_METADATA", 6), ("OfflineMemoryAllocation", 6), ("NPU_BYTE_CODE", 5)]
)
def test_metadata_that_runtimes_read_stays_and_so_do_tensors_that_it_counts(name: str, tensors: int) -> None:
    model = noted()
    model.metadata.append((name, Buffer(np.zeros(4, np.uint8))))
    stripped = pq.strip(model)
    assert [name for name, _ in stripped.metadata] == [name]
    assert len(stripped.main.tensors) == tensors


def test_dedupe_keeps_one_of_equal_buffers() -> None:
    model = noted()
    made = pq.dedupe(model)
    first, second = (t.buffer for t in made.main.tensors if t.name in ("w1", "w2"))
    assert first is second
    assert len(made.buffers) == len(model.copy().buffers) - 1
    assert len(made.opcodes) == 1
    again = pq.dedupe(made)
    assert graph.dump(again) == graph.dump(made)


def noted() -> Model:
    """Two equal weights, a tensor that nothing uses, and everything that strip may drop."""
    b = Builder()
    x = b.input("x", (1, 4))
    w1, w2 = (b.constant(name, np.eye(4, dtype=np.float32)) for name in ("w1", "w2"))
    y = add(b, "FULLY_CONNECTED", [add(b, "FULLY_CONNECTED", [x, w1, None], "x2"), w2, None], "y")
    model = b.model([y])
    model.main.tensors.append(Tensor("unused", (3,), FLOAT32))
    model.main.name, model.description = "main", "what it is for"
    model.metadata = [("note", Buffer(np.zeros(4, np.uint8)))]
    model.extra["trailing"] = np.ones(3, np.uint8)
    return model
