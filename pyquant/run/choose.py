"""What runs a node: the best C kernel that takes it, else its NumPy reference; checked first, as C checks nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from numbers import Integral
from typing import NamedTuple

import numpy as np

from pyquant import native
from pyquant.dtypes import STRING, UINT8
from pyquant.errors import OptionError, RangeError
from pyquant.graph import Node, Tensor
from pyquant.ops import NUMERICS, Call, Kernel, Launch
from pyquant.run.limits import (
    SMALLEST,
    Limits,
    Meter,
    content_bytes,
    operations,
    temporaries,
    unpacked_bytes,
)
from pyquant.run.observation import record_bytes
from pyquant.run.plan import CWork, NumpyWork, Step
from pyquant.run.resolve import (
    MOST_ELEMENTS,
    Resolved,
    Sound,
    arithmetic,
    check_shape,
    checked,
    computed,
    evaluate,
    quietly,
    reference,
    resolve,
    ruled_shapes,
    shapes_of,
    within_reason,
)

COPY_BLOCK = 1 << 16  # bytes that one unit of copy_u8 moves
WORTH_SHARING = 100_000  # scalar operations; below, meeting a second thread costs more than it saves
UNIT_COST = 20  # what a unit takes beside its operations, counted in such as vectors do many of at once
CHUNKS_PER_THREAD = 8  # so that others can take from a thread that is late


class Choice(NamedTuple):
    """A kernel for a node, and how it is launched. before: nodes that it does, too."""

    node: Node
    call: Call
    kernel: Kernel
    launch: Launch
    before: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Chooser:
    """The choice's circumstances. isas: the instruction sets allowed, best first; meter: counts what steps take;
    packer: lays out their constants; sound, values: what a plan knows of tensors already, as `resolve` takes them.

    references: no kernel is chosen. fused: as in Call. elsewhere: outputs of nodes that the device of the numerics does
    not run, and that compute as "tflite".
    """

    isas: tuple[str, ...]
    numerics: str
    threads: int
    meter: Meter
    references: bool = False
    fused: bool = False
    packer: native.Packer = field(default_factory=native.Packer)
    detailed: bool = False  # what observers record
    elsewhere: Collection[Tensor] = ()
    sound: Sound = field(default_factory=Sound.none)
    values: dict[Tensor, np.ndarray] = field(default_factory=dict)

    @staticmethod
    def of(
        isa: str | None, numerics: str, threads: int, limits: Limits = SMALLEST, references: bool = False
    ) -> Chooser:
        """isa: the best instruction set to use, None for PYQUANT_ISA or else all. Raises OptionError for bad values."""
        isa = isa or os.environ.get("PYQUANT_ISA") or native.isas()[0]
        if isa not in native.isas():
            raise OptionError(f"isa: found {isa!r}, this machine has {', '.join(native.isas())}")
        if numerics not in NUMERICS:
            raise OptionError(f"numerics: found {numerics!r}, expected one of {', '.join(NUMERICS)}")
        if not isinstance(threads, Integral) or not 1 <= threads <= 1024:
            raise OptionError(f"threads: found {threads}, expected 1 to 1024")
        return Chooser(native.isas()[native.isas().index(isa) :], numerics, threads, Meter(limits), references)

    def afresh(self) -> Chooser:
        """The same for another plan, which has the limits for itself."""
        meter = Meter(self.meter.limits)
        return replace(self, meter=meter, packer=native.Packer(), sound=Sound.none(), values={})

    @property
    def packs(self) -> bool:
        """Whether kernels lay out constants: the plain ones take them as they are."""
        return not self.references and self.isas[0] != "scalar"

    def numerics_of(self, node: Node) -> str:
        return "tflite" if self.elsewhere and any(t in self.elsewhere for t in node.outputs) else self.numerics

    def resolved(self, node: Node) -> Resolved:
        """The node as a Call, with what its shape rule says of its outputs. Raises as `step` does."""
        call = self._resolve(node)
        return call, shapes_of(call)

    def padded(self, node: Node, zeros: np.ndarray) -> Resolved | None:
        """The same for a node that puts zeros around its first input itself; None where its kernels cannot do so."""
        call = replace(self._resolve(node), zeros=zeros)
        if call.operator.pads is None or not call.operator.pads(call):
            return None
        return call, shapes_of(call)

    @quietly
    def shapes(self, node: Node) -> list[tuple[int, ...]] | None:
        """Of the outputs; None where they follow from values that are not constant. Raises as `step` does."""
        return settled(self.resolved(node)[1])

    def known(self, node: Node) -> None:
        """Raises UnsupportedOp where nothing runs the node in any shape; GraphError where it is not sound."""
        call = resolve(node, self.numerics_of(node))
        if not call.operator.flow:
            reference(call)

    def dynamic(self, node: Node) -> Callable[[object, Sequence[np.ndarray | None]], Sequence[np.ndarray]]:
        """What computes outputs whose shapes follow from values. Raises UnsupportedOp without a reference."""
        numerics = self.numerics_of(node)
        reference(resolve(node, numerics))

        def evaluate_(_session: object, arrays: Sequence[np.ndarray | None]) -> Sequence[np.ndarray]:
            chooser, seen = self.afresh(), replace(node, inputs=list(map(valued, node.inputs, arrays)))

            def outputs(call: Call) -> Sequence[np.ndarray]:
                seen.outputs = [
                    t if min(shape, default=0) < 0 else replace(t, shape=shape, shape_signature=None)
                    for t, shape in zip(node.outputs, ruled_shapes(call), strict=True)
                ]
                chooser.meter.hold(sum(map(unpacked_bytes, seen.outputs)), node.label)
                call = resolve(seen, numerics)
                return computed(call, reference(call), arrays)

            return arithmetic(resolve(seen, numerics), outputs)

        return evaluate_

    def step(self, node: Node) -> Step:
        """What runs the node. Raises UnsupportedOp where nothing does, and what `checked` raises.

        Raises RangeError, before it allocates, where the step needs more than the limits allow.
        """
        chosen = self.choose(node)
        return self.made(chosen) if isinstance(chosen, Choice) else chosen

    def choose(self, node: Node, resolved: Resolved | None = None) -> Step | Choice:
        """The same, where a kernel runs the node without its constants: `made` lays them out. Raises as `step` does.

        resolved: what the method of that name makes of the node, where that is known.
        """
        call, arena = self._checked(node, resolved)
        self.meter.borrow(arena, node)
        if arena >= self.packer.expected and not self.references:
            self.packer.expect(arena)
        if node.outputs and 0 in node.outputs[0].shape and all([0 in t.shape for t in node.outputs]):
            return Step(node.op, "nothing", (), tuple(node.outputs), node)
        if self.references:
            return self._numpy(call)
        if call.operator.view and node.inputs[0] is not None and _same_bytes(node.inputs[0], node.outputs[0]):
            return self._view(node, node.inputs[0], node.outputs[0])
        chosen = self._chosen(call)
        return self._numpy(call) if chosen is None else Choice(node, call, *chosen)

    def made(self, choice: Choice) -> Step:
        """The step of a choice. Raises RangeError, before it allocates, where that needs more than the limits allow."""
        node, call, kernel, launch, before = choice
        seen = call.node
        work = self._work(kernel.name, kernel.struct, launch, seen, partial(_evaluated, call))
        return Step(call.operator.name, work.name, tuple(seen.inputs), tuple(seen.outputs), node, work, before)

    @quietly
    def kernel(self, node: Node) -> str:
        """What the step of a node says runs it, found without laying out its constants. Raises as `step` does."""
        call, arena = self._checked(node)
        self.meter.borrow(arena, node)
        chosen = None if call.operator.view else self._chosen(call)
        row = None if chosen is None else self._row(chosen[0].name)
        return self.step(node).kernel if row is None else row.name

    @quietly
    def fold(self, node: Node, arrays: Sequence[np.ndarray | None]) -> list[Tensor]:
        """Constant tensors that stand for the outputs of a node whose inputs' values are known.

        Raises UnsupportedOp where the node has no reference, and what `checked` raises.
        """
        call, _ = self._checked(node)
        self._meter_reference(call)
        self.meter.hold(sum(map(unpacked_bytes, node.outputs)), node.label)
        constants = [replace(tensor) for tensor in node.outputs]
        for tensor, array in zip(constants, evaluate(call, reference(call), arrays), strict=True):
            self.meter.hold(content_bytes(array), node.label)
            tensor.data = array
        return constants

    def observer(self, tensor: Tensor) -> Step:
        """A step that folds a float32 tensor into a record, see observation.py."""
        channels = tensor.shape[-1] if tensor.shape else 1
        record = Tensor(f"observation of {tensor.name}", (record_bytes(channels if self.detailed else None),), UINT8)
        params = {"size": tensor.size, "channels": channels, "detailed": int(self.detailed)}
        launch = Launch(1, params, tensor.size)
        work = self._work("observe_f32", "pq_observe", launch, tensor.name)
        return Step("observe", work.name, (tensor,), (record,), work=work)

    def _resolve(self, node: Node) -> Call:
        return resolve(node, self.numerics_of(node), self.fused, self.sound, self.values)

    def _checked(self, node: Node, resolved: Resolved | None = None) -> tuple[Call, int]:
        return checked(node, self.numerics_of(node), resolved, self.fused, self.sound, self.values)

    def _chosen(self, call: Call) -> tuple[Kernel, Launch] | None:
        if call.strings:  # which the arena does not hold
            return None
        kernels = call.operator.kernels.get(call.kind, ())
        for kernel in (kernels,) if isinstance(kernels, Kernel) else kernels:
            if self._row(kernel.name) is None or (kernel.doubly and self.numerics == "single-rounding"):
                continue
            launch = within_reason(call, kernel.fill)
            if launch is not None:
                return kernel, launch
        return None

    def _numpy(self, call: Call) -> Step:
        work = _evaluation(call)
        self._meter_reference(call)
        return Step(call.operator.name, "numpy", tuple(call.node.inputs), tuple(call.node.outputs), call.node, work)

    def _meter_reference(self, call: Call) -> None:
        tensors = (*call.node.inputs, *call.node.outputs)
        self.meter.borrow(temporaries(tensors), call.label)
        self.meter.work(operations(call), call.label)

    def _view(self, node: Node, x: Tensor, y: Tensor) -> Step:
        """No work where both can be one piece of the arena, else a copy."""
        if not (x.is_variable or y.is_variable or x.is_constant or x.size == 0):
            return Step(node.op, "view", (x,), (y,), node)
        assert x.dtype.numpy is not None
        size = x.size * x.dtype.numpy.itemsize
        launch = Launch(-(-size // COPY_BLOCK), {"bytes": size, "block": COPY_BLOCK}, COPY_BLOCK // 16)
        work = self._work("copy_u8", "pq_copy", launch, node)
        return Step(node.op, work.name, (x,), (y,), node, work)

    def _work(
        self, operation: str, struct: str, launch: Launch, what: Node | str, reference: NumpyWork | None = None
    ) -> CWork:
        row = self._row(operation)
        assert row is not None
        if launch.units > MOST_ELEMENTS:
            label = what if isinstance(what, str) else what.label
            raise RangeError(f"{label}: found {launch.units} units of work, kernels count to {MOST_ELEMENTS}")
        self.meter.work(launch.units * launch.cost, what)
        params = native.Params(struct, launch.params)
        packed = params.packed_bytes(row.index)
        self.meter.hold(params.bytes + packed, what)
        params.pack(row.index, packed, self.packer)
        return CWork(row, params, launch, self._chunk(launch), reference)

    def _row(self, operation: str) -> native.Row | None:
        return _best_row(operation, self.isas)

    def _chunk(self, launch: Launch) -> int:
        """Units that a thread takes at a time; all of them where sharing does not pay."""
        if self.threads == 1 or launch.units * (launch.cost + UNIT_COST) < WORTH_SHARING:
            return max(launch.units, 1)
        grains = -(-launch.units // launch.grain)
        return max(-(-grains // (CHUNKS_PER_THREAD * self.threads)), 1) * launch.grain


@cache
def _best_row(operation: str, isas: tuple[str, ...]) -> native.Row | None:
    return next((row for row in native.rows_of(operation) if row.isa in isas), None)


def _evaluated(call: Call, arrays: Sequence[np.ndarray | None]) -> Sequence[np.ndarray]:
    return _evaluation(call)(arrays)


def _evaluation(call: Call) -> NumpyWork:
    """The reference, its results checked against what the arena has room for. Raises UnsupportedOp without one."""
    function, node = reference(call), call.node

    def run(arrays: Sequence[np.ndarray | None]) -> Sequence[np.ndarray]:
        results = evaluate(call, function, arrays)
        for tensor, array in zip(node.outputs, results, strict=True):
            check_shape(node, tensor, array.shape)
        return results

    return run


def settled(shapes: list[tuple[int, ...]]) -> list[tuple[int, ...]] | None:
    """The shapes, where none of them follows from values."""
    for shape in shapes:
        if shape and min(shape) < 0:
            return None
    return shapes


def valued(tensor: Tensor | None, value: np.ndarray | None) -> Tensor | None:
    """A constant tensor with that value, for rules that ask for it."""
    if tensor is None or value is None:
        return tensor
    made = replace(tensor, shape=value.shape, shape_signature=None)
    made.data = value
    return made


def _same_bytes(x: Tensor, y: Tensor) -> bool:
    return x.dtype is y.dtype and x.size == y.size and x.dtype is not STRING
