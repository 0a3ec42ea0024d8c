"""The rules: each looks at a whole model and yields what it finds. What operators ask for, their slots say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from pyquant.graph import Model, Node, Tensor
from pyquant.graph.edit import remove_unused
from pyquant.lint.finding import Finding
from pyquant.ops import Fixed, Operator, Product, SameAs, Slot, find, lowest_version

Rule = Callable[[Model], Iterator[Finding]]

SIGNED = ("int8", "int16")  # activations of the 8-bit specification and of int16x8; uint8 has rules of its own
BIASES = {"int8": ("int32",), "uint8": ("int32",), "int16": ("int64", "int32")}
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)  # below, kernels lose bits of it
BIAS_TOLERANCE = 0.02  # of an output step, as TFLite's kernels allow
LOST = 8.0  # a shared scale this many times a part's own costs it three bits


def _slots(model: Model) -> Iterator[tuple[Node, Operator, Slot, Tensor, str]]:
    """Every tensor that a known operator reads or writes, with its slot and the operator's kind."""
    for node, operator in _known(model):
        kind = operator.kind(node)
        for slots, tensors in ((operator.inputs, node.inputs), (operator.outputs, node.outputs)):
            for i, tensor in enumerate(tensors):
                if tensor is not None and slots:
                    yield node, operator, slots[min(i, len(slots) - 1)], tensor, kind


def _known(model: Model) -> Iterator[tuple[Node, Operator]]:
    for node in (n for s in model.subgraphs for n in s.nodes):
        operator = find(node.op)
        if operator is not None:
            yield node, operator.of(node)


def _named(node: Node, operator: Operator) -> dict[str, Tensor]:
    """The tensors of a node by slot; of a variadic slot the first."""
    named: dict[str, Tensor] = {}
    inner = (operator.intermediates, node.intermediates)
    for slots, tensors in ((operator.inputs, node.inputs), (operator.outputs, node.outputs), inner):
        for slot, tensor in zip(slots, tensors, strict=False):
            if tensor is not None:
                named[slot.name] = tensor
    return named


def zero_point(model: Model) -> Iterator[Finding]:
    """Zero points of signed weights, biases and int16 activations are 0."""
    for node, _, slot, tensor, kind in _slots(model):
        q = tensor.quantization
        symmetric = slot.role in ("weight", "bias") or tensor.dtype.name == kind == "int16"
        if q is not None and symmetric and kind != "uint8" and q.zero_point.any():
            message = f"{tensor.dtype} {slot.role} with zero point {q.zero_point[q.zero_point != 0][0]}, expected 0"
            yield Finding("zero_point", "error", message, node.label, tensor.name, "quantize it symmetrically")


def weight_axis(model: Model) -> Iterator[Finding]:
    """Several scales lie on the axis that the operator reads them on; activations have one."""
    for node, _, slot, tensor, _ in _slots(model):
        q = tensor.quantization
        if q is None or not q.per_axis or slot.role not in ("weight", "activation"):
            continue
        axes = [axis for axis in (slot.axis, slot.newer_axis) if axis is not None] if slot.role == "weight" else []
        if q.axis not in axes and not (_is_cast(node) and slot.role == "activation"):
            expected = f"axis {axes[0]}" if axes else "one scale"
            message = f"{q.scale.size} scales on axis {q.axis}, expected {expected}"
            yield Finding("weight_axis", "error", message, node.label, tensor.name, "retype it per-tensor")


def _is_cast(node: Node) -> bool:
    operator = find(node.op)
    return operator is not None and operator.cast


def bias(model: Model) -> Iterator[Finding]:
    """A bias has the product of input and weight scales, and the accumulator's type."""
    for node, operator, slot, tensor, kind in _slots(model):
        if not isinstance(slot.scale, Product) or kind not in BIASES or tensor.dtype.is_float:
            continue
        named = _named(node, operator)
        if tensor.dtype.name not in BIASES[kind]:
            message = f"bias of {tensor.dtype}, expected {' or '.join(BIASES[kind])}"
            yield Finding("bias", "error", message, node.label, tensor.name)
        scales = {name: _scales(t) for name, t in named.items()}
        product, own, out = slot.scale.of(scales), _scales(tensor), scales.get(operator.outputs[0].name, np.zeros(0))
        if not (product.size and own.size and out.size):
            continue
        if own.size not in (1, product.size):
            message = f"{own.size} scales, its weights have {product.size}"
        elif np.all(np.abs(product - own) <= BIAS_TOLERANCE * out):
            continue
        else:
            wrong = int(np.argmax(np.abs(product - own)))
            message = f"scale {np.broadcast_to(own, product.shape)[wrong]:.6g}, expected {product[wrong]:.6g}"
        yield Finding("bias", "error", message, node.label, tensor.name, "quantize it again with input x weight scale")


def shared_scale(model: Model) -> Iterator[Finding]:
    """Operators that only move values have one scale and zero point on both sides."""
    for node, operator, slot, tensor, kind in _slots(model):
        if not isinstance(slot.scale, SameAs) or kind not in SIGNED or not slot.quantizable:
            continue
        if not slot.scale.binds(kind):
            continue
        other = _named(node, operator).get(slot.scale.slot)
        if other is None or not (tensor.is_quantized and other.is_quantized) or tensor.dtype is not other.dtype:
            continue
        if tensor.quantization != other.quantization:
            message = f"{_shown(tensor)}, expected that of {other.name!r}: {_shown(other)}"
            yield Finding("shared_scale", "error", message, node.label, tensor.name, "put a QUANTIZE between them")


def fixed_output(model: Model) -> Iterator[Finding]:
    """Operators with a known range have the scale and zero point that the specification gives them."""
    for node, _, slot, tensor, kind in _slots(model):
        if not isinstance(slot.scale, Fixed) or kind not in SIGNED or tensor.dtype.name != kind:
            continue
        wanted, q = slot.scale.values.get(kind), tensor.quantization
        if wanted is None or q is None or not (q.scale.size and q.zero_point.size):
            continue
        if (float(q.scale[0]), int(q.zero_point[0])) != wanted:
            message, remedy = (
                f"{_shown(tensor)}, expected scale {wanted[0]:.6g} zero point {wanted[1]}",
                "requantize it",
            )
            yield Finding("fixed_output", "error", message, node.label, tensor.name, remedy)


def degenerate_scale(model: Model) -> Iterator[Finding]:
    """Scales are positive, finite, and not below what single precision holds in full."""
    for tensor in (t for s in model.subgraphs for t in s.tensors if t.dtype.is_quantized_integer):
        scale = np.empty(0) if tensor.quantization is None else tensor.quantization.scale
        bad = scale[~(np.isfinite(scale) & (scale > 0))]
        if bad.size and not (tensor.is_constant and not bad.any()):  # a channel of zeros may have scale 0
            message = f"scale {bad[0]:.6g}, expected a positive number"
            yield Finding("degenerate_scale", "error", message, "", tensor.name, "calibrate it again")
        elif scale.size and not bad.size and scale.min() < SMALLEST_SCALE:
            message = f"scale {scale.min():.6g}, expected at least {SMALLEST_SCALE:.6g}"
            yield Finding("degenerate_scale", "warning", message, "", tensor.name, "calibrate it again")


def multiplier(model: Model) -> Iterator[Finding]:
    """An output scale is not so small that kernels cannot represent the multiplier that leads to it."""
    for node, operator, slot, tensor, kind in _slots(model):
        named, scale = _named(node, operator), _scales(tensor)
        for floor in slot.floors if kind in SIGNED and scale.size else ():
            inputs = [_scales(named.get(name)) for name in floor.slots]
            least = floor.ratio.get(tensor.dtype.name, 0.0) * float(np.prod([s.max(initial=0) for s in inputs]))
            if floor.terms is None and scale.min() < least:
                message = f"scale {scale.min():.6g}, expected at least {least:.6g} for such inputs"
                yield Finding("multiplier", "warning", message, node.label, tensor.name, "calibrate it again")


def version(model: Model) -> Iterator[Finding]:
    """An operator declares the lowest version that has its types and options: a higher one shuts runtimes out."""
    for node in (n for s in model.subgraphs for n in s.nodes):
        lowest, declared = lowest_version(node), node.opcode.version
        if lowest is None or declared == lowest:
            continue
        message = f"version {declared}, {'needs' if declared < lowest else 'enough is'} {lowest}"
        remedy = f"declare version {lowest}"
        yield Finding("version", "info", message, node.label, "", remedy, fixable=True)


def mixed_concatenation(model: Model) -> Iterator[Finding]:
    """Parts that go under one scale, as boxes and scores of a detection head, have ranges of one size."""
    for subgraph in model.subgraphs:
        makers = {t: node for node in subgraph.nodes for t in node.outputs}
        for node in subgraph.nodes:
            operator = find(node.op)
            if operator is None or not node.outputs or not any(slot.variadic for slot in operator.inputs):
                continue
            whole = node.outputs[0]
            if not whole.is_quantized:
                continue
            for tensor in (t for t in node.inputs if t is not None and not t.is_constant):
                source = _before_casts(tensor, makers)
                if not source.is_quantized:
                    continue
                step, shared = _scales(source).max(), _scales(whole).max()
                step *= 2.0 ** (source.dtype.bits - whole.dtype.bits)  # as if it had the type of the whole
                if 0 < LOST * step <= shared:
                    message = f"scale {shared:.6g}, {source.name!r} has {step:.6g} and all but goes"
                    remedy = "leave the parts apart, or keep them in int16"
                    yield Finding("mixed_concatenation", "warning", message, node.label, tensor.name, remedy)


def _before_casts(tensor: Tensor, makers: dict[Tensor, Node]) -> Tensor:
    """The value as it was computed, before casts and other views of it."""
    while (node := makers.get(tensor)) is not None:
        operator = find(node.op)
        source = node.inputs[0] if node.inputs else None
        if operator is None or not (operator.cast or operator.view) or source is None or not source.is_quantized:
            break
        tensor = source
    return tensor


def cancelling_casts(model: Model) -> Iterator[Finding]:
    """No cast undoes the one before it."""
    for subgraph in model.subgraphs:
        makers = {t: node for node in subgraph.nodes for t in node.outputs}
        for node in filter(_is_cast, subgraph.nodes):
            before = makers.get(node.inputs[0]) if node.inputs[0] is not None else None
            if before is None or not _is_cast(before) or before.inputs[0] is None:
                continue
            first, last = before.inputs[0], node.outputs[0]
            if first.dtype is last.dtype and first.is_quantized and first.quantization == last.quantization:
                message = f"undoes {before.label}"
                yield Finding("cancelling_casts", "info", message, node.label, last.name, "fold", fixable=True)


def float_island(model: Model) -> Iterator[Finding]:
    """In a model of integers, nothing computes in float between casts."""
    for subgraph in model.subgraphs:
        kinds = {node: operator.kind(node) for node, operator in _known(Model([subgraph])) if not operator.cast}
        integers = sum(kind in BIASES for kind in kinds.values())
        floats = [node for node, kind in kinds.items() if kind in ("float32", "hybrid")]
        if integers > len(floats):
            for node in floats:
                message = f"computes in {'float32' if kinds[node] == 'float32' else 'float32 with integer weights'}"
                remedy = "quantize it too, where the target has no float"
                yield Finding("float_island", "info", f"{message} amid integers", node.label, "", remedy)


def unused(model: Model) -> Iterator[Finding]:
    """Every tensor and operator code is used."""
    copy = model.copy()
    twins = [list(zip(s.tensors, c.tensors, strict=True)) for s, c in zip(model.subgraphs, copy.subgraphs, strict=True)]
    remove_unused(copy)
    for pairs, subgraph in zip(twins, copy.subgraphs, strict=True):
        left = set(subgraph.tensors)
        for tensor in (t for t, twin in pairs if twin not in left):
            yield Finding("unused", "info", "nothing reads or writes it", "", tensor.name, "strip", fixable=True)
    codes = {node.opcode for s in model.subgraphs for node in s.nodes}
    for opcode in (o for o in model.opcodes if o not in codes):
        yield Finding("unused", "info", f"no operator is {opcode.name}", "", "", "strip", fixable=True)


def duplicate_name(model: Model) -> Iterator[Finding]:
    """Names tell a subgraph's tensors apart."""
    for subgraph in model.subgraphs:
        for name, count in Counter(t.name for t in subgraph.tensors if t.name).items():
            if count > 1:
                message = f"{count} tensors have this name"
                yield Finding("duplicate_name", "info", message, "", name, "rename all but one")


def _scales(tensor: Tensor | None) -> np.ndarray:
    q = None if tensor is None else tensor.quantization
    return np.empty(0) if q is None else q.scale.astype(np.float64)


def _shown(tensor: Tensor) -> str:
    q = tensor.quantization
    assert q is not None
    return f"scale {q.scale[0]:.6g} zero point {int(q.zero_point[0]) if q.zero_point.size else 0}"


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        zero_point,
        weight_axis,
        bias,
        shared_scale,
        fixed_output,
        degenerate_scale,
        multiplier,
        version,
        mixed_concatenation,
        cancelling_casts,
        float_island,
        unused,
        duplicate_name,
    )
}
