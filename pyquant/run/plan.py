"""A compiled model: a Plan never changes and serves many callers; a Session is its memory, for one caller at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pyquant import native
from pyquant.dtypes import STRING
from pyquant.errors import BusyError, OptionError, RangeError
from pyquant.graph import Node, Tensor
from pyquant.ops import Launch
from pyquant.run.feeds import Names, bind
from pyquant.run.limits import Limits
from pyquant.run.memory import Timeline
from pyquant.run.observation import Observation, Recent, clear, record_in
from pyquant.run.profile import Profile

SUBGRAPHS, BY_VALUES = "subgraphs", "by values"  # kernels of steps that run other plans
MOST_CHILDREN = 64  # sessions of other plans that one keeps

NumpyWork = Callable[[Sequence["np.ndarray | None"]], Sequence[np.ndarray]]


# Runs other plans, in the session that it gets -> its results; or, as the last step, all that is left to give.
SessionWork = Callable[["Session", Sequence["np.ndarray | None"]], "Sequence[np.ndarray] | Mapping[Tensor, np.ndarray]"]


class CWork(NamedTuple):
    """A kernel with its constants, and how its units are dealt out.

    reference: computes the same, and says what is wrong with inputs for which the kernel has no result.
    """

    row: native.Row
    params: native.Params
    launch: Launch
    chunk: int
    reference: NumpyWork | None = None

    @property
    def name(self) -> str:
        return self.row.name


class Step(NamedTuple):
    """One line of a plan's listing: what runs a node.

    kernel: a C kernel by its full name (conv2d_s8_x86_avx2); "numpy" for the reference; "view" where inputs and outputs
    are the same memory; "constant" for what was computed while compiling; "nothing" where the outputs are empty;
    "subgraphs" for control flow; "by values" for a node whose outputs' shapes follow from values, with all after it.
    """

    op: str
    kernel: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    node: Node | None = None  # None for an observer
    work: CWork | NumpyWork | SessionWork | None = None
    before: tuple[Node, ...] = ()  # nodes that it does, too, so that what they make is nowhere

    @property
    def ops(self) -> str:
        """All that it does, PAD + CONV_2D."""
        return " + ".join([*(node.op for node in self.before), self.op])

    def __str__(self) -> str:
        return f"{self.ops:<24} {self.kernel:<32} {', '.join(t.name for t in self.outputs)}"


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the values of a plan are."""

    arena_bytes: int
    offsets: Mapping[Tensor, int]
    constants: Mapping[Tensor, np.ndarray]
    variables: tuple[tuple[Tensor, int | bytes | np.ndarray], ...]  # with what they start from, one code or an array
    observers: Mapping[Tensor, Tensor]  # observed tensor -> the record's, see observation.py
    shown: Mapping[Tensor, Tensor]  # tensor of the model -> what stands in for it, where it is not itself
    timeline: Callable[[], Timeline]


class Plan:
    """A model made ready to run. `plan(x)` runs it; `print(plan)` lists its steps.

    steps: what runs each node. arena_bytes: memory of one session. needs: the least limits that compile takes for it.
    Every call starts from the variables' initial state.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        work: Sequence[range | Step],
        program: native.Plan,
        layout: Layout,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        keep: Sequence[Tensor],
        names: Names,
        threads: int,
        needs: Limits,
    ) -> None:
        self.needs = needs
        self.steps, self.inputs, self.outputs, self.threads = tuple(steps), tuple(inputs), tuple(outputs), threads
        self._work, self._program, self._layout, self._keep, self._names = work, program, layout, keep, names
        self._c_steps = [step for step in self.steps if isinstance(step.work, CWork)]  # those of the program
        self._idle: list[Session] = []

    @property
    def kept(self) -> tuple[Tensor, ...]:
        """The tensors whose values a session still has after a run, as far as they are known before it."""
        return tuple(self._keep)

    def shape_of(self, tensor: Tensor) -> tuple[int, ...]:
        """The shape that a tensor of the model has in this plan; as declared where only a run knows."""
        return self._layout.shown.get(tensor, tensor).shape

    @property
    def output_shapes(self) -> list[tuple[int, ...]] | None:
        """Of the outputs, in their order; None where some follow from values that only a run knows."""
        if self.steps and self.steps[-1].kernel == BY_VALUES:
            return None
        return [self.shape_of(t) for t in self.outputs]

    @property
    def arena_bytes(self) -> int:
        return self._layout.arena_bytes

    def timeline(self) -> Timeline:
        """Which tensor has which bytes of the arena from when to when. The steps are those of the listing, from 0."""
        return self._layout.timeline()

    def __call__(self, /, *inputs: Any, **inputs_by_name: Any) -> np.ndarray | tuple[np.ndarray, ...]:
        """The output array, or a tuple of them in the model's order. inputs: arrays, or one mapping by name or tensor.

        Raises DataError or ShapeError for inputs that do not fit.
        """
        session = self._borrowed()
        try:
            return session(*inputs, **inputs_by_name)
        finally:
            self._idle.append(session)

    def run(self, /, *inputs: Any, **inputs_by_name: Any) -> dict[Tensor, np.ndarray]:
        """The outputs and the tensors that compile was told to keep, as {tensor: array}."""
        session = self._borrowed()
        try:
            return session.run(*inputs, **inputs_by_name)
        finally:
            self._idle.append(session)

    def session(self) -> Session:
        """Memory of one's own, which keeps variables and observations from run to run."""
        return Session(self)

    def profile(self, /, *inputs: Any, runs: int = 10, **inputs_by_name: Any) -> Profile:
        """Where the time goes: for each step the median of `runs` runs, and its costs. Inputs default to zeros.

        Raises OptionError for fewer than one run.
        """
        if runs < 1:
            raise OptionError(f"runs: found {runs}, expected at least 1")
        shown = [self._layout.shown.get(t, t) for t in self.inputs]
        zeros = [] if inputs or inputs_by_name else [np.full(t.shape, t.dtype.zero, t.dtype.numpy) for t in shown]
        timed = self.session().profile(self._bind(inputs or zeros, inputs_by_name), runs)
        return Profile.of(timed, self.threads)

    def __reduce__(self) -> str:
        raise TypeError("a Plan cannot be pickled or copied, as C holds it: compile the model where it is needed")

    def __str__(self) -> str:
        count = sum(step.kernel == "numpy" for step in self.steps)
        note = f"; {count} run in NumPy" if count else ""
        return "\n".join([*map(str, self.steps), f"{len(self.steps)} steps{note}; arena {self.arena_bytes} bytes"])

    def _bind(self, inputs: Sequence[Any], by_name: Mapping[str, Any]) -> dict[Tensor, np.ndarray]:
        return bind(self.inputs, self._names, inputs, by_name, self._layout.shown)

    def _borrowed(self) -> Session:
        """A session in its initial state, to be put back among the idle ones."""
        try:
            session = self._idle.pop()  # one call in CPython, so that two threads never take the same
        except IndexError:
            return Session(self)
        if self._layout.variables:
            session.reset()
        return session


class Session:
    """The memory of a plan: its arena, with variables and observations that last from run to run.

    One caller at a time: a second one gets BusyError.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        try:
            self._native = native.Session(plan._program)
        except MemoryError:
            raise RangeError(f"there is no memory for an arena of {plan.arena_bytes} bytes") from None
        self._shown = plan._layout.shown
        self._views: dict[Tensor, np.ndarray] = {}
        self._late: dict[Tensor, np.ndarray] = {}  # what the last run computed beyond this plan
        self._children: dict[Plan, Session] = {}
        self._variables = {t: self._view(t) for t, _ in plan._layout.variables}  # those of children, too
        self._work = [w if isinstance(w, range) else self._bound(w) for w in plan._work]
        self._lock = threading.Lock()
        self._fed = [self._view(t) for t in plan.inputs]
        self._kinds = [(view.dtype, view.shape) for view in self._fed]
        self._takes_all = all(t.dtype is not STRING for t in plan.inputs)  # whose elements need no look
        self._given = None if plan.output_shapes is None else [self._view(t) for t in plan.outputs]
        self.reset()
        self.forget()

    def __call__(self, /, *inputs: Any, **inputs_by_name: Any) -> np.ndarray | tuple[np.ndarray, ...]:
        """As Plan's, but variables go on from where the last run left them."""
        outputs = self._run(self._plan.outputs, inputs, inputs_by_name)
        return outputs[0] if len(outputs) == 1 else outputs

    def run(self, /, *inputs: Any, **inputs_by_name: Any) -> dict[Tensor, np.ndarray]:
        """As Plan's, but variables go on from where the last run left them."""
        kept = self._plan._keep
        found = dict(zip(kept, self._run(kept, inputs, inputs_by_name), strict=True))
        return {**found, **self._late}

    def reset(self) -> None:
        """Set every variable to its initial state."""
        self._variables = {t: self._view(t) for t, _ in self._plan._layout.variables}
        for tensor, value in self._plan._layout.variables:
            self._view(tensor)[...] = value

    def variables(self) -> dict[Tensor, np.ndarray]:
        """What the variables hold now."""
        return {t: value.copy() for t, value in self._variables.items()}

    def observations(self) -> dict[Tensor, Observation]:
        """What the observed tensors held since the session began, or since `forget`."""
        return {t: Observation.of(records) for t, records in self._records().items()}

    def recent(self) -> dict[Tensor, Recent]:
        """What the observed tensors held since the last call. The ranges of `observations` begin anew by this."""
        return {t: Recent.taken(records) for t, records in self._records().items()}

    def forget(self) -> None:
        """Begin the observations anew."""
        for tensor in self._plan._layout.observers.values():
            clear(record_in(self._view(tensor)))
        for child in self._children.values():
            child.forget()

    def _records(self) -> dict[Tensor, list[np.ndarray]]:
        """The records of each observed tensor, in this session and its children."""
        found = {t: [record_in(self._view(r))] for t, r in self._plan._layout.observers.items()}
        for child in self._children.values():
            for tensor, records in child._records().items():
                found.setdefault(tensor, []).extend(records)
        return found

    def value(self, tensor: Tensor) -> np.ndarray:
        """The memory of an input, an output or a kept tensor: what it holds now, to be read, and of inputs written."""
        return self._late[tensor] if tensor in self._late else self._view(tensor)

    def invoke(self) -> None:
        """Run on what the inputs hold."""
        self._claim()
        try:
            for work in self._work:
                self._do(work)
        finally:
            self._lock.release()

    def child(self, plan: Plan) -> Session:
        """The session in which this one runs another plan."""
        if plan not in self._children:
            if len(self._children) >= MOST_CHILDREN:
                del self._children[next(iter(self._children))]
            self._children[plan] = Session(plan)
        return self._children[plan]

    def run_within(self, parent: Session, arrays: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
        """As `run`, for a plan's inputs in their order, with the variables of another session."""
        for tensor, own in self._variables.items():
            own[...] = parent._variables.setdefault(tensor, own.copy())
        found = self.run(*arrays)
        for tensor, own in self._variables.items():
            parent._variables[tensor][...] = own
        return found

    def profile(self, feeds: Mapping[Tensor, np.ndarray], runs: int) -> list[tuple[Step, float]]:
        """The median seconds of each timed step over `runs` runs."""
        single = [step for work in self._work for step in _single_steps(work)]
        seconds = np.zeros((runs, len(single)))
        self._claim()
        try:
            for run in range(runs):
                for tensor, array in feeds.items():
                    self._view(tensor)[...] = array
                for i, work in enumerate(single):
                    start = time.perf_counter_ns()
                    self._do(work)
                    seconds[run, i] = (time.perf_counter_ns() - start) * 1e-9
        finally:
            self._lock.release()
        timed = [step for step in self._plan.steps if step.work is not None]
        return list(zip(timed, np.median(seconds, axis=0).tolist(), strict=True))

    def _run(
        self, wanted: Sequence[Tensor], inputs: Sequence[Any], by_name: Mapping[str, Any]
    ) -> tuple[np.ndarray, ...]:
        if by_name or not self._fit(inputs):
            feeds = self._plan._bind(inputs, by_name)
            inputs = [feeds[t] for t in self._plan.inputs]
        self._claim()
        try:
            for i, view in enumerate(self._fed):
                view[...] = inputs[i]
            for work in self._work:
                self._do(work)
            known = self._given if wanted is self._plan.outputs else None
            return tuple([view.copy() for view in known or [self.value(t) for t in wanted]])
        finally:
            self._lock.release()

    def _fit(self, inputs: Sequence[Any]) -> bool:
        """Whether these are arrays that need no look at names, types and shapes: much of a small model's call."""
        if len(inputs) != len(self._kinds) or not self._takes_all:
            return False
        for i, (dtype, shape) in enumerate(self._kinds):
            array = inputs[i]
            if type(array) is not np.ndarray or array.dtype is not dtype or array.shape != shape:
                return False
        return True

    def _do(self, work: range | Callable[[], None]) -> None:
        if not isinstance(work, range):
            work()
        elif (failed := self._native.run(work.start, work.stop, self._plan.threads)) >= 0:
            self._refuse(self._plan._c_steps[failed])

    def _refuse(self, step: Step) -> None:
        """Raise what the reference does with inputs for which the kernel of a step has no result."""
        assert isinstance(step.work, CWork) and step.work.reference is not None
        step.work.reference([None if t is None else self._view(t) for t in step.inputs])
        raise AssertionError(f"{step}: the kernel has no result for inputs for which its reference has one")

    def _bound(self, step: Step) -> Callable[[], None]:
        """A step of NumPy or of other plans, tied to this session's memory."""
        outputs = [self._view(t) for t in step.outputs]
        assert callable(step.work)
        function: Any = partial(step.work, self) if step.kernel in (SUBGRAPHS, BY_VALUES) else step.work  # type: ignore[arg-type]
        inputs = [None if t is None else self._view(t).view() for t in step.inputs]
        for tensor, array in zip(step.inputs, inputs, strict=True):
            if tensor is not None and array is not None and not tensor.is_variable:
                array.flags.writeable = False  # a reference writes only what it makes

        def run_rest() -> None:
            self._late = function(inputs)

        def run() -> None:
            for output, result in zip(outputs, function(inputs), strict=True):
                output[...] = result

        return run_rest if step.kernel == BY_VALUES else run

    def _view(self, tensor: Tensor) -> np.ndarray:
        """The memory of a tensor. -> its shape and type"""
        tensor = self._shown.get(tensor, tensor)
        view = self._views.get(tensor)
        if view is None:
            view = self._views[tensor] = self._made_view(tensor)
        return view

    def _made_view(self, tensor: Tensor) -> np.ndarray:
        layout, kind = self._plan._layout, tensor.dtype.numpy
        assert kind is not None
        if tensor in layout.constants:
            return layout.constants[tensor]
        if tensor.dtype is STRING:
            return np.full(tensor.shape, tensor.dtype.zero, kind)
        start = layout.offsets[tensor]
        return self._native.arena[start : start + tensor.size * kind.itemsize].view(kind).reshape(tensor.shape)

    def _claim(self) -> None:
        """Take the lock, to be released after the run."""
        if not self._lock.acquire(False):
            raise BusyError("the session is running in another thread: give each thread its own, or call the plan")


def _single_steps(work: range | Callable[[], None]) -> list[range | Callable[[], None]]:
    return [range(i, i + 1) for i in work] if isinstance(work, range) else [work]
