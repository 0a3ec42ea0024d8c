"""Runs a model node by node with the NumPy references: slow, exact, and the measure for everything faster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from pyquant.graph import Model, Subgraph, Tensor
from pyquant.run.choose import Chooser
from pyquant.run.feeds import subgraph_of
from pyquant.run.limits import Limits
from pyquant.run.planning import planned


def interpret(
    model: Model,
    feeds: np.ndarray | Sequence[Any] | Mapping[Any, Any],
    numerics: str = "tflite",
    keep: Collection[Tensor] | str = (),
    subgraph: Subgraph | None = None,
    limits: Limits | None = None,
) -> dict[Tensor, np.ndarray]:
    """The outputs and the tensors of `keep` ("all": all that are fed or computed), as {tensor: array}.

    feeds: one array, arrays in input order, or a mapping by input name or tensor. Variables start at zero.
    limits: as compile's. Raises UnsupportedOp, naming node and types, for what has no reference, and as compile does.
    """
    graph = subgraph_of(model, subgraph)
    chooser = Chooser.of(None, numerics, 1, limits or Limits.of(graph), references=True)
    given = [feeds] if isinstance(feeds, np.ndarray | Mapping) else feeds
    return planned(model, graph, chooser, keep).run(*given)
