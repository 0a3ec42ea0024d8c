"""Fixtures of all benchmarks, and after the table one line per group and peer: how many times as long the peer took."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures import data_folder, oracle_of

__all__ = ["data_folder", "oracle_of"]
OURS = "pyquant"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The peer of a benchmark is its parameter of that name; medians are compared."""
    medians: dict[str, dict[str, float]] = {}
    for bench in config._benchmarksession.benchmarks:  # type: ignore[attr-defined]
        if bench.stats.data:
            medians.setdefault(bench.group, {})[bench.params["peer"]] = bench.stats.median
    for group, of in medians.items():
        for peer, median in of.items():
            if peer != OURS and OURS in of:
                terminalreporter.write_line(f"{group}: {peer} / {OURS} = {median / of[OURS]:.2f}")
