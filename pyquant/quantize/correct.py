"""Bias correction: rounded weights shift the mean of a sum, and its bias takes that back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pyquant.dtypes import dtype
from pyquant.graph import Node, Quantization, Tensor
from pyquant.graph.real import real, real_values
from pyquant.ops import Call, find
from pyquant.ops.contraction import Contraction
from pyquant.quantize import parameters
from pyquant.quantize.apply import stored as encoded
from pyquant.quantize.assignments import FLOAT, Assignments, Encoding
from pyquant.quantize.recipe import BIAS

X, W, B = 0, 1, 2  # the inputs of operators with a contraction

Errors = dict[tuple[Tensor, Encoding], np.ndarray]


def correct_biases(made: Assignments, means: Mapping[Tensor, np.ndarray], errors: Errors | None = None) -> None:
    """Give nodes whose weights are rounded the biases that keep the means of their sums.

    means: of the channels of a value, (C,). Nodes with inputs of unknown means stay as they are. errors: keeps those of
    weights from one call to the next.
    """
    errors = {} if errors is None else errors
    for subgraph in made.model.subgraphs:
        for node in subgraph.nodes:
            operator = find(node.op)
            if operator is not None and operator.contraction is not None and made.kinds.get(node):
                _correct(made, Call(operator, node), operator.contraction, means, errors)


def _correct(
    made: Assignments, call: Call, contraction: Contraction, means: Mapping[Tensor, np.ndarray], errors: Errors
) -> None:
    node, x, w = call.node, call["x"], call["w"]
    stored = made.consumed.get((node, W))
    spread = contraction.spread(call, means[x]) if x in means else None
    b = node.inputs[B] if len(node.inputs) > B else None
    if spread is None or stored is None or stored.quantization is None or (b is None and made.recipe.litert):
        return
    key = (w, stored)  # which has one rounding
    if key not in errors:
        codes = encoded(made.values.get((node, W), real_values(w)), stored, w.name)
        errors[key] = real(codes, stored.quantization) - real_values(w)
    # the mean of each sum: of padding as if it had the same means
    shift = np.einsum("gok,gk->go", contraction.weights(call, errors[key]), spread).reshape(-1)
    if not np.isfinite(shift).all():
        return
    before = np.zeros(shift.size) if b is None else made.values.get((node, B), real_values(b))
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
