"""The arena that a model needs, by the planner of one's choice."""

from __future__ import annotations

from collections.abc import Callable

from pyquant.errors import OptionError
from pyquant.graph import Model
from pyquant.run.compile import compile
from pyquant.run.memory import Timeline
from pyquant.run.tflm import tflm_timeline

PLANNERS: dict[str, Callable[[Model], Timeline]] = {
    "pyquant": lambda model: compile(model).timeline(),
    "tflm": tflm_timeline,
}


def timeline(model: Model, planner: str = "pyquant") -> Timeline:
    """Which tensor has which bytes of the arena from when to when.

    planner: "pyquant" for `compile(model).timeline()`; "tflm" for what tflite-micro's greedy planner would do: the head
    of its arena, with the scratch buffers of its reference kernels, also of a model that pyquant cannot run.

    >>> import pyquant as pq
    >>> from pyquant.ops.build import add
    >>> b = pq.Builder()
    >>> x = y = b.input("x", (1, 100))
    >>> for i in range(3):
    ...     y = add(b, "LOGISTIC", [y], f"y{i}")
    >>> [(life.tensor.name, life.bytes, life.offset, life.first, life.last) for life in timeline(b.model([y]))]
    [('x', 400, 0, -1, 3)]
    >>> timeline(b.model([y])).arena_bytes, timeline(b.model([y]), "tflm").arena_bytes
    (448, 800)
    """
    if planner not in PLANNERS:
        raise OptionError(f"planner: found {planner!r}, expected one of {', '.join(PLANNERS)}")
    return PLANNERS[planner](model)
