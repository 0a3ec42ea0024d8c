"""Pruning: the weights that matter least become zero, by their magnitude or by what samples show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from pyquant.calibrate import samples
from pyquant.compress.compensate import Gone
from pyquant.compress.layers import Layer, Seen, halves, layers, observed, whole
from pyquant.compress.masks import by_name, checked
from pyquant.compress.patterns import Kept, Pattern, pattern_of
from pyquant.compress.patterns import least as least_of
from pyquant.compress.settle import settle
from pyquant.compress.shares import shared_out
from pyquant.compress.values import without, zeros
from pyquant.compress.weights import Weight, weights
from pyquant.errors import OptionError
from pyquant.graph import Model, Tensor
from pyquant.graph.edit import remove_unused
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
    for best, and the others and biases are corrected (in integers, more may round to zero), as far as one half of the
    samples is right about the other; biases of float32 operators, depthwise ones too, then bring back the means of what
    comes behind activations, see `settle`. What samples tell nothing of, as other subgraphs and operators without a
    contraction, loses the least magnitudes.
    regex, operation, least: which weights, see `weights`. Those of depthwise convolutions, few and dear, are left alone
    unless `operation` asks for them.
    masks: where weights stay, by name, in place of a sparsity: see `masks`.
    Raises OptionError, DataError.
    """
    rule = pattern_of(pattern, pooling)
    _check(sparsity, rule, pattern, threshold, masks)
    made = model.copy()
    found = weights(made, regex, operation, least, casts=True)
    meant = {weight.tensor for weight in found}
    feeds = [] if data is None else _feeds(made, data)
    if masks is not None:
        named = by_name(found)
        outs = {named[name]: ~mask | zeros(named[name].tensor) for name, mask in checked(masks, named).items()}
        choices: dict[Weight, Gone] = {weight: partial(_masked, out) for weight, out in outs.items()}
        known = _known(made, choices, observed(made, choices, feeds)) if feeds else {}
    else:
        found = [weight for weight in found if operation != "*" or not _by_channel(weight)]
        if not found:
            raise OptionError("operation '*' leaves alone depthwise convolutions, and no other weights are meant")
        known, counts = _decided(made, found, rule, sparsity or 0.0, threshold, feeds)
        choices = {weight: _choice(rule, weight, counts[weight]) for weight in found}
    for weight, gone in choices.items():
        if weight in known:
            known[weight].store(known[weight].pruned(gone))
        else:
            weight.tensor.data = without(weight.tensor, gone(_magnitudes(weight.tensor), 1.0))
    if known:
        settle(made, model, meant, feeds)
    remove_unused(made)
    return made


def _decided(
    model: Model,
    found: Sequence[Weight],
    rule: Pattern,
    sparsity: float,
    threshold: str,
    feeds: Sequence[Sequence[np.ndarray]],
) -> tuple[dict[Weight, Layer], dict[Weight, int]]:
    """What samples tell of weights, and how many elements or blocks of each go."""
    scores = {weight: rule.units(_magnitudes(weight.tensor)).reshape(-1) for weight in found}
    counts = {weight: round(sparsity * own.size) for weight, own in scores.items()}
    if not feeds:
        return {}, counts if threshold == "operator" else _of_all(scores, sparsity)
    choices = {weight: _choice(rule, weight, counts[weight]) for weight in found}
    seen = observed(model, found, feeds)
    if threshold == "operator" or len(seen) == 1 or isinstance(rule, Kept):
        return _known(model, choices, seen), counts
    parts = halves(model, choices, seen)
    known = whole(model, parts[0], seen)
    units = {weight: scores[weight].size for weight in known}
    total = round(sparsity * sum(own.size for own in scores.values())) - sum(counts[w] for w in found if w not in known)
    return known, counts | shared_out(model, parts, units, total, partial(_choice, rule), feeds)


def _known(model: Model, choices: Mapping[Weight, Gone], seen: Sequence[Seen]) -> dict[Weight, Layer]:
    """What samples tell of weights, damped by halves of them where there are two."""
    if len(seen) == 1:
        return layers(model, choices, seen[0])
    return whole(model, halves(model, choices, seen)[0], seen)


def _of_all(scores: Mapping[Weight, np.ndarray], sparsity: float) -> dict[Weight, int]:
    """How many of each weight's scores are among the least of all."""
    every = np.concatenate(list(scores.values()))
    ends = np.cumsum([own.size for own in scores.values()])
    parts = np.split(least_of(every, round(sparsity * every.size)), ends[:-1])
    return {weight: int(np.count_nonzero(part)) for weight, part in zip(scores, parts, strict=True)}


def _feeds(model: Model, data: Any) -> list[list[np.ndarray]]:
    return [list(sample.values()) for sample in samples(data, model)]


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


def _choice(rule: Pattern, weight: Weight, count: int) -> Gone:
    return partial(_least, rule, count, zeros(weight.tensor))


def _least(rule: Pattern, count: int, was_zero: np.ndarray, scores: np.ndarray, share: float) -> np.ndarray:
    """What goes by a pattern: first what was zero before."""
    return np.asarray(rule.gone(np.where(was_zero, -1, scores), round(share * count)) | was_zero)


def _masked(out: np.ndarray, scores: np.ndarray, share: float) -> np.ndarray:
    """What goes by a mask."""
    return out
