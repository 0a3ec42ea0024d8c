"""SUM of int8 and int16 by its formula: the reference kernels of both runtimes take the codes for uint8."""

import numpy as np
import pytest
from cases.case import Case, Value
from cases.movement import index

import pyquant as pq


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("axes", [[0], [1], [0, 2], [-1]])
def test_sums_of_codes(dtype: str, axes: list[int]) -> None:
    zero = 5 if dtype == "int8" else 0
    case = Case("sum", "SUM", (Value((3, 4, 5), dtype, 0.5, zero), index(axes)), Value((), dtype, 3.0, zero))
    model, (x,) = case.model(), case.feeds()
    (y,) = pq.interpret(model, [x]).values()
    real = 0.5 * (x.astype(np.float64) - zero).sum(tuple(axes))
    limits = np.iinfo(dtype)
    assert np.abs(np.clip(real / 3 + zero, limits.min, limits.max) - y).max() <= 0.5 + 1e-6
