"""Pruning: the weights that matter least become zero, by their magnitude or by what samples show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from pyquant.compress.compensate import Gone
from pyquant.compress.layers import layers
from pyquant.compress.masks import by_name, checked
from pyquant.compress.patterns import Kept, Pattern, pattern_of
from pyquant.compress.patterns import least as least_of
from pyquant.compress.values import encoded, without, zeros
from pyquant.compress.weights import Weight, weights
from pyquant.errors import OptionError
from pyquant.graph import Model, Tensor
from pyquant.graph.real import real_values
from pyquant.ops import find

THRESHOLDS = ("operator", "global")


def prune(
    model: Model,
    sparsity: float | None = None,
    pattern: str = "unstructured",
    data: Any = None,
    threshold: str = "operator",
    pooling: str = "max",
    regex: str = ".*",
    operation: str = "*",
    least: int = 0,
    masks: Mapping[str, np.ndarray] | None = None,
) -> Model:
    """A copy whose weights are zero (in integers, the code of it) where they matter least; scales stay.

    sparsity: the share that goes, 0 to 1: round(sparsity * n) of a weight's n elements; weights that are zero are the
    first of them and stay so. pattern: "unstructured"; blocks such as "1x4", so many outputs by elements of the last
    dimension, of which whole ones go (smaller ones at the ends, too), judged by the greatest magnitude or, `pooling`
    "mean", by the mean; or "2:4", which leaves 2 of each 4 elements along the last dimension, without a sparsity.
    threshold: "operator", the same share of each weight; "global", of all together, so that some lose more.
    data: samples in any form that `pyquant.calibrate.samples` takes; with them, those go whose loss the others make up
    for best, and the others and biases are corrected. regex, operation, least: which weights, see `weights`. Those of
    depthwise convolutions, few and dear, are left alone unless `operation` asks for them.
    masks: where weights stay, by name, in place of a sparsity: see `masks`.
    Raises OptionError, DataError.
    """
    rule = pattern_of(pattern, pooling)
    _check(sparsity, rule, pattern, threshold, masks)
    made = model.copy()
    found = weights(made, regex, operation, least)
    if masks is not None:
        named = by_name(found)
        choices: dict[Weight, Gone] = {
            named[name]: partial(_masked, ~mask | zeros(named[name].tensor))
            for name, mask in checked(masks, named).items()
        }
    else:
        found = [weight for weight in found if operation != "*" or not _by_channel(weight)]
        if not found:
            raise OptionError("operation '*': only weights of depthwise convolutions are meant, which it leaves alone")
        counts = _counts(found, rule, sparsity or 0.0, threshold)
        choices = {w: partial(_least, rule, counts[w], zeros(w.tensor)) for w in found}
    known = {} if data is None else layers(made, choices, data)
    for weight, gone in choices.items():
        tensor = weight.tensor
        if weight in known:
            values = known[weight].pruned(gone)
            known[weight].correct_biases(values)
            tensor.data = encoded(tensor, values)
        else:
            tensor.data = without(tensor, gone(_magnitudes(tensor), 1.0))
    return made


def _check(
    sparsity: float | None, rule: Pattern, pattern: str, threshold: str, masks: Mapping[str, np.ndarray] | None
) -> None:
    if threshold not in THRESHOLDS:
        raise OptionError(f"threshold: found {threshold!r}, expected one of {', '.join(THRESHOLDS)}")
    if sparsity is not None and not 0 <= sparsity <= 1:
        raise OptionError(f"sparsity: found {sparsity}, expected a share of the elements, 0 to 1")
    if masks is not None:
        if sparsity is not None:
            raise OptionError(f"sparsity: found {sparsity} beside masks, which say what goes")
    elif isinstance(rule, Kept):
        if sparsity is not None and not math.isclose(sparsity, 1 - rule.most / rule.of):
            raise OptionError(f"sparsity: found {sparsity}, pattern {pattern!r} makes it {1 - rule.most / rule.of:.3g}")
    elif sparsity is None:
        raise OptionError(f"sparsity: pattern {pattern!r} needs one, a share of the elements, 0 to 1")


def _by_channel(weight: Weight) -> bool:
    operators = [find(node.op) for node, _ in weight.uses]
    return any(op is not None and op.contraction is not None and op.contraction.by_channel for op in operators)


def _magnitudes(tensor: Tensor) -> np.ndarray:
    return np.asarray(np.nan_to_num(np.abs(real_values(tensor)), nan=np.inf))


def _counts(found: Sequence[Weight], rule: Pattern, sparsity: float, threshold: str) -> dict[Weight, int]:
    """How many elements or blocks of each weight go."""
    units = {weight: rule.units(_magnitudes(weight.tensor)).reshape(-1) for weight in found}
    if threshold == "operator":
        return {weight: round(sparsity * scores.size) for weight, scores in units.items()}
    every = np.concatenate(list(units.values()))
    goes = np.split(least_of(every, round(sparsity * every.size)), np.cumsum([s.size for s in units.values()])[:-1])
    return {weight: int(np.count_nonzero(part)) for weight, part in zip(units, goes, strict=True)}


def _least(rule: Pattern, count: int, was_zero: np.ndarray, scores: np.ndarray, share: float) -> np.ndarray:
    """What goes by a pattern: first what was zero before."""
    return np.asarray(rule.gone(np.where(was_zero, -1, scores), round(share * count)) | was_zero)


def _masked(out: np.ndarray, scores: np.ndarray, share: float) -> np.ndarray:
    """What goes by a mask."""
    return out
