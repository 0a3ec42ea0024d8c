"""Every row of tests/cases: shape rule and reference against both runtimes, C against the reference, through a file.

`python tests/test_ops.py` rewrites pyquant/ops/checked.py, which tells users what is checked against which runtime.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import cases
import numpy as np
import pytest
from cases.case import Case

from pyquant.graph import Model
from pyquant.graph import open as open_model
from pyquant.native import isas
from pyquant.ops import OPERATORS
from pyquant.ops.checked import CHECKED
from pyquant.ops.versions import FIRST_VERSION
from pyquant.run import compile, interpret
from pyquant.validate import RUNTIMES, Oracle

compiler = importlib.import_module("pyquant.run.compile")
FAMILIES = [m.name for m in pkgutil.iter_modules(cases.__path__) if m.name != "case"]
ROWS = {f"{family}-{case.id}": case for family in FAMILIES for case in importlib.import_module(f"cases.{family}").CASES}
every_row = pytest.mark.parametrize("case", ROWS.values(), ids=ROWS.keys())
FUSED = 1e-5  # where kernels may round floats otherwise than the reference: see Call.fused
COMPARED = {f"{id}-{oracle}": (case, oracle) for id, case in ROWS.items() for oracle in case.oracles}
# which of our arithmetics equals an oracle
NUMERICS = {"tflite-micro": "tflite", **{name: runtime.numerics for name, runtime in RUNTIMES.items()}}
# one row of each operator and types
KINDS = {
    f"{case.op}-{'_'.join(dict.fromkeys(v.dtype for v in case.inputs if v))}": case for case in reversed(ROWS.values())
}


@pytest.mark.parametrize(("case", "named"), COMPARED.values(), ids=COMPARED.keys())
def test_reference_equals_runtime(case: Case, named: str, oracle_of: Callable[[str], Oracle]) -> None:
    runtime, _, resolver = named.partition(" ")
    oracle = oracle_of(runtime)
    model, feeds = case.model(), case.feeds()
    for node in model.main.nodes:  # versions only gate, and the registry of reference kernels lags behind its kernels
        node.opcode.version = FIRST_VERSION.get(node.op, 1)
    oracle.load(model, resolver or "reference")
    theirs = list(oracle.run(feeds).values())
    for tensor, array in zip(model.main.outputs, theirs, strict=True):
        assert tensor.shape_signature or tensor.shape == array.shape, "the shape rule"
    check(reference(model, feeds, NUMERICS[runtime]), theirs, case.tolerance)


@every_row
def test_kernels_equal_reference(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyquant.run.choose.WORTH_SHARING", 0)  # two threads share even the smallest step
    model, feeds = case.model(), case.feeds()
    every_numerics = sorted({NUMERICS[named.partition(" ")[0]] for named in case.oracles or NUMERICS})
    if any(step.kernel == "numpy" for step in compile(model, numerics=every_numerics[0]).steps):
        pytest.skip("no C kernel takes this row")
    for numerics in every_numerics:
        expected = reference(model, feeds, numerics)
        reals = [array for array in expected if array.dtype.kind == "f"]
        summed = OPERATORS[case.op].macs is not None  # whose sums may pass the greatest float on the way
        finite = all(np.isfinite(array).all() for array in reals)
        for fused in (False, True) if reals and (finite or not summed) else (False,):
            monkeypatch.setattr(compiler, "may_fuse", lambda _, fused=fused: fused)
            tolerance = max(case.tolerance, FUSED * fused)
            for isa in isas():
                for threads in (1, 2):
                    plans = [compile(model, numerics=numerics, isa=isa, threads=threads)]
                    if any(life.views for life in plans[0].timeline()):  # in place of an input; and not so
                        plans.append(compile(model, numerics=numerics, isa=isa, threads=threads, keep="all"))
                    for plan in plans:
                        outputs = plan(*feeds)
                        check([outputs] if isinstance(outputs, np.ndarray) else outputs, expected, tolerance)


@pytest.mark.parametrize("case", KINDS.values(), ids=KINDS.keys())
def test_file_keeps_meaning(case: Case, tmp_path: Path) -> None:
    model, feeds = case.model(), case.feeds()
    model.save(tmp_path / "case.tflite")
    numerics = NUMERICS[case.oracles[-1].partition(" ")[0]] if case.oracles else "tflite"
    check(reference(open_model(tmp_path / "case.tflite"), feeds, numerics), reference(model, feeds, numerics), 0.0)


def test_what_is_told_to_be_checked_is() -> None:
    assert checked() == CHECKED


def checked() -> dict[str, dict[str, str]]:
    """By operator, the kinds that its rows compare with both runtimes, with one, or with none.

    With "optimized" where, of one runtime or both, only the optimized kernels serve.
    """
    kinds: dict[str, dict[str, set[str]]] = {}
    for case in ROWS.values():
        (node,) = case.model().main.nodes
        kinds.setdefault(case.op, {}).setdefault(OPERATORS[case.op].kind(node), set()).update(case.oracles)
    found: dict[str, dict[str, str]] = {}
    for op in sorted(kinds):
        for kind, runtimes in kinds[op].items():
            by = told_by(runtimes)
            found.setdefault(op, {})[by] = f"{found.get(op, {}).get(by, '')} {kind}".strip()
    return found


def told_by(oracles: Collection[str]) -> str:
    """Oracles in a few words."""
    if {*RUNTIMES} <= {*oracles}:
        return "both"
    if {*RUNTIMES} <= {named.partition(" ")[0] for named in oracles}:
        return "both optimized"
    return " and ".join(sorted(oracles)) or "formula"


def reference(model: Model, feeds: Sequence[np.ndarray], numerics: str = "tflite") -> list[np.ndarray]:
    """The model's outputs by the NumPy references."""
    values = interpret(model, feeds, numerics)
    return [values[t] for t in model.main.outputs]


def check(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float) -> None:
    """Integers equal; floats within tolerance times the greatest of what is expected, NaN where NaN is expected."""
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if theirs.dtype == object:  # strings
            np.testing.assert_array_equal(ours, theirs)
            continue
        finite = theirs[np.isfinite(theirs)].astype(np.float64)
        allowed = tolerance * np.abs(finite).max() if finite.size and ours.dtype.kind == "f" else 0.0
        close = np.isclose(ours.astype(np.float64), theirs.astype(np.float64), rtol=0, atol=allowed, equal_nan=True)
        if not close.all():
            first = tuple(np.argwhere(~close)[0])
            pytest.fail(
                f"{(~close).sum()} of {close.size} elements differ, first at {list(map(int, first))}: "
                f"found {ours[first]}, expected {theirs[first]}"
            )


if __name__ == "__main__":
    told = "\n".join(f"    {op!r}: {runtimes!r}," for op, runtimes in checked().items()).replace("'", '"')
    text = f"""\"\"\"By which runtimes each operator is checked, with the kinds. Written by tests/test_ops.py.\"\"\"

# fmt: off
CHECKED: dict[str, dict[str, str]] = {{
{told}
}}
"""
    (Path(__file__).parent.parent / "pyquant" / "ops" / "checked.py").write_text(text)
