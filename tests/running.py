"""A model's outputs as bytes, in another runtime or by our own kernels: how tests see that an edit changed nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import pyquant as pq
from pyquant.dtypes import STRING
from pyquant.errors import GraphError, OracleError, RangeError, ShapeError, UnsupportedOp
from pyquant.graph import Model
from pyquant.validate import Oracle

CORRUPTED = ("keyword_scrambled_8bit",)  # ai-edge-litert writes past its memory there: it dies, or prints anything


def feeds(model: Model) -> list[np.ndarray]:
    """Random inputs; small where an integer may be an index. Nothing for a model without subgraph."""
    rng = np.random.default_rng(0)
    arrays = []
    for tensor in model.subgraphs[0].inputs if model.subgraphs else ():
        if tensor.dtype is STRING:
            arrays.append(np.array([b"%d" % i for i in range(tensor.size)], object).reshape(tensor.shape))
            continue
        kind = tensor.dtype.numpy or np.dtype(np.uint8)
        large = tensor.dtype.is_float or kind.itemsize < 4
        arrays.append((rng.random(tensor.shape) * (100 if large else 2)).astype(kind))
    return arrays


def theirs(
    oracle: Oracle, model: Model | Path, inputs: list[np.ndarray], resolver: str = "optimized"
) -> list[bytes] | None:
    """The bytes of the outputs in another runtime; None where it refuses the model."""
    try:
        oracle.load(model, resolver=resolver)
        return [content(array) for array in oracle.run(inputs).values()]
    except OracleError:
        return None


def ours(model: Model, inputs: list[np.ndarray]) -> list[bytes] | None:
    """The same of our own kernels; None where pyquant does not run the model."""
    try:
        found = pq.compile(model)(*inputs)
    except (UnsupportedOp, GraphError, ShapeError, RangeError):  # RangeError: an index that is not there
        return None
    return [content(array) for array in ([found] if isinstance(found, np.ndarray) else found)]


def content(array: np.ndarray) -> bytes:
    return repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
