"""Bias correction: rounded weights shift the mean of a sum, and its bias takes that back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pyquant.dtypes import dtype
from pyquant.graph import Node, Quantization, Tensor
from pyquant.graph.real import real, real_values
from pyquant.quantize import parameters
from pyquant.quantize.apply import stored as encoded
from pyquant.quantize.assignments import FLOAT, Assignments, Encoding
from pyquant.quantize.recipe import BIAS

X, W, B = 0, 1, 2  # the inputs of the operators in SHIFTS

# shift(d, means) -> (output channels,): what an error d of the weights adds to the mean of each sum, where the inputs'
# channels have these means. Padding counts as if it had them, too. None where the shapes do not meet.
Shift = Callable[[np.ndarray, np.ndarray], "np.ndarray | None"]


def _conv(d: np.ndarray, means: np.ndarray) -> np.ndarray | None:
    taps = d.sum(axis=(1, 2))  # (O, C / groups)
    groups = means.size // taps.shape[1]
    if groups * taps.shape[1] != means.size or not groups or len(taps) % groups:
        return None
    shift: np.ndarray = np.einsum("goc,gc->go", taps.reshape(groups, -1, taps.shape[1]), means.reshape(groups, -1))
    return shift.reshape(-1)


def _depthwise(d: np.ndarray, means: np.ndarray) -> np.ndarray | None:
    taps = d.sum(axis=(0, 1, 2))
    return taps * np.repeat(means, taps.size // means.size) if taps.size % means.size == 0 else None


def _dense(d: np.ndarray, means: np.ndarray) -> np.ndarray | None:
    return d @ means if d.shape[1] == means.size else None


SHIFTS: dict[str, Shift] = {"CONV_2D": _conv, "DEPTHWISE_CONV_2D": _depthwise, "FULLY_CONNECTED": _dense}


Errors = dict[tuple[Tensor, Encoding], np.ndarray]


def correct_biases(made: Assignments, means: Mapping[Tensor, np.ndarray], errors: Errors | None = None) -> None:
    """Give nodes whose weights are rounded the biases that keep the means of their sums.

    means: of the channels of a value, (C,). Nodes with inputs of unknown means stay as they are. errors: keeps those of
    weights from one call to the next.
    """
    errors = {} if errors is None else errors
    for subgraph in made.model.subgraphs:
        for node in subgraph.nodes:
            if node.op in SHIFTS and made.kinds.get(node):
                _correct(made, node, means, errors)


def _correct(made: Assignments, node: Node, means: Mapping[Tensor, np.ndarray], errors: Errors) -> None:
    x, w = node.inputs[X], node.inputs[W]
    stored = made.consumed.get((node, W))
    if x not in means or w is None or stored is None or stored.quantization is None:
        return
    key = (w, stored)  # which has one rounding
    if key not in errors:
        codes = encoded(made.values.get((node, W), real_values(w)), stored, w.name)
        errors[key] = real(codes, stored.quantization) - real_values(w)
    shift = SHIFTS[node.op](errors[key], means[x])
    if shift is None or not np.isfinite(shift).all():
        return
    b = node.inputs[B] if len(node.inputs) > B else None
    before = np.zeros(shift.size) if b is None else real_values(b)
    wanted = _bias_encoding(made, node, stored.quantization)
    after = before - shift
    if wanted.quantization is not None:  # of channels whose bias has raised their scale there is little else
        most = wanted.quantization.scale.astype(np.float64) * parameters.BIAS_LIMIT[wanted.dtype.name]
        after = np.where(np.abs(after) < most, after, before)
    made.values[node, B] = after.astype(np.float32)
    made.consumed[node, B] = wanted


def _bias_encoding(made: Assignments, node: Node, weight: Quantization) -> Encoding:
    """How a bias is stored, though the node may have none yet."""
    x = made.consumed.get((node, X), FLOAT).quantization
    if (node, B) in made.consumed or x is None:
        return made.consumed.get((node, B), FLOAT)
    return Encoding(dtype(BIAS[made.kinds[node]]), Quantization.of(x.scale * weight.scale))
