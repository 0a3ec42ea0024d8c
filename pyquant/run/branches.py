"""What a plan cannot settle beforehand: which subgraph runs, how often, and the shapes that only values tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pyquant.errors import GraphError, RangeError
from pyquant.graph import Node, Tensor
from pyquant.run.limits import Limits
from pyquant.run.plan import Plan, Session

Shape = tuple[int, ...]
Arrays = Sequence[np.ndarray]
MaybeArrays = Sequence["np.ndarray | None"]
Evaluate = Callable[[Session, MaybeArrays], Sequence[np.ndarray]]

FLOWS = ("branch", "loop")  # operators that run subgraphs, by Operator.flow
MOST_PLANS = 16  # of one family; beyond, the oldest goes
ROUND = 10**6  # operations that a round of a loop counts at least, as it goes through Python


class Family:
    """The plans of the same nodes for whatever shapes their inputs come in. plan: makes one."""

    def __init__(self, plan: Callable[[Sequence[Shape]], Plan]) -> None:
        self._plan = plan
        self._plans: dict[tuple[Shape, ...], Plan] = {}
        self._lock = threading.Lock()

    def of(self, shapes: Sequence[Shape]) -> Plan:
        key = tuple(shapes)
        with self._lock:
            if key not in self._plans:
                self._plans[key] = self._plan(key)
                if len(self._plans) > MOST_PLANS:
                    del self._plans[next(iter(self._plans))]
            return self._plans[key]

    def run(self, session: Session, arrays: Arrays) -> list[np.ndarray]:
        """The outputs, by the plan for these arrays, with the variables of the session."""
        plan = self.of([a.shape for a in arrays])
        found = session.child(plan).run_within(session, arrays)
        return [found[t] for t in plan.outputs]


@dataclass(frozen=True)
class Branch:
    """One of two subgraphs, by a truth value, which comes first among the arrays."""

    label: str
    yes: Family
    no: Family

    def shapes(self, given: Sequence[Shape]) -> Sequence[Shape] | None:
        """Of the outputs; None where they depend on values."""
        found = [plan.output_shapes for plan in (self.yes.of(given[1:]), self.no.of(given[1:]))]
        return found[0] if found[0] == found[1] else None

    def __call__(self, session: Session, given: MaybeArrays) -> list[np.ndarray]:
        arrays = present(given)
        family = self.yes if truth(self.label, arrays[0]) else self.no
        return family.run(session, arrays[1:])


@dataclass(frozen=True)
class Loop:
    """A subgraph that runs on its own outputs as long as another one says so."""

    label: str
    limits: Limits
    condition: Family
    body: Family

    def shapes(self, given: Sequence[Shape]) -> Sequence[Shape] | None:
        """Of the outputs; None where they may change from round to round."""
        self.condition.of(given)
        return given if self.body.of(given).output_shapes == list(given) else None

    def __call__(self, session: Session, given: MaybeArrays) -> list[np.ndarray]:
        values, spent = present(given), 0
        while truth(self.label, self.condition.run(session, values)[0]):
            cost = self.body.of([a.shape for a in values]).needs.operations
            spent += max(ROUND, cost)
            if spent > self.limits.operations:
                raise RangeError(f"{self.label}: its rounds take more than {self.limits.operations} operations")
            values = self.body.run(session, values)
        return values


class Settled:
    """A node whose outputs' shapes follow from a few numbers among its inputs: a plan for those that come again.

    evaluate: the outputs by the reference, whatever the numbers. numbers: the indices of these inputs. plan: from their
    values a plan of the node, which takes the inputs `given`; None where they do not settle the shapes.
    """

    def __init__(
        self, evaluate: Evaluate, numbers: Sequence[int], given: Sequence[int], plan: Callable[[Arrays], Plan | None]
    ) -> None:
        self._evaluate, self._numbers, self._given, self._plan = evaluate, numbers, given, plan
        self._met: set[tuple[bytes, ...]] = set()
        self._plans: dict[tuple[bytes, ...], Plan | None] = {}
        self._lock = threading.Lock()

    def __call__(self, session: Session, arrays: MaybeArrays) -> Sequence[np.ndarray]:
        plan = self._plan_of(present([arrays[i] for i in self._numbers]))
        if plan is None:
            return self._evaluate(session, arrays)
        found = session.child(plan).run_within(session, present([arrays[i] for i in self._given]))
        return [found[t] for t in plan.outputs]

    def _plan_of(self, numbers: Arrays) -> Plan | None:
        """None for numbers that come for the first time: planning pays only for what comes often."""
        key = tuple(a.tobytes() for a in numbers)
        with self._lock:
            if key in self._plans:
                return self._plans[key]
            if key not in self._met:
                self._met = {key} if len(self._met) >= MOST_PLANS else {*self._met, key}
                return None
            self._plans[key] = self._plan([a.copy() for a in numbers])
            if len(self._plans) > MOST_PLANS:
                del self._plans[next(iter(self._plans))]
            return self._plans[key]


def present(arrays: MaybeArrays) -> list[np.ndarray]:
    return [a for a in arrays if a is not None]


def truth(label: str, value: np.ndarray) -> bool:
    if value.dtype != np.bool_ or value.size != 1:
        raise GraphError(f"{label}: its condition is {value.dtype} {value.shape}, expected one truth value")
    return bool(value.item())


@dataclass(frozen=True)
class Rest:
    """A node whose outputs' shapes follow from values, and all nodes after it.

    evaluate: the node's outputs from its inputs, of which there are `count`. family: the later nodes, from what they
    read of what was known before, and then the node's outputs.
    """

    node: Node
    evaluate: Evaluate
    count: int
    family: Family

    def __call__(self, session: Session, arrays: MaybeArrays) -> Mapping[Tensor, np.ndarray]:
        """What the later nodes were asked for. arrays: the node's inputs, then what else they read."""
        made = self.evaluate(session, arrays[: self.count])
        given = present((*arrays[self.count :], *made))
        return session.child(self.family.of([a.shape for a in given])).run_within(session, given)
