"""From a model to a plan: folds constants, lets every node choose what runs it, and gives every value its memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pyquant import native
from pyquant.dtypes import FLOAT32
from pyquant.errors import GraphError, OptionError, UnsupportedOp
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.run.arena import Block, place
from pyquant.run.choose import Chooser
from pyquant.run.feeds import input_names, subgraph_of
from pyquant.run.interpret import constant_value, initial_code
from pyquant.run.limits import Limits, Meter, unpacked_bytes
from pyquant.run.plan import CWork, Layout, Plan, Step
from pyquant.run.resolve import check_size

Constants = dict[Tensor, np.ndarray]


def compile(
    model: Model,
    threads: int = 1,
    isa: str | None = None,
    numerics: str = "tflite",
    keep: Collection[Tensor] | str = (),
    observers: Collection[Tensor] = (),
    subgraph: Subgraph | None = None,
    limits: Limits | None = None,
) -> Plan:
    """Make a model ready to run.

    isa: the best instruction set to use; None for the environment's PYQUANT_ISA, or else all that the processor has.
    numerics: where the two differ, "tflite" follows tflite-runtime 2.14 and "litert" ai-edge-litert 2.3.
    keep: tensors whose values `plan.run` returns beside the outputs; "all" for all that are fed or computed.
    observers: float32 tensors whose ranges `session.observations()` tells; those that never have a value are left out.
    limits: the most memory and work that the model may ask for; None for what a sound model of its size never needs.
    Raises UnsupportedOp, naming node and types, where neither kernel nor reference runs a node; ShapeError,
    GraphError or RangeError for a model that does not hold together; RangeError for one that goes past the limits.
    """
    graph = subgraph_of(model, subgraph)
    chooser = Chooser.of(isa, numerics, threads, limits or Limits.of(graph))
    _check_ends(graph)
    constants = _constants(graph, chooser.meter)
    steps = list(_steps(graph, chooser, constants))
    records = {t: chooser.observer(t) for t in _observable(graph, observers, steps, constants)}
    steps = _with_observers(steps, records)
    kept = _kept(graph, keep, steps, constants)
    layout = _layout(graph, steps, kept, constants, {t: step.outputs[0] for t, step in records.items()})
    chooser.meter.hold(layout.arena_bytes, "the arena")
    program, work = _program(steps, layout)
    ends = (graph.inputs, graph.outputs, kept, input_names(model, graph))
    return Plan(steps, work, program, layout, *ends, threads, chooser.meter.needs)


def _check_ends(graph: Subgraph) -> None:
    for tensor in (*graph.inputs, *graph.outputs):
        if tensor.dtype.numpy is None:
            raise UnsupportedOp(f"input or output {tensor.name!r} holds {tensor.dtype}, which cannot be run")
        check_size(tensor)


def _constants(graph: Subgraph, meter: Meter) -> Constants:
    """The values that the file holds for what the nodes and the caller read."""
    read = [t for node in graph.nodes for t in node.inputs if t is not None] + graph.outputs
    written = {*graph.inputs, *(t for node in graph.nodes for t in node.outputs)}
    constants: Constants = {}
    for tensor in read:
        if tensor not in written and tensor not in constants and not tensor.is_variable:
            check_size(tensor)
            meter.hold(unpacked_bytes(tensor) if tensor.dtype.bits < 8 else 0, f"tensor {tensor.name!r}")
            value = constant_value(tensor)
            if value is None:
                raise GraphError(f"tensor {tensor.name!r} is read, but nothing writes it")
            constants[tensor] = np.require(value, requirements=["C", "ALIGNED"])
    return constants


def _steps(graph: Subgraph, chooser: Chooser, constants: Constants) -> Iterator[Step]:
    """A step for each node, in order. Nodes of constants alone are computed here; their outputs join the constants."""
    written = set(graph.inputs)
    folded: dict[Tensor, Tensor] = {}  # computed tensor -> the constant tensor that stands for it
    for node in graph.nodes:
        _check_order(node, written, constants)
        written.update(node.outputs)
        seen = replace(node, inputs=[folded.get(t, t) if t is not None else None for t in node.inputs])
        if node.inputs and all(t is None or t in constants for t in seen.inputs):
            made = chooser.fold(seen, [None if t is None else constants[t] for t in seen.inputs])
            for tensor, constant in zip(node.outputs, made, strict=True):
                folded[tensor] = constant
                value = constant_value(constant)
                assert value is not None
                constants[tensor] = constants[constant] = np.require(value, requirements=["C", "ALIGNED"])
            yield Step(node.op, "constant", (), tuple(node.outputs), node)
        else:
            yield replace(chooser.step(seen), node=node)


def _check_order(node: Node, written: set[Tensor], constants: Constants) -> None:
    for tensor in node.inputs:
        if tensor is not None and tensor not in written and tensor not in constants and not tensor.is_variable:
            raise GraphError(f"{node.label}: input {tensor.name!r} is read before it is written")
    for tensor in node.outputs:
        if tensor in written or tensor.is_constant:
            raise GraphError(f"{node.label}: output {tensor.name!r} already has a value")


def _observable(
    graph: Subgraph, observers: Collection[Tensor], steps: Sequence[Step], constants: Constants
) -> list[Tensor]:
    valued = {*graph.inputs, *constants, *(t for step in steps for t in step.outputs)}
    for tensor in observers:
        if tensor.dtype is not FLOAT32:
            raise OptionError(f"observers: tensor {tensor.name!r} is {tensor.dtype}, expected float32")
    return [t for t in observers if t in valued]


def _with_observers(steps: Sequence[Step], records: Mapping[Tensor, Step]) -> list[Step]:
    """Each observer right after the step that makes its tensor; first of all for what no step makes."""
    made = {t for step in steps for t in step.outputs}
    result = [observer for t, observer in records.items() if t not in made]
    for step in steps:
        result += [step, *(records[t] for t in step.outputs if t in records)]
    return result


def _kept(
    graph: Subgraph, keep: Collection[Tensor] | str, steps: Sequence[Step], constants: Constants
) -> tuple[Tensor, ...]:
    computed = dict.fromkeys([*graph.inputs, *(t for step in steps if step.node for t in step.outputs)])
    kept = dict.fromkeys([*graph.outputs, *(computed if isinstance(keep, str) else keep)])
    for tensor in kept:
        if tensor not in computed and tensor not in constants:
            raise OptionError(f"keep: tensor {tensor.name!r} never has a value")
    return tuple(kept)


def _layout(
    graph: Subgraph,
    steps: Sequence[Step],
    kept: Sequence[Tensor],
    constants: Constants,
    observers: Mapping[Tensor, Tensor],
) -> Layout:
    """Arena offsets from lifetimes. A view has the memory of the tensor that it shows, which then lives as long."""
    owner: dict[Tensor, Tensor] = {}
    first: dict[Tensor, int] = dict.fromkeys(graph.inputs, -1)
    last: dict[Tensor, int] = {}
    for i, step in enumerate(steps):
        if step.kernel == "view":
            assert step.inputs[0] is not None
            owner[step.outputs[0]] = owner.get(step.inputs[0], step.inputs[0])
        for tensor in (*step.inputs, *step.outputs):
            if tensor is not None and tensor not in constants:
                home = owner.get(tensor, tensor)
                first.setdefault(home, i)
                last[home] = i
    variables = tuple((t, initial_code(t)) for t in first if t.is_variable)
    for tensor in (*(t for t, _ in variables), *observers.values()):
        first[tensor], last[tensor] = -1, len(steps)
    for tensor in kept:
        if tensor not in constants:
            last[owner.get(tensor, tensor)] = len(steps)
    blocks = [Block(unpacked_bytes(t), start, last.get(t, -1)) for t, start in first.items()]
    offsets, arena_bytes = place(blocks)
    by_owner = dict(zip(first, offsets, strict=True))
    offsets_of = by_owner | {t: by_owner[home] for t, home in owner.items()}
    return Layout(arena_bytes, offsets_of, constants, variables, observers)


def _program(steps: Sequence[Step], layout: Layout) -> tuple[native.Plan, list[range | Step]]:
    """The C steps as one program, and what a session does in turn: ranges of it, and steps of NumPy."""
    index: dict[Tensor, int] = {}
    planned: list[native.PlannedStep] = []
    work: list[range | Step] = []
    for step in steps:
        if isinstance(step.work, CWork):
            c = step.work
            inputs = tuple(None if t is None else index.setdefault(t, len(index)) for t in step.inputs)
            outputs = tuple(index.setdefault(t, len(index)) for t in step.outputs)
            planned.append(native.PlannedStep(c.row.index, c.params, inputs, outputs, c.units, c.chunk))
            before = work.pop() if work and isinstance(work[-1], range) else range(len(planned) - 1, len(planned))
            assert isinstance(before, range)
            work.append(range(before.start, len(planned)))
        elif step.work is not None:
            work.append(step)
    constants, offsets = layout.constants, layout.offsets
    tensors = [constants[t] if t in constants else native.Piece(offsets[t], unpacked_bytes(t)) for t in index]
    return native.Plan(tensors, planned, layout.arena_bytes), work
