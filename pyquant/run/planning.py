"""Plans nodes: folds constants, lets every node choose what runs it, and gives every value its memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from pyquant import native
from pyquant.dtypes import FLOAT32, STRING
from pyquant.errors import GraphError, OptionError, UnsupportedOp
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.ops import find, get
from pyquant.run.branches import FLOWS, Branch, Evaluate, Family, Loop, Rest, Settled
from pyquant.run.choose import Choice, Chooser, settled, valued
from pyquant.run.feeds import Names, input_names
from pyquant.run.flatten import Flat, Handles, Variables, flatten
from pyquant.run.fusion import Fusion
from pyquant.run.limits import unpacked_bytes
from pyquant.run.places import placed, used
from pyquant.run.plan import CWork, Layout, Plan, Step
from pyquant.run.resolve import (
    MOST_ELEMENTS,
    Resolved,
    check_shape,
    check_size,
    constant_value,
    initial_code,
    of_sound_scales,
    quietly,
    stand_ins,
)

SCALING = 36  # bytes that a kernel takes to scale a sum
MOST_NUMBERS = 16  # among the inputs of a node, of those that may settle its outputs' shapes

Constants = dict[Tensor, np.ndarray]
Shapes = Mapping["str | Tensor", Sequence[int]]  # of inputs, by name or tensor


def planned(
    model: Model,
    graph: Subgraph,
    chooser: Chooser,
    keep: Collection[Tensor] | str = (),
    observers: Collection[Tensor] = (),
    shapes: Shapes = MappingProxyType({}),
) -> Plan:
    """As compile, with the choice's circumstances."""
    if chooser.numerics == "edgetpu":
        from pyquant.targets import beside_device  # which few ask for, and takes as long to import as planning a model

        chooser = replace(chooser, elsewhere=beside_device(model, chooser.numerics))
    context = Context(chooser, Variables(), (graph,), tuple(observers))
    flat = flatten(graph, context.variables)
    _check_ends(flat)
    names = input_names(model, graph)
    given = _of_shapes(
        flat.inputs, [t.shape for t in flat.inputs]
    )  # what the file holds of an input is not what is fed
    for key, shape in shapes.items():
        tensor = names.get(key) if isinstance(key, str) else key
        if tensor not in given:
            raise OptionError(f"shapes: no input is {key!r}; the inputs are {', '.join(map(repr, names)) or 'none'}")
        given[tensor] = replace(tensor, shape=tuple(map(int, shape)), shape_signature=None)
    for tensor in given.values():
        check_size(tensor)
    for once in flat.once:
        context.initialize(once)
    return context.plan(Task(flat, given, Wanted(flat.outputs, keep, tuple(observers)), names))


@dataclass(frozen=True)
class Wanted:
    """What a plan is asked for."""

    outputs: Sequence[Tensor]
    keep: Collection[Tensor] | str = ()
    observers: Sequence[Tensor] = ()

    @property
    def tensors(self) -> set[Tensor]:
        """Those that are named."""
        return {*self.outputs, *(() if isinstance(self.keep, str) else self.keep), *self.observers}

    def beyond(self, made: Collection[Tensor]) -> Wanted:
        """What is left to ask for once some tensors are made."""
        keep = self.keep if isinstance(self.keep, str) else [t for t in self.keep if t not in made]
        return Wanted([t for t in self.outputs if t not in made], keep, [t for t in self.observers if t not in made])


@dataclass(frozen=True)
class Task:
    """Nodes to plan. given: the inputs, each with a stand-in of the shape that it has in this plan."""

    flat: Flat
    given: Mapping[Tensor, Tensor]
    wanted: Wanted
    names: Names = field(default_factory=dict)
    constants: Constants = field(default_factory=dict)  # what earlier plans have computed already
    shown: Mapping[Tensor, Tensor] = field(default_factory=dict)  # and what stands in for it


@dataclass(frozen=True)
class Context:
    """What the plans of one model share. within: the subgraphs that are being planned, the outermost first.

    observers: tensors of whatever subgraphs, to be observed where they have values.
    """

    chooser: Chooser
    variables: Variables
    within: tuple[Subgraph, ...]
    observers: tuple[Tensor, ...] = ()

    @quietly
    def plan(self, task: Task) -> Plan:
        chooser = self.chooser.afresh()
        planning = Planning(replace(self, chooser=chooser), task)
        steps = planning.fusion.needed(planning.steps())
        records = {t: chooser.observer(planning.stand_in(t)) for t in planning.observable(task.wanted.observers, steps)}
        steps = _with_observers(steps, {planning.stand_in(t): step for t, step in records.items()})
        kept = planning.kept(steps)
        steps, layout = planning.layout(steps, kept, {t: step.outputs[0] for t, step in records.items()})
        chooser.meter.hold(layout.arena_bytes, "the arena")
        chooser.packer.end()
        program, work = _program(steps, layout, chooser.packer)
        ends = (tuple(task.given), tuple(task.wanted.outputs), kept, task.names)
        return Plan(steps, work, program, layout, *ends, chooser.threads, chooser.meter.needs)

    def family(self, node: Node, graph: Subgraph, handles: Handles, inputs: Sequence[Tensor | None]) -> Family:
        """The plans of a subgraph that a node runs, with these of the node's inputs."""
        if any(graph is outer for outer in self.within):
            raise GraphError(f"{node.label}: subgraph {graph.name!r} runs itself")
        if len(graph.inputs) != len(inputs):
            raise GraphError(
                f"{node.label}: subgraph {graph.name!r} takes {len(graph.inputs)} inputs, not {len(inputs)}"
            )
        flat = flatten(graph, self.variables, [None if t is None else handles.get(t) for t in inputs])
        for inner, outer in zip(graph.inputs, inputs, strict=True):
            if outer is None or inner.dtype != outer.dtype:
                raise GraphError(f"{node.label}: input {inner.name!r} of subgraph {graph.name!r} is not {inner.dtype}")
        _check_ends(flat)
        own = replace(self, within=(*self.within, graph))
        for once in flat.once:
            own.initialize(once)

        def plan(shapes: Sequence[tuple[int, ...]]) -> Plan:
            return own.plan(Task(flat, _of_shapes(flat.inputs, shapes), Wanted(flat.outputs, (), self.observers)))

        return Family(plan)

    def initialize(self, graph: Subgraph) -> None:
        """Run what a model runs once, before anything else: its variables begin with what it leaves."""
        if graph in self.variables.initialized:
            return
        self.variables.initialized.add(graph)
        flat = flatten(graph, self.variables)
        if flat.inputs:
            raise GraphError(f"subgraph {graph.name!r}, which is called once, takes inputs")
        own = replace(self, within=(*self.within, graph))
        session = own.plan(Task(flat, {}, Wanted(flat.outputs))).session()
        session.run()
        self.variables.initial.update(session.variables())


class Planning:
    """The making of one plan. constants: values known so far; shown: what stands in for a tensor, if not itself."""

    def __init__(self, context: Context, task: Task) -> None:
        self.context, self.task = context, task
        self.chooser = context.chooser
        self.nodes = task.flat.nodes
        self.shown = {**task.shown, **{t: own for t, own in task.given.items() if t is not own}}
        self.written = set(task.given)
        self.constants = context.chooser.values
        self.constants |= {**task.constants, **self._constants_of_file()}
        if self.chooser.packs:
            self.chooser.packer.foresee(self._weight_bytes())
        self.rest: list[Node] = []
        wanted = task.wanted
        self.fusion = Fusion(self.chooser, wanted.keep if isinstance(wanted.keep, str) else wanted.tensors)

    def stand_in(self, tensor: Tensor) -> Tensor:
        return self.shown.get(tensor, tensor)

    def steps(self) -> list[Step]:
        """A step for each node, in order. The last one may stand for all that is left.

        Each pass is over all nodes, as the processor then finds its code and what it learnt of it in its caches.
        """
        chosen = [one if isinstance(one, Step) else self.fusion.choose(*one) for one in self._resolved()]
        return [self.chooser.made(one) if isinstance(one, Choice) else one for one in chosen]

    def _resolved(self) -> list[Step | tuple[Node, Node, Resolved | None]]:
        """What there is to choose for each node, as `Fusion.choose` takes it; steps where there is no choice.

        Nodes of constants alone are computed here; their outputs join the constants.
        """
        found: list[Step | tuple[Node, Node, Resolved | None]] = []
        for i, node in enumerate(self.nodes):
            self._check_order(node)
            seen = self._seen(node) if self.shown else node
            resolved = None
            operator = find(node.op)
            if operator is not None and operator.flow in FLOWS:
                flow, shapes = self._flow(seen, operator.flow)
            else:
                resolved = self.chooser.resolved(seen)
                flow, shapes = None, settled(resolved[1])
            if shapes is None:
                found.append(self._rest(i, seen, flow))
                break
            self.written.update(node.outputs)
            made = stand_ins(node, seen, shapes)
            if made is not node.outputs and resolved is not None:
                for tensor, shape in zip(made, shapes, strict=True):
                    check_shape(node, tensor, shape)
            if made is not node.outputs and made != node.outputs:
                self.shown.update((t, own) for t, own in zip(node.outputs, made, strict=True) if t is not own)
                seen, resolved = replace(seen, outputs=made), None
            if flow is not None:
                found.append(Step(node.op, "subgraphs", self._values(seen), tuple(made), node, flow))
            elif operator is not None and (operator.by_shape or (operator.pure and self._known(node))):
                self._fold(node, seen)
                found.append(Step(node.op, "constant", (), tuple(map(self.stand_in, node.outputs)), node))
            else:
                found.append((node, seen, resolved))
        return found

    def _seen(self, node: Node) -> Node:
        """The node with what stands in for its inputs."""
        inputs = [None if t is None else self.stand_in(t) for t in node.inputs]
        return node if inputs == node.inputs else replace(node, inputs=inputs)

    def _known(self, node: Node) -> bool:
        """Whether all that a node reads has a value already."""
        for tensor in node.inputs:
            if tensor is not None and tensor not in self.constants:
                return False
        return bool(node.inputs)

    def _fold(self, node: Node, seen: Node) -> None:
        arrays = [None if t is None else self.constants.get(t) for t in node.inputs]
        for tensor, constant in zip(node.outputs, self.chooser.fold(seen, arrays), strict=True):
            value = constant_value(constant)
            assert value is not None
            self.shown[tensor] = constant
            self.constants[tensor] = self.constants[constant] = _in_c_order(value)

    def _flow(self, node: Node, kind: str) -> tuple[Branch | Loop, list[tuple[int, ...]] | None]:
        """What runs the subgraphs of a node, and the shapes of its outputs where they are known."""
        handles, (first, second) = self.task.flat.handles, _two(node)
        flow: Branch | Loop
        if kind == "branch":
            families = [self.context.family(node, graph, handles, node.inputs[1:]) for graph in (first, second)]
            flow = Branch(node.label, *families)
        else:
            families = [self.context.family(node, graph, handles, node.inputs) for graph in (first, second)]
            flow = Loop(node.label, self.chooser.meter.limits, *families)
        for graph in (first, second) if kind == "branch" else (second,):
            if [t.dtype for t in graph.outputs] != [t.dtype for t in node.outputs]:
                raise GraphError(
                    f"{node.label}: the outputs of subgraph {graph.name!r} have other types or another number"
                )
        shapes = flow.shapes([t.shape for t in self._values(node) if t is not None])
        return flow, None if shapes is None else list(shapes)

    def _values(self, node: Node) -> tuple[Tensor | None, ...]:
        """The inputs of a node that are no handles."""
        return tuple(t for t in node.inputs if t not in self.task.flat.handles)

    def _rest(self, i: int, seen: Node, flow: Branch | Loop | None) -> Step:
        """The node with outputs of unknown shapes, and what is left after it."""
        node, self.rest = self.nodes[i], self.nodes[i:]
        later = self.nodes[i + 1 :]
        wanted = self.task.wanted.beyond({*self.written, *self.constants})
        read = {t for n in later for t in n.inputs if t is not None}
        before = [t for t in self.written if t in read and t not in self.constants and not t.is_variable]
        flat = replace(self.task.flat, nodes=later, outputs=list(wanted.outputs))
        inputs, constants, shown = [*before, *node.outputs], dict(self.constants), dict(self.shown)
        context = self.context
        for n in later:
            self.chooser.known(n)

        def plan(shapes: Sequence[tuple[int, ...]]) -> Plan:
            return context.plan(Task(flat, _of_shapes(inputs, shapes), wanted, {}, constants, shown))

        values = self._values(seen)
        rest = Rest(node, flow or self._settled(seen), len(values), Family(plan))
        return Step(node.op, "by values", (*values, *map(self.stand_in, before)), (), node, rest)

    def _settled(self, node: Node) -> Evaluate:
        """What computes a node with outputs of unknown shapes."""
        evaluate, context = self.chooser.dynamic(node), self.context
        slots = get(node.op).slots(node.inputs)
        fed = {i: t for i, t in enumerate(node.inputs) if t is not None and t.data is None and not t.is_variable}
        numbers = [i for i, t in fed.items() if slots[i].role == "data" and t.size <= MOST_NUMBERS]
        given = {t: i for i, t in fed.items() if i not in numbers}
        if self.chooser.references or not numbers:
            return evaluate

        def plan(values: Sequence[np.ndarray]) -> Plan | None:
            known = {i: valued(node.inputs[i], value) for i, value in zip(numbers, values, strict=True)}
            seen = replace(node, inputs=[known.get(i, t) for i, t in enumerate(node.inputs)])
            shapes = context.chooser.shapes(seen)
            if shapes is None:
                return None
            seen.outputs = list(_of_shapes(node.outputs, shapes).values())
            flat = Flat([seen], list(given), seen.outputs, {}, [])
            return context.plan(Task(flat, {t: t for t in given}, Wanted(seen.outputs)))

        return Settled(evaluate, numbers, list(given.values()), plan)

    def _constants_of_file(self) -> Constants:
        """The values that the file holds for what the nodes and the caller read."""
        read = [t for node in self.nodes for t in node.inputs if t is not None] + list(self.task.wanted.outputs)
        made = [t for node in self.nodes for t in node.outputs]
        known = {*self.task.given, *made, *self.task.flat.handles, *self.task.constants}
        constants: Constants = {}
        for tensor in dict.fromkeys(read):
            if tensor in known or tensor.is_variable:
                continue
            if tensor.dtype.bits < 8 or tensor.sparsity is not None or tensor.lookup is not None:
                check_size(tensor)
                self.chooser.meter.hold(unpacked_bytes(tensor), f"tensor {tensor.name!r}")
            value = tensor.data
            if value is None or value.size > MOST_ELEMENTS:
                check_size(tensor)
                value = constant_value(tensor)
            if value is None:
                raise GraphError(f"tensor {tensor.name!r} is read, but nothing writes it")
            constants[tensor] = _in_c_order(value)
        self.chooser.sound.sized.update(dict.fromkeys(constants, 0))
        self.chooser.sound.scaled.update(of_sound_scales(constants))
        return constants

    def _weight_bytes(self) -> int:
        """About what kernels will lay out: weights in another order, and what scales the sum of each whole bias."""
        read = [node.inputs for node in self.nodes if (found := find(node.op)) is not None and found.contraction]
        values = [v for inputs in read for t in inputs if t is not None and (v := self.constants.get(t)) is not None]
        return sum([v.nbytes if v.ndim > 1 or v.dtype.kind == "f" else SCALING * v.size for v in values])

    def _check_order(self, node: Node) -> None:
        for tensor in node.inputs:
            if tensor is None or tensor in self.written or tensor in self.constants or tensor.is_variable:
                continue
            if tensor not in self.task.flat.handles:
                raise GraphError(f"{node.label}: input {tensor.name!r} is read before it is written")
        for tensor in node.outputs:
            if tensor in self.written or tensor.is_constant:
                raise GraphError(f"{node.label}: output {tensor.name!r} already has a value")

    def observable(self, observers: Sequence[Tensor], steps: Sequence[Step]) -> list[Tensor]:
        """Those of the observers that have a value in this plan."""
        for tensor in observers:
            if tensor.dtype is not FLOAT32:
                raise OptionError(f"observers: tensor {tensor.name!r} is {tensor.dtype}, expected float32")
        return [t for t in observers if t in self.written or t in self.constants]

    def kept(self, steps: Sequence[Step]) -> tuple[Tensor, ...]:
        """The outputs and the tensors to keep that have a value in this plan."""
        wanted, later = self.task.wanted, {t for node in self.rest for t in node.outputs}
        computed = dict.fromkeys(
            [*self.task.given, *(t for s in steps if s.node for t in s.node.outputs if t in self.written)]
        )
        kept = dict.fromkeys([*wanted.outputs, *(computed if isinstance(wanted.keep, str) else wanted.keep)])
        for tensor in kept:
            if not (tensor in computed or tensor in self.constants or tensor in later):
                raise OptionError(f"keep: tensor {tensor.name!r} never has a value")
        return tuple(t for t in kept if t not in later)

    def layout(
        self, steps: Sequence[Step], kept: Sequence[Tensor], observers: Mapping[Tensor, Tensor]
    ) -> tuple[list[Step], Layout]:
        """Arena offsets from lifetimes; the steps, with views in the place of those that they leave nothing to do."""
        constants = {self.stand_in(t): value for t, value in self.constants.items()} if self.shown else self.constants
        first, last = used(steps, constants, self.task.given.values(), [*map(self.stand_in, kept), *observers.values()])
        first.update(dict.fromkeys(observers.values(), -1))  # a record goes on from run to run
        initial = self.context.variables.initial
        variables = tuple((t, initial.get(t, initial_code(t))) for t in first if t.is_variable)
        self.chooser.meter.hold(sum(unpacked_bytes(t) for t in first if t.dtype is STRING), "its strings")
        places = placed(steps, first, last)
        done = [step._replace(kernel="view", work=None) if i in places.idle else step for i, step in enumerate(steps)]
        return done, Layout(
            places.arena_bytes, places.offsets, constants, variables, observers, self.shown, places.timeline
        )


def _in_c_order(value: np.ndarray) -> np.ndarray:
    flags = value.flags
    return value if flags.c_contiguous and flags.aligned else np.require(value, requirements=["C", "ALIGNED"])


def _check_ends(flat: Flat) -> None:
    for tensor in (*flat.inputs, *flat.outputs):
        if tensor.dtype.numpy is None:
            raise UnsupportedOp(f"input or output {tensor.name!r} holds {tensor.dtype}, which cannot be run")
        check_size(tensor)


def _of_shapes(tensors: Sequence[Tensor], shapes: Sequence[tuple[int, ...]]) -> dict[Tensor, Tensor]:
    """Each tensor with itself, or a stand-in of another shape."""
    pairs = zip(tensors, shapes, strict=True)
    return {
        t: t if t.shape == s and not t.is_constant else replace(t, shape=s, shape_signature=None, buffer=None)
        for t, s in pairs
    }


def _two(node: Node) -> list[Subgraph]:
    if len(node.subgraphs) != 2:
        raise GraphError(f"{node.label}: found {len(node.subgraphs)} subgraphs, expected 2")
    return list(node.subgraphs.values())


def _with_observers(steps: Sequence[Step], records: Mapping[Tensor, Step]) -> list[Step]:
    """Each observer right after the step that makes its tensor; first of all for what no step makes."""
    if not records:
        return list(steps)
    made = {t for step in steps for t in step.outputs}
    result = [observer for t, observer in records.items() if t not in made]
    for step in steps:
        result += [step, *(records[t] for t in step.outputs if t in records)]
    return result


def _program(steps: Sequence[Step], layout: Layout, packer: native.Packer) -> tuple[native.Plan, list[range | Step]]:
    """The C steps as one program, and what a session does in turn: ranges of it, and steps of NumPy."""
    index: dict[Tensor, int] = {}
    planned: list[native.PlannedStep] = []
    work: list[range | Step] = []
    for step in steps:
        if isinstance(step.work, CWork):
            c = step.work
            read = step.inputs[: c.launch.reads]
            inputs = [None if t is None else index.setdefault(t, len(index)) for t in read]
            outputs = [index.setdefault(t, len(index)) for t in step.outputs]
            planned.append(native.PlannedStep(c.row.index, c.params, inputs, outputs, c.launch.units, c.chunk))
            before = work[-1] if work else None
            if isinstance(before, range):
                work[-1] = range(before.start, len(planned))
            else:
                work.append(range(len(planned) - 1, len(planned)))
        elif step.work is not None:
            work.append(step)
    constants, offsets = layout.constants, layout.offsets
    tensors = [constants[t] if t in constants else _piece(t, offsets[t]) for t in index]
    return native.Plan(tensors, planned, layout.arena_bytes, packer), work


def _piece(tensor: Tensor, offset: int) -> native.Piece:
    assert tensor.dtype.numpy is not None
    return native.Piece(offset, unpacked_bytes(tensor), tensor.dtype.numpy.itemsize)
