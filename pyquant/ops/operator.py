"""What an operator is: a frozen value with its slots, shape rule, references and kernels; and a Call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from pyquant.dtypes import FLOAT32, STRING
from pyquant.errors import GraphError
from pyquant.graph import Node, Tensor
from pyquant.wire import Record

if TYPE_CHECKING:
    from pyquant.ops.contraction import Contraction

Shape = tuple[int, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class SameAs:
    """Scale and zero point equal those of another slot of the node. kinds: for these element types alone, if given."""

    slot: str
    kinds: tuple[str, ...] = ()

    def binds(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds


@dataclass(frozen=True)
class Fixed:
    """Scale and zero point prescribed by the TFLite quantization specification, by element type."""

    values: Mapping[str, tuple[float, int]]


@dataclass(frozen=True)
class Product:
    """Bias: scale is the product of two slots' scales, zero point 0. first None: of `factor` and the second's."""

    first: str | None
    second: str
    factor: float = 1.0

    def of(self, scales: Mapping[str, np.ndarray]) -> np.ndarray:
        """By the scales of slots; without elements where these have none, or the first several."""
        none = np.zeros(0, np.float32)
        first = np.ones(1, np.float32) if self.first is None else scales.get(self.first, none)
        second = scales.get(self.second, none)
        return np.float32(self.factor) * first * second if first.size == 1 else none


@dataclass(frozen=True)
class PowerOfTwo:
    """Scale is a power of two within bounds, zero point 0. What is greater than the bounds allow saturates."""

    least: float
    most: float


@dataclass(frozen=True)
class Floor:
    """A lower bound that keeps a kernel's multiplier representable: scale >= ratio x product of other slots' scales.

    ratio is by element type of the slot. With `terms`, the bound grows with that weight slot's elements per output,
    the length of the sum that the kernel scales.
    """

    slots: tuple[str, ...]
    ratio: Mapping[str, float]
    terms: str | None = None


@dataclass(frozen=True)
class Sparse:
    """Which sparse-encoded constants kernels take: by kind of the node, elements of a block along the last dimension.

    Any layout where no number is given. version: the op version that a node declares then, no other one: by it XNNPACK
    knows to leave it to the kernel. Else it takes the few values for all of them, and reads on behind them.
    """

    blocks: Mapping[str, Collection[int]] = field(hash=False)
    version: int = 1


@dataclass(frozen=True)
class Slot:
    """One input or output of an operator, and what quantization must respect there.

    role: activation (quantized with the data), state (likewise: memory of a node that goes on from run to run),
    weight (symmetric, per `axis`), bias (scale by Product), data (indices, shapes, axes, truth values: whole numbers,
    never quantized), any (values of any type, taken as they are: never quantized), variable (a handle in the file, in a
    run the memory of the variable). A variadic slot stands for all remaining inputs or outputs.
    scale None means free. newer_axis: a weight axis that runtimes after tflite-runtime 2.14 take, but not
    microcontroller runtimes and accelerators. blocks: it may have a scale for each block of its last dimension.
    below: by kind of the node, what its scale must stay below for kernels to take it, be that less or more than others.
    types: by kind of the node the one element type that kernels take here, where it is not the kind's or the rule's.
    symmetric: its zero point is 0 in every type. most: kernels of integers cut off what lies further from 0.
    sums: of weights that meet int16 codes in sums of 32 bits, which are not to overflow: from the node and the real
    weights, the magnitudes that come together in each sum, added up.
    narrow: by kind of the node, the types below int8 that a weight may have, too. each: kernels for float activations
    read a scale for each index of `axis`, be they all one.
    weight_if_constant: of an activation the kinds of nodes in which constants may be stored as weights are.
    sparse: what kernels take of sparse-encoded constants, if any. held: kinds in which the XNNPACK of LiteRT 2.3 takes
    only weights that the file holds dense, and fails at those that a DENSIFY makes so.
    """

    name: str
    role: str = "activation"
    scale: SameAs | Fixed | Product | PowerOfTwo | None = None
    axis: int | None = None
    newer_axis: int | None = None
    blocks: bool = False
    narrow: Mapping[str, Collection[str]] = field(default_factory=dict, hash=False)
    each: bool = False
    weight_if_constant: Collection[str] = ()
    sparse: Sparse | None = None
    held: Collection[str] = ()
    floors: tuple[Floor, ...] = ()
    below: Mapping[str, float] = field(default_factory=dict, hash=False)
    optional: bool = False
    variadic: bool = False
    types: Mapping[str, str] = field(default_factory=dict, hash=False)
    symmetric: bool = False
    most: float = float("inf")
    sums: Callable[[Call, np.ndarray], np.ndarray] | None = None

    @property
    def observed(self) -> bool:
        """Whether its scale follows from the values that it has on representative data."""
        return self.role in ("activation", "state")

    def shares(self, other: str) -> bool:
        """Whether its scale is that of another slot."""
        return isinstance(self.scale, SameAs) and self.scale.slot == other

    @property
    def quantizable(self) -> bool:
        return self.role not in ("data", "any", "variable")

    def takes(self, weights: str | None, kind: str) -> bool:
        """Whether kernels of a kind take weights of a type in it."""
        return weights == "int8" or weights in self.narrow.get(kind, ())


UNKNOWN = Slot("unknown", role="any")  # of a tensor that a node should not have


# How integers are scaled back: as the reference kernels of tflite-runtime 2.14, which microcontrollers share; as those
# of ai-edge-litert 2.3, where it parted from them; rounded once, as in CMSIS-NN; as an Edge TPU does.
NUMERICS = ("tflite", "litert", "single-rounding", "edgetpu")


@dataclass(eq=False)
class Call:
    """A node as its operator sees it: slots by name, options with defaults. It does not change.

    numerics: one of NUMERICS. fused: C kernels of floats may round a product and its sum at once, sum in
    another order, and be some units in the last place off. zeros: (rank, 2) elements of value 0 before and after its
    input "x", along each axis, that the node's options do not know of: for operators with `pads`.
    tell: wants to know what states and intermediates hold, by their slots. values: of constants, where they are known
    already.
    """

    operator: Operator
    node: Node
    numerics: str = "tflite"
    fused: bool = False
    zeros: np.ndarray | None = None
    tell: Callable[[str, np.ndarray], None] | None = None
    values: Mapping[Tensor, np.ndarray] | None = None
    _made: dict[Any, Any] | None = field(default=None, init=False, repr=False)  # by `once`

    def told(self, slot: str, values: np.ndarray) -> None:
        """A reference says what a state or an intermediate holds, step by step."""
        if self.tell is not None:
            self.tell(slot, values)

    def __getitem__(self, slot: str) -> Tensor:
        """The tensor in a slot. Raises GraphError where the node has none."""
        found = self.tensors.get(slot)
        if found is None:
            self.get(slot)  # which says so where there is no such slot
            raise GraphError(f"{self.node.label}: input or output {slot!r} is missing")
        return found

    def get(self, slot: str) -> Tensor | None:
        """The same, None where the node has none. Raises KeyError where the operator has no such slot."""
        found = self.tensors.get(slot)
        if found is None and slot not in self.operator.places:
            raise KeyError(f"{self.operator.name} has no slot {slot!r}")
        return found

    def once(self, make: Callable[..., T], *of: Hashable) -> T:
        """What `make` makes of the call and these, for all that ask. For what the shape rule and others need alike."""
        made = self._made
        if made is None:
            made = self._made = {}
        found = made.get(of)
        if found is None:
            found = made[of] = make(self, *of)
        return found

    @cached_property
    def tensors(self) -> Mapping[str, Tensor | None]:
        """What the node has, by slot."""
        sides = (self.node.inputs, self.node.outputs)
        return {name: sides[out][i] for name, (out, i) in self.operator.places.items() if i < len(sides[out])}

    def constant(self, slot: str) -> np.ndarray | None:
        """The value of a tensor that the file or an earlier step of the compiler holds; None for one of a run."""
        tensor = self[slot]
        found = None if self.values is None else self.values.get(tensor)
        return tensor.data if found is None else found

    @property
    def options(self) -> Record:
        """The node's options, or all defaults where the file leaves them out."""
        if self.node.options is not None:
            return self.node.options
        if self.operator.options is None:
            raise KeyError(f"{self.operator.name} has no options")
        return Record(self.operator.options)

    @cached_property
    def kind(self) -> str:
        return self.operator.kind(self.node)

    @cached_property
    def strings(self) -> bool:
        """Whether the node reads or makes strings."""
        return any(t is not None and t.dtype is STRING for t in (*self.node.inputs, *self.node.outputs))

    @property
    def label(self) -> str:
        return self.node.label


class Launch(NamedTuple):
    """What a C kernel needs for one node. params fields are those of the kernel's C struct; arrays become pointers.

    units: how many independent pieces [0, units) the work has. cost: scalar operations of one unit, roughly.
    grain: how many units in a row the kernel does best together.
    joins: where in the output each input begins, in bytes, where one after the other they are all of it. parts: where
    in the one input that is not constant each output begins, where they are parts of it as it is.
    in_place: the output may have the memory of an input of as many elements and bytes: a unit reads there only what it
    then writes over. Not for kernels that report values without result, as those must outlive them.
    reads: so many of the first inputs; params have what there is of the others. None for all.
    """

    units: int
    params: Mapping[str, Any] = MappingProxyType({})
    cost: int = 1
    grain: int = 1
    joins: tuple[int, ...] = ()
    parts: tuple[int, ...] = ()
    in_place: bool = False
    reads: int | None = None


Fill = Callable[[Call], "Launch | None"]


@dataclass(frozen=True)
class Kernel:
    """A C kernel by operation and type (`conv2d_s8`), its parameter struct, and the function that fills it.

    fill returns None where this kernel cannot serve the node (then the NumPy reference does).
    """

    name: str
    struct: str
    fill: Fill
    doubly: bool = False  # it rounds twice, whatever the numerics: not for "single-rounding"


# reference(call, *input arrays; None for an absent one) -> the output array, or a tuple of them
Reference = Callable[..., "np.ndarray | tuple[np.ndarray, ...]"]
# shape(call, *input shapes; constant inputs through call) -> one shape per output; -1 for a dimension that follows from
# values which are not constant
ShapeRule = Callable[..., Sequence[Shape]]
# macs(call) -> multiply-accumulates of one run
MacRule = Callable[[Call], int]
# gradient(call, inputs, outputs, gradients of the outputs) -> a gradient, or None, for each input
Gradient = Callable[..., "Sequence[np.ndarray | None]"]
# restate(call, shapes before, shapes now, samples) -> what a node has to state anew. samples: first dimensions count
# independent samples, and have changed. Raises ShapeError where the node cannot do with other shapes what it did.
Restate = Callable[[Call, Sequence["Shape | None"], Sequence["Shape | None"], bool], "Restated"]
# zeros(call) -> (rank, 2) elements of value 0 that a node puts before and after its input "x", along each axis
Zeros = Callable[[Call], np.ndarray]
# without_zeros(call, shape, zeros) -> the options with which a node makes of an "x" of that shape, bit for bit, what it
# makes now of one with such zeros around; None where none do
WithoutZeros = Callable[[Call, Shape, np.ndarray], "Record | None"]
# pads(call with zeros) -> whether its kernels make of them, bit for bit, what they make of an "x" that is padded
Pads = Callable[[Call], bool]


@dataclass(frozen=True)
class Restated:
    """Constant inputs by index, and options by name, that a node needs for inputs of other shapes."""

    inputs: Mapping[int, np.ndarray] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


class Along(NamedTuple):
    """Positions along one dimension of a tensor. keys: (size,), of which those of one go together; -1: it stays."""

    tensor: Tensor
    axis: int
    keys: np.ndarray


Tie = Sequence[Along]  # whose keys mean the same
Ties = Callable[[Call], Sequence[Tie]]
# kept(tensor) -> for each dimension which of its positions stay, (size,) bool
Kept = Callable[[Tensor], Sequence[np.ndarray]]
Cut = Callable[[Call, Kept], Restated]


PLAIN_ACTIVATIONS = (0, 1, 2, 3)  # NONE, RELU, RELU_N1_TO_1, RELU6: the ones that integer kernels clamp to


@dataclass(frozen=True)
class Operator:
    """One TFLite operator. `reference`, `kernels` and `settings` are keyed by kind: see `kind`.

    kernels: by kind one, or several of which the first that takes a node runs it.

    settings: option fields that a quantizer must write for that kind.
    macs: multiply-accumulates of one run, those with padding too; None for an operator that sums no products:
    elementwise ones, pooling, what only moves data. operations: scalar ones of one run, where they are neither macs nor
    a few for each element.
    restate: for an operator that states shapes in constants or options, or that does not suit every change of shapes.
    ties: which positions along its dimensions go together, where a part of them goes; see ops/ties.py. None: not known.
    cut: what a node has to state anew then.
    contraction: how the weights meet the input, of operators whose weights quantizers choose and correct.
    homogeneous: slots whose values, all times one positive factor, make the output times that factor.
    activation: how other operators call this one as their fused_activation_function; fuses: those that they compute.
    integer_activations: fused ones that kernels of integers compute.
    intermediates: tensors of a node that only say how its kernels of integers scale what they compute on the way.
    variant: for an operator whose nodes differ in what their slots ask for, the one that a node is to be seen as.
    together: kernels with float activations take all weights of a node as int8, or none.
    zeros, without_zeros: for an operator that pads, and for one that can do the padding of another: by its options, or
    with `pads` by its kernels, which can do more.
    """

    name: str
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    shape: ShapeRule
    reference: Mapping[str, Reference]
    options: str | None = None
    kernels: Mapping[str, Kernel | tuple[Kernel, ...]] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    macs: MacRule | None = None
    operations: MacRule | None = None
    gradient: Gradient | None = None
    restate: Restate | None = None
    ties: Ties | None = None
    cut: Cut | None = None
    contraction: Contraction | None = None
    homogeneous: tuple[tuple[str, ...], ...] = ()
    integer_activations: Collection[int] = PLAIN_ACTIVATIONS
    intermediates: tuple[Slot, ...] = ()
    variant: Callable[[Node], Operator] | None = None
    together: bool = False
    activation: int | None = None
    fuses: Collection[int] = ()
    zeros: Zeros | None = None
    without_zeros: WithoutZeros | None = None
    pads: Pads | None = None
    view: bool = False  # the output is the input's bytes under another shape
    densifies: bool = False  # the output is what a sparse-encoded constant stands for
    looks_up: bool = False  # the outputs are what pairs of packed indices and tables of values stand for
    cast: bool = False  # the output is the input's real values, stored in another type or scale
    unserved: Collection[str] = ()  # kinds in which kernels do not compute what scales mean: it stays float
    about_zero: bool = False  # integer kernels write code 0 for 0: its activations need the zero point 0
    ranged: bool = True  # ranges of its inputs and outputs are all that its quantization needs to know
    custom: bool = False  # a custom operator, known by its custom code
    state: Callable[[Node], list[Tensor]] | None = None  # variables of a node that no file shows, its last inputs
    pure: bool = True  # what it makes follows from its inputs alone, so that constants may stand for it
    by_shape: bool = False  # what it makes follows from the shapes of its inputs alone
    flow: str = ""  # what a compiler does with it instead of computing: handle, once, branch, loop or inline

    @cached_property
    def places(self) -> dict[str, tuple[bool, int]]:
        """Slot name -> whether it is of an output, and which; an input's where both have one of that name."""
        places = {slot.name: (True, i) for i, slot in reversed(list(enumerate(self.outputs)))}
        return places | {slot.name: (False, i) for i, slot in reversed(list(enumerate(self.inputs)))}

    def of(self, node: Node) -> Operator:
        """The operator as a node of it is to be seen."""
        return self if self.variant is None else self.variant(node)

    @cached_property
    def stateful(self) -> bool:
        """Whether it has states: then its reference tells what they and intermediates hold."""
        return any(slot.role == "state" for slot in self.inputs)

    @cached_property
    def weighted(self) -> bool:
        """Whether it has weights or a bias."""
        return any(slot.role in ("weight", "bias") for slot in self.inputs)

    def slots(self, tensors: Sequence[Any], outputs: bool = False) -> Sequence[Slot]:
        """The slot of each input (or output) tensor, variadic ones repeated."""
        declared = self.outputs if outputs else self.inputs
        if len(declared) == len(tensors):
            return declared
        return [declared[min(i, len(declared) - 1)] if declared else UNKNOWN for i in range(len(tensors))]

    def kind(self, node: Node) -> str:
        """The type family of a node: its first activation's type, or "hybrid" for float with integer weights.

        Without activations the type of its first input; "" where it has none.
        """
        given = [(s.role, t.dtype) for s, t in zip(self.slots(node.inputs), node.inputs, strict=True) if t is not None]
        if not given:
            return ""
        first = next((dtype for role, dtype in given if role == "activation"), given[0][1])
        if first is FLOAT32 and any(dtype.is_quantized_integer for role, dtype in given if role != "data"):
            return "hybrid"
        return first.name
