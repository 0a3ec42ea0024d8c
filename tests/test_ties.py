"""Every row of tests/cases whose operator has ties: what goes together goes, and the rest is made as before."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import cases
import numpy as np
import pytest
from cases.case import Case

from pyquant.compress.channels import cut
from pyquant.compress.positions import FREE, Positions
from pyquant.graph import Model, Tensor
from pyquant.ops import OPERATORS
from pyquant.run import interpret

FAMILIES = [m.name for m in pkgutil.iter_modules(cases.__path__) if m.name != "case"]
ROWS = [case for family in FAMILIES for case in importlib.import_module(f"cases.{family}").CASES]
OF_OP: dict[str, list[Case]] = {}
for row in ROWS:
    if OPERATORS[row.op].ties is not None:
        OF_OP.setdefault(row.op, []).append(row)
MOST_ROWS = 12  # of an operator, spread over them
TERMS = 1e-4  # sums of floats, which have fewer terms


@pytest.mark.parametrize("op", OF_OP)
def test_what_is_left_is_made_as_before(op: str) -> None:
    rows = OF_OP[op][:: max(len(OF_OP[op]) // MOST_ROWS, 1)]
    assert sum(check(case, which) for case in rows for which in choices(case)), "no row loses anything"


def positions_of(model: Model) -> Positions:
    """As if the row were within a larger model, whose ends alone stay whole."""
    ends, model.main.inputs, model.main.outputs = (model.main.inputs, model.main.outputs), [], []
    positions = Positions(model)
    model.main.inputs, model.main.outputs = ends
    return positions


def choices(case: Case) -> Iterator[int]:
    """The last class that can go along each dimension that has others."""
    model = case.model()
    positions = positions_of(model)
    found = set()
    for tensor, starts in positions.starts.items():
        for axis in range(len(starts)):
            where = positions.of(tensor, axis)
            free = np.unique(positions.classes[where][positions.fixed_by[where] == FREE])
            if len(np.unique(positions.classes[where])) > 1:
                found.update(free[-1:].tolist())
    for which in sorted(found):
        gone = np.arange(positions.count) == which
        if all(mask.any() for tensor in positions.starts for mask in positions.kept(tensor, gone)):
            yield which


def check(case: Case, which: int) -> bool:
    """Whether a row can tell about a class that goes; asserts that it tells well."""
    model = case.model()
    if (
        OPERATORS[case.op].kind(model.main.nodes[0]) == "hybrid"
    ):  # whose inputs are rounded by the greatest that is left
        return False
    positions, given = positions_of(model), dict(zip(model.main.inputs, case.feeds(), strict=True))
    gone = np.arange(positions.count) == which
    masks: dict[Tensor, list[np.ndarray]] = {t: positions.kept(t, gone) for t in positions.starts}
    if all(
        mask.all() for t in model.main.outputs for mask in masks[t]
    ):  # terms go, which must be 0 for results to stay
        if OPERATORS[case.op].macs is None or any(t.dtype.name != "float32" for t in masks if t.dtype.name != "int32"):
            return False
        for tensor in {*given, *(t for t in masks if t.is_constant and t.dtype.is_float)}:
            value = np.where(_all(masks[tensor]), given.get(tensor, tensor.data), np.float32(0))
            if tensor in given:
                given[tensor] = value
            else:
                tensor.data = value
    before = interpret(model, given)
    expected = [before[t][np.ix_(*masks[t])] for t in model.main.outputs]
    fewer = {t: value[np.ix_(*masks[t])] if value.ndim else value for t, value in given.items()}
    cut(model, positions, gone)
    after = interpret(model, fewer)
    for tensor, wanted in zip(model.main.outputs, expected, strict=True):
        if wanted.dtype.kind == "f":
            most = max(np.abs(wanted[np.isfinite(wanted)]).max(initial=0), 1)
            np.testing.assert_allclose(after[tensor], wanted, rtol=TERMS, atol=TERMS * most)
        else:
            np.testing.assert_array_equal(after[tensor], wanted)
    return True


def _all(masks: list[np.ndarray]) -> np.ndarray:
    """Where all of the masks along the dimensions hold."""
    kept = np.zeros([len(mask) for mask in masks], bool)
    kept[np.ix_(*masks)] = True
    return kept
