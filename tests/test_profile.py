"""Profiles: a row for each step with its costs, and the table, CSV and trace that show it. No time is judged."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import pyquant as pq
from pyquant.ops.build import add
from pyquant.run.peak import peak
from pyquant.run.profile import Profile


@pytest.fixture(scope="module")
def profile() -> Profile:
    b = pq.Builder()
    x = b.input("x", (1, 8))
    w = b.constant("w", np.ones((16, 8), np.float32))
    y = add(b, "FULLY_CONNECTED", [x, w, None], "first;y")
    turned = add(b, "RESHAPE", [y, b.constant("shape", np.int32([4, 4]))], "turned")
    return pq.compile(b.model([add(b, "CUMSUM", [turned, b.constant("axis", np.int32([0]))], "z")])).profile(runs=2)


def test_a_row_for_each_step_that_takes_time(profile: Profile) -> None:
    first, second = profile
    assert (first.op, first.tensor, first.shape) == ("FULLY_CONNECTED", "first;y", (1, 16))
    assert (first.macs, first.bytes) == (128, 4 * (8 + 128 + 16))
    assert first.macs_per_second is not None and first.share is not None and first.share > 0
    assert (second.kernel, second.macs, second.bytes) == ("numpy", 0, 4 * (16 + 1 + 16))
    assert (second.macs_per_second, second.share) == (None, None)
    assert profile.seconds == first.seconds + second.seconds > 0
    assert (len(profile), profile.macs) == (2, 128)


def test_costs_are_those_of_the_shapes_that_the_plan_has() -> None:
    b = pq.Builder()
    x = b.input("x", (1, 8))
    model = b.model([add(b, "FULLY_CONNECTED", [x, b.constant("w", np.ones((2, 8), np.float32)), None], "y")])
    (row,) = pq.compile(model, shapes={"x": (5, 8)}).profile(runs=1)
    assert (row.macs, row.shape) == (80, (5, 2))


def test_the_table_has_the_slowest_first_and_the_sum_last(profile: Profile) -> None:
    header, *rows, last = str(profile).splitlines()
    assert "GMAC/s" in header and "% of peak" in header
    assert "…y" in "".join(rows)
    assert [row.split()[1] for row in rows] == [t.op for t in sorted(profile, key=lambda t: -t.seconds)]
    assert last.startswith("2 steps") and " 100.0 " in last
    assert max(map(len, profile.text(60).splitlines())) < max(map(len, str(profile).splitlines()))


def test_csv_has_a_line_for_each_step(profile: Profile) -> None:
    rows = list(csv.DictReader(io.StringIO(profile.csv())))
    assert [row["op"] for row in rows] == ["FULLY_CONNECTED", "CUMSUM"]
    assert [(row["shape"], row["macs"]) for row in rows] == [("1x16", "128"), ("4x4", "0")]
    assert [float(row["seconds"]) for row in rows] == [timing.seconds for timing in profile]


def test_the_trace_has_complete_events_one_after_the_other(profile: Profile) -> None:
    first, second = profile.trace()["traceEvents"]
    for event in (first, second):
        assert event["ph"] == "X" and {"name", "cat", "ts", "dur", "pid", "tid", "args"} <= set(event)
    assert (first["ts"], second["ts"]) == (0, first["dur"])
    assert second["args"]["tensor"] == "z"


def test_the_limit_is_measured_once_for_each_type() -> None:
    assert peak("int8") == peak("uint8") == peak("hybrid")
    assert all((peak(kind) or 0) > 0 for kind in ("float32", "int8", "int16"))
    assert peak("bool") is None
