"""Each operator alone, fed with what another side fed its own: which of them is itself at odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pyquant.calibrate.data import fit
from pyquant.errors import PyQuantError
from pyquant.graph import Model, Node, Tensor
from pyquant.graph.cut import extract
from pyquant.run import Plan, compile
from pyquant.targets import beside_device
from pyquant.validate.peers import Peer
from pyquant.validate.report import OwnDifference
from pyquant.validate.tally import Tally, real


class Alone:
    """The operators of a main subgraph, each as a model of its own.

    first: the first in execution order that differs from the other side though it was fed the same.
    differences: the greatest difference of each tensor, in codes for integers, as it is for floats.
    """

    def __init__(self, model: Model, peer: Peer, tolerance: float, numerics: str, isa: str | None) -> None:
        self._model, self._peer = model, peer
        self._plans: dict[Node, tuple[Model, Plan]] = {}
        self._tallies = {t: Tally(t, node, tolerance, False) for node in model.main.nodes for t in node.outputs}
        self._fed: dict[Node, tuple[list[np.ndarray], list[np.ndarray]]] = {}  # at the first difference
        failed = []
        elsewhere = beside_device(model, numerics)
        for node in model.main.nodes:
            own = "tflite" if any(t in elsewhere for t in node.outputs) else numerics
            try:
                single = extract(model, given(node), node.outputs)
                self._plans[node] = single, compile(single, numerics=own, isa=isa, exact_floats=True)
            except PyQuantError:  # it shares a state with others
                failed.append(node.label)
        self.notes = (f"These do not run alone: {', '.join(failed)}.",) if failed else ()

    def add(self, sample: int, arrays: Sequence[np.ndarray], theirs: Mapping[Tensor, np.ndarray]) -> None:
        """Run all on what the other side computed for a sample."""
        inputs = dict(zip(self._model.main.inputs, arrays, strict=True))
        for node, (_, plan) in self._plans.items():
            partners = self._peer.tensors
            if not all(t in inputs or t in theirs for t in given(node)):
                continue
            fed = [inputs[t] if t in inputs else _as_ours(theirs[t], t, partners[t]) for t in given(node)]
            found = plan.run(*fed)
            for tensor, single in zip(node.outputs, plan.outputs, strict=True):
                if tensor in theirs:
                    tally = self._tallies[tensor]
                    tally.add(sample, found[single], theirs[tensor], partners[tensor])
                    if tally.divergence:
                        self._fed.setdefault(node, (fed, [theirs[t] for t in node.outputs if t in theirs]))

    @property
    def differences(self) -> dict[Tensor, float]:
        return {t: tally.max_difference for t, tally in self._tallies.items() if tally.elements}

    @property
    def first(self) -> OwnDifference | None:
        for node, (fed, expected) in self._in_order():
            divergence = next(d for t in node.outputs if (d := self._tallies[t].divergence))
            return OwnDifference(divergence, self._plans[node][0], tuple(fed), tuple(expected))
        return None

    def _in_order(self) -> list[tuple[Node, tuple[list[np.ndarray], list[np.ndarray]]]]:
        return [(node, self._fed[node]) for node in self._model.main.nodes if node in self._fed]


def given(node: Node) -> list[Tensor]:
    """The tensors that an operator takes from others, each once."""
    return list(dict.fromkeys(t for t in node.inputs if t is not None and not (t.is_constant or t.is_variable)))


def _as_ours(array: np.ndarray, tensor: Tensor, partner: Tensor | None) -> np.ndarray:
    """The other side's values as this model stores them."""
    return array if partner is None else fit(real(array, partner), tensor)
