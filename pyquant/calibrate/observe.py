"""Ranges of a model's float values over representative data, folded in C while the compiled model runs."""

from __future__ import annotations

from typing import Any

from pyquant.calibrate.data import samples
from pyquant.calibrate.ranges import Range
from pyquant.dtypes import FLOAT32
from pyquant.graph import Model, Tensor
from pyquant.run.compile import compile


def calibrate(model: Model, data: Any, threads: int = 1) -> dict[Tensor, Range]:
    """The range of every float32 tensor of the main subgraph that is computed or fed, over all samples of `data`.

    data: any form that `samples` takes. Raises DataError where it holds no sample or does not fit the inputs.
    """
    observed = [t for t in model.main.tensors if t.dtype is FLOAT32 and not t.is_constant]
    plan = compile(model, threads=threads, observers=observed)
    session = plan.session()
    for sample in samples(data, model):
        session.run(sample)
    return {t: Range(o.low, o.high, o.ignored) for t, o in session.observations().items()}
