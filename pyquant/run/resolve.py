"""From a node to its operator, seen through a Call, and to its NumPy reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from pyquant import native
from pyquant.dtypes import INT8, STRING
from pyquant.errors import GraphError, PyQuantError, RangeError, ShapeError, UnsupportedOp
from pyquant.fixed import rounded_once
from pyquant.graph import Node, Quantization, Tensor
from pyquant.ops import Call, Operator, SameAs, Slot, find
from pyquant.ops.operator import Reference
from pyquant.run.limits import unpacked_bytes

MOST_ELEMENTS = 2**31 - 1  # kernels count elements in int32_t
_LEAST_SCALE = float(np.finfo(np.float32).smallest_subnormal)

Resolved = tuple[Call, "list[tuple[int, ...]]"]  # with the shapes of its outputs


class Sound(NamedTuple):
    """Tensors that need no second look, as long as nobody changes them: by their quantization, by type and size.

    sized: with the bytes that they take in an arena, none where they are constant.
    """

    scaled: set[Tensor | None]
    sized: dict[Tensor | None, int]

    @staticmethod
    def none() -> Sound:
        return Sound({None}, {None: 0})


def checked(
    node: Node,
    numerics: str,
    resolved: Resolved | None = None,
    fused: bool = False,
    sound: Sound | None = None,
    values: Mapping[Tensor, np.ndarray] | None = None,
) -> tuple[Call, int]:
    """The node as a Call, once it fits its operator and its shapes follow from its inputs' by the shape rule.

    With it the bytes that the arena has at least, as all that a node reads and writes is there at once.
    resolved: what `resolve` and `shapes_of` have made of the same node already. The others are as theirs.
    Raises UnsupportedOp, ShapeError, GraphError or RangeError.
    """
    sound = sound or Sound.none()
    sized, arena = sound.sized, 0
    for tensor in dict.fromkeys((*node.inputs, *node.outputs)):
        size = sized.get(tensor)
        if size is None:
            assert tensor is not None
            if tensor.dtype.numpy is None:
                raise unsupported(node, f"tensor {tensor.name!r} holds {tensor.dtype}")
            check_size(tensor)
            size = sized[tensor] = 0 if tensor.is_constant else unpacked_bytes(tensor)
        arena += size
    if resolved is None:
        call = resolve(node, numerics, fused, sound, values)
        resolved = call, shapes_of(call)
    call, shapes = resolved
    if shapes != [t.shape for t in node.outputs]:
        for tensor, shape in zip(node.outputs, shapes, strict=True):
            check_shape(node, tensor, shape)
    return call, arena


def shapes_of(call: Call) -> list[tuple[int, ...]]:
    """Of the outputs by the shape rule, -1 for what follows from values. Raises as the rule, or for their number."""
    return within_reason(call, ruled_shapes)


def ruled_shapes(call: Call) -> list[tuple[int, ...]]:
    """shapes_of within `arithmetic` or `within_reason`."""
    shapes = call.operator.shape(call, *[None if t is None else t.shape for t in call.node.inputs])
    if len(shapes) != len(call.node.outputs):
        raise GraphError(f"{call.label}: found {len(call.node.outputs)} outputs, expected {len(shapes)}")
    return [tuple(map(int, shape)) for shape in shapes]


def stand_ins(node: Node, seen: Node, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """The outputs in the shapes that they have in a plan; themselves where the file leaves nothing open.

    seen: the node with the inputs that it has in the plan. A file leaves shapes open by a -1 in the shape signature, or
    by declaring none; they follow inputs that are not as declared.
    """
    if node is seen and shapes == [t.shape for t in node.outputs]:
        return node.outputs
    other = any(
        a is not None and b is not None and a.shape != b.shape for a, b in zip(node.inputs, seen.inputs, strict=True)
    )
    made = []
    for tensor, shape in zip(node.outputs, shapes, strict=True):
        free = other or not tensor.shape or -1 in (tensor.shape_signature or ())
        made.append(replace(tensor, shape=shape, shape_signature=None) if free and tensor.shape != shape else tensor)
    return made


def check_size(tensor: Tensor) -> None:
    """Raises RangeError for a shape that no array can have, or that kernels cannot count."""
    shape = tensor.shape
    if not shape or (min(shape) > 0 and math.prod(shape) <= MOST_ELEMENTS):
        return
    sizes = [max(n, 1) for n in shape]  # NumPy counts so for empty arrays, too
    if min(shape, default=0) < 0 or math.prod(sizes) > MOST_ELEMENTS:
        raise RangeError(f"tensor {tensor.name!r} has shape {tensor.shape}: below 0 or past {MOST_ELEMENTS} elements")


def check_shape(node: Node, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Raises ShapeError for an output that is not declared as it is made."""
    if tensor.shape != shape:
        raise ShapeError(f"{node.label}: makes shape {shape}, output {tensor.name!r} is declared {tensor.shape}")


def resolve(
    node: Node,
    numerics: str,
    fused: bool = False,
    sound: Sound | None = None,
    values: Mapping[Tensor, np.ndarray] | None = None,
) -> Call:
    """The node as a Call. Raises UnsupportedOp for an unknown operator, GraphError for a node that is not sound.

    sound: grows. values: of constants, as in Call.
    """
    operator = find(node.op)
    if operator is None or operator.custom != (node.opcode.name == "CUSTOM"):
        raise unsupported(node, "the operator is not known")
    fit = _fit(operator, node)
    scaled = (sound or Sound.none()).scaled
    for tensor in (*node.inputs, *node.outputs):
        if tensor in scaled:
            continue
        if tensor is not None and tensor.quantization is not None:
            _check_quantization(node, tensor, tensor.quantization)
        scaled.add(tensor)
    call = Call(operator, node, numerics, fused, values=values)
    call.kind, call.strings, names = fit  # as it would find itself, later
    call.tensors = dict(zip(names, (*node.outputs, *node.inputs)[::-1], strict=True))
    return call


class _Fit(NamedTuple):
    """What follows from the element types of a node alone. names: of its slots, outputs before inputs, reversed."""

    kind: str
    strings: bool
    names: tuple[str, ...]


_FITS: dict[Any, _Fit] = {}  # found so far
_MOST_FITS = 4096


def _fit(operator: Operator, node: Node) -> _Fit:
    """Raises GraphError where the types of inputs, outputs and options do not go together."""
    types = tuple([None if t is None else t.dtype for t in (*node.inputs, *node.outputs)])
    table = None if node.options is None else node.options.table
    key = operator.name, len(node.inputs), types, table
    found = _FITS.get(key)
    if found is None:
        _check_slots(node, "input", node.inputs, operator.inputs)
        _check_slots(node, "output", node.outputs, operator.outputs)
        if table is not None and table != operator.options:
            raise GraphError(f"{node.label}: found options of {table}, expected {operator.options}")
        inputs, outputs = operator.slots(node.inputs), operator.slots(node.outputs, outputs=True)
        _check_products(node, inputs)
        _check_same(operator, node, outputs)
        if len(_FITS) >= _MOST_FITS:
            _FITS.clear()
        names = tuple([slot.name for slot in (*outputs, *inputs)][::-1])
        found = _FITS[key] = _Fit(operator.kind(node), STRING in types, names)
    return found


def reference(call: Call) -> Reference:
    """The NumPy reference for the node's types. Raises UnsupportedOp where there is none."""
    found = call.operator.reference.get(call.kind)
    if found is None or not _strings_fit(call) or _reads_bits(call):
        raise unsupported(call.node, "no kernel and no reference takes these types")
    return found


def _reads_bits(call: Call) -> bool:
    """Whether a value is of a float type that NumPy does not have, of which arrays hold the bits."""
    slots = zip(call.operator.slots(call.node.inputs), call.node.inputs, strict=True)
    values = [tensor.dtype for slot, tensor in slots if slot.quantizable and tensor is not None]
    return any(d.is_float and d.numpy is not None and d.numpy.kind == "u" for d in values)


def evaluate(call: Call, function: Reference, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
    """The outputs by a reference. Raises GraphError where their number or types are not what the node declares."""
    return arithmetic(call, lambda call: computed(call, function, inputs))


def computed(call: Call, function: Reference, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
    """evaluate within `arithmetic`."""
    if call.node.outputs and all(t.size == 0 for t in call.node.outputs):
        return tuple(np.empty(t.shape, t.dtype.numpy) for t in call.node.outputs)
    result = function(call, *inputs)
    results = result if isinstance(result, tuple) else (result,)
    # NumPy turns arrays without dimensions into scalars
    arrays = tuple(np.asarray(r, object if isinstance(r, bytes) else None) for r in results)
    if len(arrays) != len(call.node.outputs):
        raise GraphError(f"{call.label}: makes {len(arrays)} outputs, the node has {len(call.node.outputs)}")
    for tensor, array in zip(call.node.outputs, arrays, strict=True):
        if array.dtype != tensor.dtype.numpy:
            raise GraphError(f"{call.label}: makes {array.dtype}, output {tensor.name!r} is declared {tensor.dtype}")
    return arrays


R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


def arithmetic(call: Call, function: Callable[[Call], R]) -> R:
    """What a function makes of a call where NaN and infinity are values, as in C.

    Raises RangeError for numbers that integers cannot hold.
    """
    with np.errstate(all="ignore"):
        return within_reason(call, function)


def quietly(function: F) -> F:
    """A function that ignores floating-point errors."""

    @wraps(function)
    def quiet(*args: Any, **named: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args, **named)

    return cast(F, quiet)


def within_reason(call: Call, function: Callable[[Call], R]) -> R:
    """What a function makes of a call, as in `arithmetic` where floating-point errors are ignored already."""
    try:
        if call.numerics == "single-rounding":
            with rounded_once():
                return function(call)
        return function(call)
    except PyQuantError:
        raise
    except ArithmeticError as error:
        why = "its scales or options lead to numbers that cannot be"
        raise RangeError(f"{call.label}: {why}: {error}") from error
    except (TypeError, ValueError, IndexError) as error:  # types and shapes that no runtime puts together
        raise GraphError(f"{call.label}: its tensors do not go together: {error}") from error


def unsupported(node: Node, why: str) -> UnsupportedOp:
    return UnsupportedOp(f"{node.label}: ({_types(node.inputs)}) -> ({_types(node.outputs)}): {why}")


def constant_value(tensor: Tensor) -> np.ndarray | None:
    """The value that the file holds. Of an empty tensor that is its empty array, for which files have no buffer."""
    if tensor.size == 0 and tensor.dtype.numpy is not None:
        return np.empty(tensor.shape, tensor.dtype.numpy)
    return tensor.data


def initial_code(tensor: Tensor) -> int | bytes:
    """What every element of a variable starts from, as in TFLite: the real value zero in int8, else the code 0."""
    return tensor.zero_point if tensor.is_quantized and tensor.dtype is INT8 else tensor.dtype.zero


def _strings_fit(call: Call) -> bool:
    """An operator of strings reads nothing but strings and whole numbers, and no other meets strings."""
    slots = zip(call.operator.slots(call.node.inputs), call.node.inputs, strict=True)
    if call.kind == "string":
        return all(t is None or t.dtype is STRING or slot.role == "data" for slot, t in slots)
    return not call.strings


def _check_slots(node: Node, what: str, given: Sequence[Tensor | None], slots: Sequence[Slot]) -> None:
    if len(given) > len(slots) and not (slots and slots[-1].variadic):
        raise GraphError(f"{node.label}: found {len(given)} {what}s, expected at most {len(slots)}")
    for i in range(max(len(slots), len(given))):
        slot, tensor = slots[i if i < len(slots) else -1], given[i] if i < len(given) else None
        if tensor is None and not slot.optional:
            raise GraphError(f"{node.label}: {what} {slot.name!r} is missing")
        if tensor is None or slot.role != "data":
            continue
        if tensor.dtype.is_float or tensor.dtype.name.startswith(("complex", "string")):
            raise GraphError(f"{node.label}: {what} {slot.name!r} is {tensor.dtype}, expected whole numbers")


def _check_products(node: Node, slots: Sequence[Slot]) -> None:
    """Integers meet weights and biases of integers; floats meet any weights, and biases of floats. slots: of inputs."""
    weights, activations = [], []
    for slot, tensor in zip(slots, node.inputs, strict=True):
        if tensor is not None and slot.role in ("weight", "bias"):
            weights.append((slot.role, tensor))
        elif slot.role == "activation":
            activations.append(tensor)
    real = any([t is not None and t.dtype.is_float for t in activations])
    for role, tensor in weights if activations else ():
        whole = tensor.dtype.lo is not None
        if not (whole if not real else tensor.dtype.is_float or role == "weight"):
            expected = "floats" if real else "integers"
            raise GraphError(f"{node.label}: {role} {tensor.name!r} is {tensor.dtype}, expected {expected}")


def _check_same(operator: Operator, node: Node, slots: Sequence[Slot]) -> None:
    """What has the scale of another slot has its type, too. slots: of outputs."""
    for slot, tensor in zip(slots, node.outputs, strict=True):
        if not isinstance(slot.scale, SameAs):
            continue
        expected = Call(operator, node)[slot.scale.slot].dtype
        if tensor.dtype != expected:
            if tensor.dtype.is_float and any(s.role == "weight" and s.name == slot.scale.slot for s in operator.inputs):
                continue  # weights may be integers where activations are not
            raise GraphError(
                f"{node.label}: output {tensor.name!r} is {tensor.dtype}, expected {expected} as its input"
            )


def _check_quantization(node: Node, tensor: Tensor, quantization: Quantization) -> None:
    """One scale or one for each index of the axis, none negative or infinite; zero points within the type."""
    shape, lo, hi = tensor.shape, tensor.dtype.lo, tensor.dtype.hi
    scale, zero_point = quantization.scale, quantization.zero_point
    if lo is None or hi is None or not scale.size:
        return
    count = scale.size
    if count == 1 == zero_point.size and _LEAST_SCALE <= scale.item() < math.inf and lo <= zero_point.item() <= hi:
        return
    axis = 0 if len(shape) == 1 else quantization.axis  # where there is only one
    fits = count == 1 or (0 <= axis < len(shape) and count == shape[axis])
    if not fits or zero_point.size not in (1, count):
        found = f"{scale.size} scales and {zero_point.size} zero points on axis {quantization.axis}"
        raise GraphError(f"{node.label}: {tensor.name!r} of shape {shape} has {found}")
    fault = native.scales_fault(scale, zero_point, _LEAST_SCALE, lo, hi)
    if fault == "scale" and tensor.is_constant:  # a channel of zeros may have scale 0
        fault = native.scales_fault(scale, zero_point, 0.0, lo, hi)
    if fault == "scale":
        raise GraphError(f"{node.label}: {tensor.name!r} has scale {scale.min()}, expected a positive number")
    if fault:
        raise GraphError(f"{node.label}: {tensor.name!r} has a zero point outside {lo}..{hi}")


def of_sound_scales(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Those with a scale for each index of an axis, positive, and zero points that are all 0; none if one is not so.

    One call for all of them, where `_check_quantization`, which says what is wrong, takes one for each.
    """
    found: list[Tensor] = []
    scales, zero_points = [], []
    for tensor in tensors:
        q, shape = tensor.quantization, tensor.shape
        if q is None or tensor.dtype.lo is None or not 1 < q.scale.size == q.zero_point.size:
            continue
        axis = 0 if len(shape) == 1 else q.axis
        if 0 <= axis < len(shape) and q.scale.size == shape[axis]:
            found.append(tensor)
            scales.append(q.scale)
            zero_points.append(q.zero_point)
    return found if native.scales_are_sound(scales, zero_points, _LEAST_SCALE) else []


def _types(tensors: Sequence[Tensor | None]) -> str:
    return ", ".join("none" if t is None else t.dtype.name for t in tensors)
