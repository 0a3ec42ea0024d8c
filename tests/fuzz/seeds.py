"""The sound files that mutations start from: small models of the data folder, and one for each row of tests/cases."""

from __future__ import annotations

import importlib
import os
import pkgutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cases

from pyquant.errors import PyQuantError
from pyquant.graph import dump, load
from pyquant.run import Limits, compile

LARGEST = 1 << 16  # bytes
SLOW = ("conv3d_huge_im2col",)  # that take longer than a file may
DATA = Path(os.environ.get("PYQUANT_DATA") or Path(__file__).parents[3] / "shared" / "data")


@dataclass(frozen=True)
class Seed:
    """name: a path below the data folder, or family and id of a row."""

    name: str
    data: bytes

    @cached_property
    def limits(self) -> Limits:
        """Ten times what this file takes: its own bytes and those of its plan; the operations of a run."""
        needs = Limits(0, 0)
        for graph in (model := load(self.data)).subgraphs:
            try:
                plan = compile(model, subgraph=graph)
            except PyQuantError:  # not every file of the data folder runs
                continue
            needs = Limits(max(needs.bytes, plan.needs.bytes), max(needs.operations, plan.needs.operations))
        return Limits(10 * (len(self.data) + needs.bytes), 10 * needs.operations)


def seeds(data: Path = DATA) -> list[Seed]:
    """All of them, in an order that does not change. Without the data folder, the rows alone."""
    paths = sorted(path for path in data.rglob("*.tflite") if path.stat().st_size <= LARGEST)
    quick = [path for path in paths if not path.stem.endswith(SLOW)]
    files = [Seed(str(path.relative_to(data)), path.read_bytes()) for path in quick]
    return files + [seed for seed in _rows() if len(seed.data) <= LARGEST]


def _rows() -> list[Seed]:
    families = [m.name for m in pkgutil.iter_modules(cases.__path__) if m.name != "case"]
    rows = [(family, case) for family in families for case in importlib.import_module(f"cases.{family}").CASES]
    return [Seed(f"{family}-{case.id}", dump(case.model())) for family, case in rows]
