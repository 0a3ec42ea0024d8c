"""What calibration saw of a model's values: extremes sample by sample and histograms. Parts, seen apart, add up."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyquant.calibrate.methods import METHODS, mse
from pyquant.calibrate.ranges import Range
from pyquant.calibrate.seen import Seen
from pyquant.calibrate.states import numbered, with_intermediates
from pyquant.errors import DataError, OptionError
from pyquant.graph import Model, Tensor, dump
from pyquant.run.observation import BINS, Histogram
from pyquant.wire import file

FORMAT = "pyquant calibration 1"


class Outlier(NamedTuple):
    """A sample that reaches further in a tensor than the others. usual: the median of what samples reach."""

    sample: int
    tensor: str
    reached: float
    usual: float

    def __str__(self) -> str:
        return f"sample {self.sample} reaches {self.reached:.3g} in {self.tensor!r}, where {self.usual:.3g} is usual"


@dataclass(frozen=True)
class Statistics:
    """samples: a digest of each, in order. tensors: by index, see `states.numbered`."""

    samples: tuple[str, ...] = ()
    tensors: Mapping[int, Seen] = field(default_factory=dict)

    def joined(self, other: Statistics) -> Statistics:
        """These samples, then others of the same model: what one calibration over all would have seen."""
        if not self.samples:
            return other
        tensors = {**self.tensors, **other.tensors}  # a tensor that only some samples reach is in one of them
        tensors |= {i: self.tensors[i].joined(other.tensors[i]) for i in self.tensors.keys() & other.tensors.keys()}
        return Statistics(self.samples + other.samples, dict(sorted(tensors.items())))

    def ranges(self, model: Model, method: str = "min_max", **options: Any) -> dict[Tensor, Range]:
        """The range of each tensor of the model that was observed, by a method of METHODS with its options.

        Raises OptionError for another method, DataError where it needs histograms and there are none.
        """
        if method not in METHODS:
            raise OptionError(f"calibration: found {method!r}, expected one of {', '.join(METHODS)}")
        found: dict[Tensor, Range] = {}
        for tensor, seen in self._of(model).items():
            if METHODS[method].by_histogram and seen.histogram is None:
                raise DataError(f"calibration by {method} needs histograms: collect(..., detailed=True)")
            found[tensor] = METHODS[method].range(seen, **options)
        return found

    def moved(self, before: Model, after: Model) -> Statistics:
        """What was seen of one model, for another whose tensors have the same names, in whatever order."""
        if before is after:
            return self
        old, new = _names(with_intermediates(before)), {name: i for i, name in enumerate(_names(after))}
        tensors = {new[old[i]]: seen for i, seen in self.tensors.items() if i < len(old) and old[i] in new}
        return Statistics(self.samples, dict(sorted(tensors.items())))

    def usual_ranges(self, model: Model) -> tuple[dict[Tensor, Range], dict[Tensor, Range]]:
        """What suits most models: for values in 8 bits, and for those in 16.

        In 8 bits the range of least squared error, but all that was seen of the inputs, as what feeds them may count on
        it, and where no histograms were kept; in 16 bits all that was seen.
        """
        wide = self.ranges(model)
        inputs = {tensor for subgraph in model.subgraphs for tensor in subgraph.inputs}
        narrow = {
            tensor: wide[tensor] if tensor in inputs or seen.histogram is None else mse(seen)
            for tensor, seen in self._of(model).items()
        }
        return narrow, wide

    def means(self, model: Model) -> dict[Tensor, np.ndarray]:
        """Of the channels of each tensor that was observed in detail, (channels,) float64."""
        found = {tensor: seen.means for tensor, seen in self._of(model).items()}
        return {tensor: means for tensor, means in found.items() if means is not None}

    def outliers(self, model: Model, factor: float = 4.0) -> list[Outlier]:
        """Samples that reach beyond `factor` times what is usual, for each tensor the one that reaches furthest."""
        found = []
        for tensor, seen in self._of(model).items():
            reached = np.maximum(-seen.lows, seen.highs)
            usual, furthest = float(np.median(reached)), int(reached.argmax())
            if reached[furthest] > factor * usual > 0:
                found.append(Outlier(furthest, tensor.name, float(reached[furthest]), usual))
        return sorted(found, key=lambda outlier: outlier.usual / outlier.reached)

    def _of(self, model: Model) -> dict[Tensor, Seen]:
        """By tensor of the model, without intermediates that it does not name."""
        every = numbered(model)
        return {every[i]: seen for i, seen in self.tensors.items() if i < len(every)}

    def save(self, path: str | os.PathLike[str], model: Model, overwrite: bool = False) -> None:
        """Write a JSON file, with a hash of the model and of the samples."""
        names = {i: tensor.name for i, tensor in enumerate(numbered(model))}
        tensors = [{"index": i, "name": names.get(i, ""), **_plain(seen)} for i, seen in self.tensors.items()]
        data = {"format": FORMAT, "model": _digest(model), "samples": list(self.samples), "tensors": tensors}
        file.write(path, [json.dumps(data).encode()], overwrite)

    @staticmethod
    def load(path: str | os.PathLike[str], model: Model) -> Statistics:
        """Raises DataError for another file, and for statistics of another model."""
        try:
            data = json.loads(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: {error}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise DataError(f"{path} is not a file of calibration statistics")
        if data.get("model") != _digest(model):
            raise DataError(f"{path}: these statistics are of another model")
        try:
            return Statistics(tuple(data["samples"]), {t["index"]: _seen(t) for t in data["tensors"]})
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{path} is not a sound file of calibration statistics: {error!r}") from error


def _names(model: Model) -> list[tuple[int, str, int]]:
    """Subgraph, name, and which of that name a tensor is: of those that are numbered."""
    owner = {tensor: i for i, subgraph in enumerate(model.subgraphs) for tensor in subgraph.tensors}
    met = Counter[tuple[int, str]]()
    found = []
    for tensor in numbered(model):
        key = (owner[tensor], tensor.name)
        found.append((*key, met[key]))
        met[key] += 1
    return found


def sample_digest(arrays: Sequence[np.ndarray]) -> str:
    """Of what one sample feeds."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(f"{array.dtype} {array.shape}".encode())
        state.update(repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).data)
    return state.hexdigest()


def _digest(model: Model) -> str:
    return hashlib.sha256(dump(model)).hexdigest()


def _plain(seen: Seen) -> dict[str, Any]:
    plain = {"low": seen.lows.tolist(), "high": seen.highs.tolist(), "count": seen.count, "ignored": seen.ignored}
    if seen.histogram is not None:
        used = np.flatnonzero(seen.histogram.counts)
        first, last = (int(used[0]), int(used[-1])) if used.size else (0, -1)
        counts = seen.histogram.counts[first : last + 1].tolist()
        plain["histogram"] = {"exponent": seen.histogram.exponent, "first": first, "counts": counts}
    if seen.sums is not None:
        plain["sums"] = seen.sums.tolist()
    return plain


def _seen(plain: Mapping[str, Any]) -> Seen:
    histogram = None
    if "histogram" in plain:
        stored, counts = plain["histogram"], np.zeros(BINS, np.int64)
        counts[stored["first"] : stored["first"] + len(stored["counts"])] = stored["counts"]
        histogram = Histogram(stored["exponent"], counts)
    lows, highs = (np.array(plain[name], np.float32) for name in ("low", "high"))
    sums = np.array(plain["sums"], np.float64) if "sums" in plain else None
    return Seen(lows, highs, plain["count"], plain["ignored"], histogram, sums)
