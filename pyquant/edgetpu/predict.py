"""What the Edge TPU compiler makes of a model, predicted: which operators it maps, and why not the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pyquant.dtypes import INT8, UINT8
from pyquant.edgetpu.package import is_compiled
from pyquant.edgetpu.parameters import parameter_bytes
from pyquant.graph import Model, Node
from pyquant.targets.edgetpu import (
    ASSUMED,
    DOCUMENTED,
    EDGETPU,
    KNOWN,
    MAPPED,
    NOT_SUPPORTED,
    ONE_SUBGRAPH,
    TYPE,
    VERIFIED,
    VERSION,
)
from pyquant.targets.partition import mapped, sources
from pyquant.targets.target import Problem

# By rule of a problem that is no gap: how the log calls it, and how it is known.
PLAIN = {"type": (TYPE, DOCUMENTED), "version": (VERSION, ASSUMED), "operator": (NOT_SUPPORTED, ASSUMED)}
HYPOTHESES = 10**7  # nodes that are gone through, at most, to see what changes would free


@dataclass(frozen=True)
class Verdict:
    """What becomes of one operator. status: as the compiler's log says it.

    reason: why it is not mapped, "" where it is. evidence: how that is known: "verified" on published files,
    "documented" or "assumed". blocker: the operator before it that keeps all that follows on the CPU, if one does.
    parameter_bytes: of its constants as the device stores them; 0 on the CPU.
    """

    node: Node
    status: str
    reason: str = ""
    evidence: str = ""
    remedy: str = ""
    blocker: Node | None = None
    parameter_bytes: int = 0

    @property
    def mapped(self) -> bool:
        return self.status == MAPPED

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        named = {"operator": self.node.op, "output": self.node.outputs[0].name if self.node.outputs else ""}
        rest = {name: value for name, value in vars(self).items() if name not in ("node", "blocker")}
        return named | {"mapped": self.mapped} | rest | {"blocker": self.blocker and self.blocker.label}


@dataclass(frozen=True)
class Prediction:
    """operators: in file order. refused: why the compiler would not take the file at all.

    freed: how many more operators would be mapped if that one could be, itself among them, where that is any; the most
    first.
    """

    operators: tuple[Verdict, ...]
    refused: tuple[str, ...]
    freed: tuple[tuple[Node, int], ...]

    @cached_property
    def mapped(self) -> int:
        """How many operators run on the device, once nothing keeps the compiler from reading the file."""
        return sum(verdict.mapped for verdict in self.operators)

    @property
    def share(self) -> float:
        """The part of the operators that runs on the device, 0 to 1; 0 where the compiler refuses the file."""
        return self.mapped / len(self.operators) if self.operators and not self.refused else 0.0

    @property
    def parameter_bytes(self) -> int:
        return sum(verdict.parameter_bytes for verdict in self.operators)

    def counts(self) -> Counter[tuple[str, str]]:
        """Operators by name, CUSTOM for those, and status."""
        return Counter((verdict.node.opcode.name, verdict.status) for verdict in self.operators)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "predicted": True,
            "refused": list(self.refused),
            "operators": len(self.operators),
            "mapped": self.mapped,
            "share": self.share,
            "parameter_bytes": self.parameter_bytes,
            "freed": [{"operator": node.label, "operators": count} for node, count in self.freed],
            "verdicts": [verdict.to_dict() for verdict in self.operators],
        }


def check(model: Model) -> Prediction:
    """What the Edge TPU compiler 16.0 is predicted to map of a model, operator by operator.

    The rules are those of `pyquant.targets.edgetpu`; each says whether published files verify it, Google's page
    documents it, or it is assumed.

    >>> prediction = check(pq.open("model_int8.tflite"))  # doctest: +SKIP
    >>> print(prediction.mapped, "of", len(prediction.operators))  # doctest: +SKIP
    """
    nodes = model.main.nodes
    problems = [foremost(node) for node in nodes]
    alone = np.array([problem is None for problem in problems], bool)
    obstacles = np.flatnonzero(~alone)[: HYPOTHESES // max(len(nodes), 1)]
    # the first hypothesis is how it is, the others that one obstacle is out of the way
    supported = np.repeat(alone[:, None], 1 + len(obstacles), axis=1)
    supported[obstacles, 1 + np.arange(len(obstacles))] = True
    before = sources(nodes)
    made = mapped(before, supported)
    blockers = _blockers(before, alone, made[:, 0])
    verdicts = [
        _mapped(node) if is_in else _unmapped(node, problem, None if place is None else nodes[place])
        for node, problem, place, is_in in zip(nodes, problems, blockers, made[:, 0], strict=True)
    ]
    more = made.sum(axis=0)[1:] - made[:, 0].sum()
    order = np.argsort(-more, kind="stable")
    freed = tuple((nodes[obstacles[i]], int(more[i])) for i in order if more[i] > 0)
    return Prediction(tuple(verdicts), tuple(_refusals(model)), freed)


def foremost(node: Node) -> Problem | None:
    """What the compiler would name as the reason not to map a node: its own rules come before what any target has."""
    return min(EDGETPU.of_node(node), key=lambda problem: problem.gap is None, default=None)


def _blockers(before: list[list[int]], supported: np.ndarray, made: np.ndarray) -> list[int | None]:
    """For each node the place of the first one before it that follows from a mapped node and is not supported."""
    follows = np.zeros(len(before), bool)
    found: list[int | None] = []
    cause: list[int | None] = []  # the node itself, where it is such a one
    for i, places in enumerate(before):
        follows[i] = any(made[p] or follows[p] for p in places)
        found.append(min((c for p in places if (c := cause[p]) is not None), default=None))
        cause.append(i if found[i] is None and follows[i] and not supported[i] else found[i])
    return found


def _mapped(node: Node) -> Verdict:
    return Verdict(node, MAPPED, evidence=KNOWN[node.op], parameter_bytes=parameter_bytes(node))


def _unmapped(node: Node, problem: Problem | None, blocker: Node | None) -> Verdict:
    if problem is None:
        assert blocker is not None
        return Verdict(node, ONE_SUBGRAPH, f"it follows from {blocker.label}", VERIFIED, blocker=blocker)
    if problem.gap is None:
        status, evidence = PLAIN[problem.rule]
        return Verdict(node, status, problem.reason, evidence, problem.remedy, blocker)
    gap = problem.gap
    return Verdict(node, gap.status, f"the compiler {gap.reason}", gap.evidence, gap.remedy, blocker)


def _refusals(model: Model) -> list[str]:
    """Each reason once, with the first place that it holds for."""
    found: dict[str, str] = {}
    if any(map(is_compiled, model.main.nodes)):
        found["compiled"] = "the model: it is compiled already"
    elif not any(t.dtype in (INT8, UINT8) and t.is_quantized for node in model.main.nodes for t in node.outputs):
        found["quantized"] = "the model: it is not quantized to 8 bits"  # "Model not quantized", in users' threads
    for problem in EDGETPU.problems(model):
        if problem.fatal:
            found.setdefault(
                f"{problem.rule} {problem.reason}" if problem.tensor is None else problem.rule, str(problem)
            )
    return list(found.values())
