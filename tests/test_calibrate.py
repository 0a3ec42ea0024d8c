"""Calibration: parts that add up, methods beside their definitions, statistics that are kept in files."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from networks import network, samples

import pyquant as pq
from pyquant.calibrate import METHODS, Range, Seen, Statistics, calibrate, collect
from pyquant.dtypes import INT32
from pyquant.errors import OptionError
from pyquant.ops.build import add

WORKERS = 2


@contextmanager
def threads():
    with ThreadPoolExecutor(WORKERS) as executor:
        yield executor


@contextmanager
def processes():
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as executor:
        yield executor


@contextmanager
def dask():
    """A cluster of separate processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(WORKERS, processes=True, threads_per_worker=1, dashboard_address=None) as cluster,
        closing(distributed.Client(cluster)) as client,
    ):
        yield client.get_executor()


def assert_same(a: Statistics, b: Statistics) -> None:
    assert a.samples == b.samples and a.tensors.keys() == b.tensors.keys()
    for i, seen in a.tensors.items():
        other = b.tensors[i]
        assert seen.lows.tolist() == other.lows.tolist() and seen.highs.tolist() == other.highs.tolist()
        assert (seen.count, seen.ignored, seen.histogram) == (other.count, other.ignored, other.histogram)
        assert np.array_equal(seen.sums, other.sums, equal_nan=True)


@pytest.mark.parametrize("cluster", [threads, processes, dask], ids=lambda function: function.__name__)
def test_samples_may_run_elsewhere_and_give_the_same_bits(cluster) -> None:
    model, feeds = network(), samples(3 * 16 + 5)
    feeds[7][0, 0, 0] = np.nan
    with cluster() as executor:
        assert_same(collect(model, feeds, executor=executor), collect(model, feeds))


def test_statistics_of_parts_add_up_in_any_grouping() -> None:
    model, feeds = network(), samples(9)
    feeds[4] *= 1000
    first, second, third = (collect(model, part) for part in (feeds[:2], feeds[2:5], feeds[5:]))
    whole = collect(model, feeds)
    assert_same(first.joined(second).joined(third), whole)
    assert_same(first.joined(second.joined(third)), whole)


def test_statistics_are_kept_in_a_file_of_their_model(tmp_path: Path) -> None:
    model, path = network(), tmp_path / "seen.json"
    seen = collect(model, samples(3))
    seen.save(path, model)
    assert_same(Statistics.load(path, model), seen)
    with pytest.raises(pq.DataError, match="of another model"):
        Statistics.load(path, network())
    with pytest.raises(pq.FileExists):
        seen.save(path, model)
    for text in ("{", "{}", "[]"):
        path.write_text(text)
        with pytest.raises(pq.DataError, match=r"seen\.json"):
            Statistics.load(path, model)
    small = pq.quantize(model, "int8", data=seen, calibration="mse")
    assert small.main.nodes[0].outputs[0].dtype.name == "int8"


def test_a_sample_that_reaches_further_than_others_is_named() -> None:
    model, feeds = network(), samples(6)
    feeds[3] = feeds[3] * 50
    found = collect(model, feeds).outliers(model)
    assert {outlier.sample for outlier in found} == {3} and found[0].reached > 4 * found[0].usual
    assert "x" in {outlier.tensor for outlier in found}
    made = pq.assign(model, "int8", data=feeds)
    assert made.outliers == found and f"outlier: sample 3 reaches {found[0].reached:.3g} in" in str(made)
    assert made.to_dict()["outliers"][0]["sample"] == 3
    assert pq.assign(model, "int8", data=feeds[:3]).outliers == []


def seen_of(*parts: np.ndarray) -> Seen:
    return Seen.of(parts, detailed=True)


def test_numpy_sees_what_c_does() -> None:
    """Of states, which references tell, as of what observers meet; also of what is not finite."""
    model, feeds = network(), samples()
    feeds[1] = np.where(feeds[1] > 0.9, np.float32(np.inf), feeds[1])
    seen = collect(model, feeds)
    observed = seen.tensors[model.main.tensors.index(model.main.inputs[0])]
    own = Seen.of(feeds, detailed=True)
    assert np.array_equal(own.lows, observed.lows) and np.array_equal(own.highs, observed.highs)
    assert (own.count, own.ignored) == (observed.count, observed.ignored) and own.ignored > 0
    assert own.histogram is not None and observed.histogram is not None
    coarse = max(own.histogram.exponent, observed.histogram.exponent)
    assert own.histogram.widened(coarse) == observed.histogram.widened(coarse)


rng = np.random.default_rng(5)
BELL = [rng.normal(0, 1, 4000).astype(np.float32) for _ in range(5)]
SKEWED = [np.abs(part) ** 3 for part in BELL]
FAR = [*BELL, np.float32([40.0])]


@pytest.mark.parametrize("parts", [BELL, SKEWED, FAR], ids=["bell", "skewed", "far"])
def test_percentiles_leave_out_as_much_on_both_sides(parts: list[np.ndarray]) -> None:
    seen, values = seen_of(*parts), np.concatenate(parts)
    width = 2.0**seen.histogram.exponent
    found = METHODS["percentile"].range(seen, keep=99.0)
    expected = np.quantile(values, [0.005, 0.995])
    assert np.abs(np.array([found.low, found.high]) - expected).max() <= 2 * width


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("parts", [BELL, SKEWED, FAR], ids=["bell", "skewed", "far"])
def test_the_range_of_least_squared_error_has_less_than_others(parts: list[np.ndarray], bits: int) -> None:
    values = np.concatenate(parts).astype(np.float64)

    def error(low: float, high: float) -> float:
        low, high = min(low, 0.0), max(high, 0.0)
        step = (high - low) / (2**bits - 1)
        zero = np.rint(-low / step)
        codes = np.clip(np.rint(values / step) + zero, 0, 2**bits - 1)
        return float(np.square((codes - zero) * step - values).mean())

    seen = seen_of(*parts)
    found, whole = METHODS["mse"].range(seen, bits=bits), METHODS["min_max"].range(seen)
    others = [error(max(whole.low, -b), min(whole.high, b)) for b in np.linspace(0.05, 1, 40) * np.abs(values).max()]
    assert error(found.low, found.high) <= 1.1 * min(others)


def test_entropy_cuts_off_a_far_tail_and_little_else() -> None:
    for parts in (BELL, FAR):
        assert 2 <= METHODS["entropy"].range(seen_of(*parts)).high <= 10


def test_averages_of_extremes_by_their_definitions() -> None:
    seen = Seen(np.float32([-1, -3, 0]), np.float32([1, 2, 6]), 30, 2)
    average = METHODS["moving_average"].range(seen, momentum=0.5)
    assert (average.low, average.high, average.ignored) == (-1.0, 3.75, 2)
    assert METHODS["mean"].range(seen).high == 3 and METHODS["median"].range(seen).low == -1
    assert METHODS["min_max"].range(seen) == pq.Range(-3, 6, 2)


def test_methods_are_named_and_histograms_asked_for() -> None:
    model, feeds = network(), samples(2)
    with pytest.raises(OptionError, match="found 'max', expected one of min_max"):
        calibrate(model, feeds, method="max")
    with pytest.raises(pq.DataError, match="needs histograms"):
        calibrate(model, collect(model, feeds, detailed=False), method="mse")


def test_channels_that_differ_from_sample_to_sample_have_no_means() -> None:
    b = pq.Builder()
    y = add(b, "TILE", [b.input("x", (1, 2)), b.input("times", (2,), INT32)], "y")
    model, x = b.model([y]), np.float32([[1, -2]])
    once, twice = ([x, np.int32([1, n])] for n in (1, 2))
    seen = collect(model, [once, twice])
    assert seen.ranges(model)[y] == Range.of(x) and y not in seen.means(model)
    assert y not in collect(model, [once]).joined(collect(model, [twice])).means(model)
