"""Decides scales: model, recipe and observed ranges to Assignments. What operators demand stands in their slots."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from pyquant.calibrate import Range
from pyquant.dtypes import FLOAT16, FLOAT32, DType, dtype
from pyquant.errors import RangeError, RecipeError
from pyquant.graph import Model, Node, Quantization, Subgraph, Tensor
from pyquant.graph.real import real_values
from pyquant.ops import Fixed, Operator, Product, SameAs, Slot, find, get
from pyquant.quantize import parameters
from pyquant.quantize.assignments import FLOAT, Assignments, Encoding, Use, as_is
from pyquant.quantize.groups import Groups
from pyquant.quantize.recipe import INPUT, OUTPUT, Recipe, Rule
from pyquant.wire import Record

SMALLEST_FLOAT16 = 2.0**-14  # of those that keep all their bits
PLAIN_ACTIVATIONS = (0, 1, 2, 3)  # NONE, RELU, RELU_N1_TO_1, RELU6: the ones that integer kernels clamp to


def solve(
    model: Model,
    recipe: Recipe,
    ranges: Mapping[Tensor, Range] | None = None,
    wide: Mapping[Tensor, Range] | None = None,
) -> Assignments:
    """Decide how every value of `model` is stored.

    ranges: of the main subgraph's float tensors, for static rules. wide: those of values in int16, where others suit.
    Raises RecipeError for a rule that names nothing, and where nothing can be converted; RangeError for weights that
    are not finite.
    """
    _check_scope(model, recipe)
    made = Assignments(model, recipe)
    chosen = _chosen(made, ranges or {}, {node for subgraph in model.subgraphs for node in subgraph.nodes})
    static = {node: rule for node, rule in chosen.items() if rule.is_static}
    if static or recipe.is_static:
        _Static(made, ranges or {}, static, wide).decide()
    for node, rule in chosen.items():
        if not rule.is_static:
            _convert_constants(made, node, rule)
    if not made.kinds:
        small = not recipe.is_static and any(_is_float_constant(t, 1) for s in model.subgraphs for t in s.tensors)
        if not small or made.kept_float:
            reasons = "; ".join(sorted({reason for _, reason in made.kept_float})) or "it has no float weights"
            raise RecipeError(f"{recipe.name} converts no operator of this model: {reasons}")
        least = max(rule.min_weight_elements for rule in recipe.rules)
        made.notes.append(f"no weight has {least} elements or more: nothing is converted")
    return made


def solve_again(made: Assignments, ranges: Mapping[Tensor, Range], nodes: Collection[Node]) -> None:
    """Decide anew, within `made`, how the values of some quantized nodes are stored.

    ranges: of all values that these nodes read and write, however they are stored now. A weight that is symmetric
    already keeps its scales, unless the recipe wants one scale where it has several.
    """
    _Static(made, ranges, _chosen(made, ranges, nodes)).decide()


def inputs_of(node: Node, operator: Operator) -> Iterator[tuple[int, Slot, Tensor]]:
    """The inputs that a node has, with their slots."""
    for i, (slot, tensor) in enumerate(zip(operator.slots(node.inputs), node.inputs, strict=True)):
        if tensor is not None:
            yield i, slot, tensor


def outputs_of(node: Node, operator: Operator) -> Iterator[tuple[Slot, Tensor]]:
    """The outputs of a node, with their slots."""
    yield from zip(operator.slots(node.outputs, outputs=True), node.outputs, strict=True)


def _check_scope(model: Model, recipe: Recipe) -> None:
    """Raises RecipeError for a rule that names no operator, input or output; one for all of a type may be general."""
    names = [(node.op, _name(node)) for subgraph in model.subgraphs for node in subgraph.nodes]
    names += [(INPUT, t.name) for t in model.main.inputs] + [(OUTPUT, t.name) for t in model.main.outputs]
    for i, rule in enumerate(recipe.rules):
        if rule.regex != ".*" and not any(rule.names(operation, name) for operation, name in names):
            found = ", ".join(sorted({operation for operation, _ in names} - {INPUT, OUTPUT}))
            raise RecipeError(f"rule {i} of {recipe.name} ({rule}) names nothing of this model, which has {found}")


def _name(node: Node) -> str:
    """By which rules find an operator."""
    return node.outputs[0].name if node.outputs else ""


def _chosen(made: Assignments, ranges: Mapping[Tensor, Range], nodes: Collection[Node]) -> dict[Node, Rule]:
    """The rule that each of some nodes follows. Of those that follow none it is noted why not the first."""
    chosen: dict[Node, Rule] = {}
    for subgraph in made.model.subgraphs:
        for node in subgraph.nodes:
            if node not in nodes:
                continue
            reasons = []
            for rule in made.recipe.rules_for(node.op, _name(node)):
                reason = _obstacle(made.model, ranges, subgraph, node, rule)
                if reason is None:
                    chosen[node] = made.rules[node] = rule
                    break
                reasons.append(reason)
                if rule.leaves:
                    break
            if node not in chosen and any(reasons):
                made.kept_float.append((node.label, next(filter(None, reasons))))
    return chosen


def _obstacle(model: Model, ranges: Mapping[Tensor, Range], subgraph: Subgraph, node: Node, rule: Rule) -> str | None:
    """Why a node cannot follow a rule; "" where it has nothing that the rule is about; None where it can."""
    operator = find(node.op)
    if rule.leaves:
        return "the recipe leaves it"
    if rule.is_static:
        return "outside the main subgraph" if subgraph is not model.main else _static_obstacle(ranges, node, rule)
    if not any(t is not None and _is_float_constant(t, rule.min_weight_elements) for t in node.inputs):
        return ""
    if operator is None:
        return "unknown operator"
    if next(_constants(node, operator, rule), None) is None:
        blocks = f" in blocks of {rule.block}" if rule.block else ""
        return f"no kernel takes {rule.weights} weights{blocks} with float activations"
    return None


def _static_obstacle(ranges: Mapping[Tensor, Range], node: Node, rule: Rule) -> str | None:
    """Why a node's activations cannot be quantized; None where they can."""
    operator = find(node.op)
    if operator is None:
        return "unknown operator"
    if not operator.ranged:
        return f"{operator.name} has states, whose ranges are not known"
    if rule.activations not in operator.reference:
        return f"TFLite has no {rule.activations} kernel for {operator.name}"
    if rule.activations in operator.unserved:
        return f"no runtime computes {operator.name} of {rule.activations} codes with scales"
    fused = 0 if node.options is None else getattr(node.options, "fused_activation_function", 0)
    if fused not in PLAIN_ACTIVATIONS:
        return "its fused activation has no integer form"
    for _, slot, tensor in inputs_of(node, operator):
        if slot.role in ("weight", "bias") and not tensor.is_constant:
            return f"its {slot.role} is not constant"
        if slot.role == "weight" and not slot.takes(rule.weights, rule.activations or "int8"):
            return f"no kernel takes {rule.weights} weights with {rule.activations} activations"
        if slot.quantizable and not _is_real(tensor, ranges):
            return f"its input {tensor.name!r} is {tensor.dtype}, not float32"
    for slot, tensor in outputs_of(node, operator):
        if slot.quantizable and not _is_real(tensor, ranges):
            return f"its output {tensor.name!r} is {tensor.dtype}, not float32"
    return None


def _is_real(tensor: Tensor, ranges: Mapping[Tensor, Range]) -> bool:
    """True where it is known what real values a tensor holds."""
    return tensor.dtype is FLOAT32 or tensor in ranges or (tensor.is_constant and tensor.is_quantized)


def _constants(node: Node, operator: Operator, rule: Rule) -> Iterator[tuple[int, Slot, Tensor]]:
    """The constants of a node that a rule which leaves activations in float has stored otherwise."""
    takes = rule.cast_weights or ("hybrid" in operator.reference and operator.kind(node) == "float32")
    if rule.block:
        blocks = [tensor for _, slot, tensor in inputs_of(node, operator) if slot.blocks]
        takes = takes and bool(blocks) and all(tensor.shape[-1] % rule.block == 0 for tensor in blocks)
    for i, slot, tensor in inputs_of(node, operator):
        stored = slot.quantizable if rule.weights == "float16" else slot.role == "weight"
        stored = stored and (rule.cast_weights or slot.takes(rule.weights, "hybrid"))
        if takes and stored and _is_float_constant(tensor, rule.min_weight_elements):
            yield i, slot, tensor


def _convert_constants(made: Assignments, node: Node, rule: Rule) -> None:
    """Store the constants of a node as a rule says that leaves activations in float."""
    kind = dtype(rule.weights or "int8")
    for i, slot, tensor in _constants(node, get(node.op), rule):
        quantization = None
        if not kind.is_float:
            axis = _axis(slot, rule, made.recipe)
            scales = None if rule.block else _weight_scales(tensor, axis, rule)
            if scales is not None and slot.every_channel and axis is None and not rule.cast_weights:
                axis = slot.axis or 0
                scales = np.repeat(scales, tensor.shape[axis])
            quantization = _in_blocks(tensor, rule) if scales is None else _symmetric(scales, axis)
        made.consumed[node, i] = Encoding(kind, quantization, rule.cast_weights)
    made.kinds[node] = "float32" if rule.cast_weights else "hybrid"


def _is_float_constant(tensor: Tensor, least: int) -> bool:
    return tensor.is_constant and tensor.dtype is FLOAT32 and tensor.size >= least


def _axis(slot: Slot, rule: Rule, recipe: Recipe) -> int | None:
    if rule.granularity == "tensor":
        return None
    return slot.newer_axis if recipe.newer_axes and slot.newer_axis is not None else slot.axis


def _in_blocks(tensor: Tensor, rule: Rule) -> Quantization:
    """A scale for each block of the last dimension, in float16 as runtimes read them."""
    values, bits = _finite(tensor), dtype(rule.weights or "int8").bits
    scales = parameters.weight_scales(values.reshape(-1, rule.block), 0, bits, rule.method)
    held = Tensor(f"{tensor.name}_scales", (*values.shape[:-1], values.shape[-1] // rule.block), FLOAT16)
    held.data = np.maximum(scales.reshape(held.shape), SMALLEST_FLOAT16).astype(np.float16)
    details = Record("BlockwiseQuantization", block_size=rule.block, zero_points=-1)
    return Quantization(np.zeros(0, np.float32), np.zeros(0, np.int64), 0, details, {"scales": held})


def _finite(tensor: Tensor) -> np.ndarray:
    values = real_values(tensor)
    if not np.all(np.isfinite(values)):
        raise RangeError(f"weight {tensor.name!r}: holds NaN or infinity, expected finite values")
    return values


def _weight_scales(tensor: Tensor, axis: int | None, rule: Rule) -> np.ndarray:
    values = _finite(tensor)
    return parameters.weight_scales(values, axis, dtype(rule.weights or "int8").bits, rule.method)


def _symmetric(scales: np.ndarray, axis: int | None) -> Quantization:
    return Quantization.of(scales, 0, axis or 0)


class Key(NamedTuple):
    """What has one scale: a value in one type, or a constant in one use."""

    value: Tensor | Use
    type: DType


class _Static:
    """The constraint solver: groups of values that share a scale, then floors, then weights and biases."""

    def __init__(
        self,
        made: Assignments,
        ranges: Mapping[Tensor, Range],
        rules: Mapping[Node, Rule],
        wide: Mapping[Tensor, Range] | None = None,
    ) -> None:
        self.made, self.recipe, self.ranges, self.rules = made, made.recipe, ranges, rules
        self.wide = ranges if wide is None else wide
        self.operators = {node: get(node.op) for node in rules}
        self.types = {node: dtype(rule.activations or "int8") for node, rule in rules.items()}
        self.keys: dict[Use, Key] = {}  # of the inputs
        self.groups = Groups()
        self.symmetric: set[Hashable] = set()  # groups
        self.floors: dict[Hashable, float] = {}  # by group
        self.weights: dict[Use, Quantization] = {}

    def decide(self) -> None:
        for node, operator in self.operators.items():
            self.made.kinds[node] = self.types[node].name
            self._join(node, operator)
        self.symmetric = {self.groups.root(key) for node in self.operators for key in self._symmetric_keys(node)}
        for _ in range(len(self.operators) + 2):  # raising one scale can demand another, downstream
            self._solve_weights()
            if not self._raise_floors():
                break
        for node, operator in self.operators.items():
            self._assign(node, operator)
        self._assign_boundary(self.made.model.main)
        self._note_ranges()

    def _join(self, node: Node, operator: Operator) -> None:
        """Put into one group what the slots say must share a scale, and prescribe the scales that they fix."""
        by_slot: dict[str, list[Key]] = {}
        uses: list[Use] = []
        kind = self.types[node]
        for i, slot, tensor in inputs_of(node, operator):
            if slot.role == "activation":
                uses.append((node, i))
                key = self.keys[node, i] = Key((node, i) if tensor.is_constant else tensor, kind)
                self.groups.add(key, self._range(tensor, kind))
                by_slot.setdefault(slot.name, []).append(key)
        for slot, tensor in outputs_of(node, operator):
            if slot.role == "activation":
                self.groups.add(Key(tensor, kind), self._range(tensor, kind))
                by_slot.setdefault(slot.name, []).append(Key(tensor, kind))
        shared: list[Key] = []
        for slot in (*operator.inputs, *operator.outputs):
            if isinstance(slot.scale, SameAs):
                shared += by_slot.get(slot.name, []) + by_slot.get(slot.scale.slot, [])
            elif isinstance(slot.scale, Fixed):
                for key in by_slot.get(slot.name, []):
                    self.groups.fix(key, slot.scale.values.get(kind.name))
        self._share(shared, uses)

    def _symmetric_keys(self, node: Node) -> list[Key]:
        """Of the values that a node must have about 0."""
        if not (self.rules[node].symmetric or self.operators[node].about_zero):
            return []
        return [self.keys[node, i] for i in range(len(node.inputs)) if (node, i) in self.keys] + self._made_by(node)

    def _made_by(self, node: Node) -> list[Key]:
        outputs = outputs_of(node, self.operators[node])
        return [Key(tensor, self.types[node]) for slot, tensor in outputs if slot.role == "activation"]

    def _share(self, shared: list[Key], uses: list[Use]) -> None:
        """Unite keys. Inputs whose scale is fixed, among others of another scale, take part by a copy of their own."""
        uses = [use for use in uses if self.keys[use] in shared]
        if len({self.groups.fixed(self.keys[use]) for use in uses}) > 1:
            copied = [use for use in uses if self.groups.fixed(self.keys[use]) is not None]
            originals = {self.keys[use] for use in copied}
            shared = [key for key in shared if key not in originals]
            for use in copied:
                own = Key(use, self.keys[use].type)
                self.groups.add(own, self.groups.range(self.keys[use]))
                self.keys[use] = own
                shared.append(own)
        self.groups.unite(shared)

    def _range(self, tensor: Tensor, kind: DType) -> Range:
        ranges = self.wide if kind.bits > 8 else self.ranges
        if tensor in ranges:
            return ranges[tensor]
        if tensor.is_constant:
            return Range.of(real_values(tensor))
        raise RecipeError(f"no range was observed for tensor {tensor.name!r}")

    def _encoding(self, key: Key) -> Encoding:
        fixed = self.groups.fixed(key)
        if fixed is not None:
            return Encoding(key.type, Quantization.of(*fixed))
        seen, floor = self.groups.range(key), self.floors.get(self.groups.root(key), parameters.SMALLEST_SCALE)
        low, high = (seen.low, seen.high) if seen.low < seen.high or seen.low != 0 else (0.0, 1.0)
        symmetric = self.groups.root(key) in self.symmetric
        return Encoding(key.type, parameters.activation(low, high, key.type, floor, symmetric))

    def _scale(self, key: Key) -> float:
        quantization = self._encoding(key).quantization
        assert quantization is not None
        return float(quantization.scale[0])

    def _solve_weights(self) -> None:
        """Weight scales per use, wide enough for the bias that rides on them."""
        for node, operator in self.operators.items():
            rule = self.rules[node]
            uses = {slot.name: (i, tensor) for i, slot, tensor in inputs_of(node, operator)}
            for i, slot, tensor in inputs_of(node, operator):
                if slot.role == "weight":
                    self.weights[node, i] = self._weight(slot, tensor, rule)
            for _, slot, tensor in inputs_of(node, operator):
                if slot.role == "bias" and isinstance(slot.scale, Product):
                    use = (node, uses[slot.scale.second][0])
                    values, weight = real_values(tensor), self.weights[use]
                    if not np.all(np.isfinite(values)):
                        raise RangeError(f"bias {tensor.name!r}: holds NaN or infinity, expected finite values")
                    input_scale = self._scale(self.keys[node, uses[slot.scale.first][0]])
                    limit = parameters.BIAS_LIMIT[rule.bias]
                    raised = parameters.raise_for_bias(weight.scale, input_scale, values, limit)
                    if np.any(raised != weight.scale):
                        self.weights[use] = _symmetric(raised, weight.axis)

    def _weight(self, slot: Slot, tensor: Tensor, rule: Rule) -> Quantization:
        """The scales of a weight: its own where it is stored as the rule would, else those that its values need."""
        q, own = tensor.quantization, dtype(rule.weights or "int8")
        if tensor.is_quantized and q is not None and not q.zero_point.any():
            fits = tensor.dtype.lo is not None and (own.lo or 0) <= tensor.dtype.lo < 0
            if fits and (rule.granularity != "tensor" or not q.per_axis):
                return q
        axis = _axis(slot, rule, self.recipe)
        return _symmetric(_weight_scales(tensor, axis, rule), axis)

    def _raise_floors(self) -> bool:
        """Raise the scale of every group that is below what one of its slots demands. True if any was."""
        raised = False
        for node, operator in self.operators.items():
            scale_of, terms_of = self._measures(node, operator)
            kind = self.types[node]
            members = [(slot, self.keys[node, i]) for i, slot, _ in inputs_of(node, operator) if (node, i) in self.keys]
            members += [(slot, Key(t, kind)) for slot, t in outputs_of(node, operator) if slot.role == "activation"]
            for slot, key in members:
                for floor in slot.floors:
                    least = floor.ratio.get(kind.name, 0.0)
                    for name in floor.slots:
                        least *= scale_of.get(name, 0.0)
                    least *= terms_of.get(floor.terms or "", 1)
                    if self._scale(key) < least and self.groups.fixed(key) is None:
                        self.floors[self.groups.root(key)] = least * 1.001
                        raised = True
        return raised

    def _measures(self, node: Node, operator: Operator) -> tuple[dict[str, float], dict[str, int]]:
        """The largest scale in each input slot, and the elements per output of each weight slot."""
        scales: dict[str, float] = {}
        terms: dict[str, int] = {}
        for i, slot, tensor in inputs_of(node, operator):
            if (node, i) in self.keys:
                scales[slot.name] = max(scales.get(slot.name, 0.0), self._scale(self.keys[node, i]))
            elif slot.role == "weight":
                scales[slot.name] = float(self.weights[node, i].scale.max())
                outputs = tensor.shape[slot.axis if slot.axis is not None else 0]
                terms[slot.name] = max(1, tensor.size // max(1, outputs))
        return scales, terms

    def _assign(self, node: Node, operator: Operator) -> None:
        made, rule = self.made, self.rules[node]
        by_slot: dict[str, Encoding] = {}
        for i, slot, _ in sorted(inputs_of(node, operator), key=lambda use: use[1].role == "bias"):
            if slot.role == "activation":
                made.consumed[node, i] = self._encoding(self.keys[node, i])
            elif slot.role == "weight":
                made.consumed[node, i] = Encoding(dtype(rule.weights or "int8"), self.weights[node, i])
            elif slot.role == "bias" and isinstance(slot.scale, Product):
                first, second = (by_slot[name].quantization for name in (slot.scale.first, slot.scale.second))
                assert first is not None and second is not None
                made.consumed[node, i] = Encoding(dtype(rule.bias), Quantization.of(first.scale * second.scale))
            if (node, i) in made.consumed:
                by_slot[slot.name] = made.consumed[node, i]
        for slot, tensor in outputs_of(node, operator):
            if slot.role == "activation":
                made.produced[tensor] = self._encoding(Key(tensor, self.types[node]))

    def _assign_boundary(self, main: Subgraph) -> None:
        for operation, ends, made, float_type in (
            (INPUT, main.inputs, self.made.produced, self.recipe.input_type),
            (OUTPUT, main.outputs, self.made.results, self.recipe.output_type),
        ):
            for tensor in dict.fromkeys(ends):
                now = made.get(tensor, as_is(tensor))
                wanted = self._end_type(operation, tensor, float_type) if now == FLOAT else self.recipe.activations[0]
                if wanted != "float32" and (now == FLOAT or tensor in self.ranges):
                    made[tensor] = self._boundary(tensor, wanted)

    def _end_type(self, operation: str, tensor: Tensor, stated: str | None) -> str:
        """What a real input or output of the model is to be: as stated, else by the rules."""
        if stated is not None:
            return stated
        rule = next(self.recipe.rules_for(operation, tensor.name), None)
        return "float32" if rule is None or rule.activations is None else rule.activations

    def _boundary(self, tensor: Tensor, name: str) -> Encoding:
        key = Key(tensor, dtype("int8" if name == "uint8" else name))
        self.groups.add(key, self._range(tensor, key.type))
        inner = self._encoding(key)
        assert inner.quantization is not None
        shift = 128 if name == "uint8" else 0
        return Encoding(dtype(name), Quantization.of(inner.quantization.scale, inner.quantization.zero_point + shift))

    def _note_ranges(self) -> None:
        """Say which ranges could not be used as they were observed."""
        for key in self._values():
            tensor = key.value
            assert isinstance(tensor, Tensor)
            seen = self._range(tensor, key.type)
            if seen.ignored:
                self.made.notes.append(
                    f"tensor {tensor.name!r}: {seen.ignored} values were NaN or infinite and ignored"
                )
            if self.groups.fixed(key) is not None:
                continue
            joint, scale = self.groups.range(key), self._scale(key)
            if joint.low == joint.high == 0:
                self.made.notes.append(f"tensor {tensor.name!r}: only zeros were observed; scale {scale:.3g}")
            elif scale > 1.002 * float(parameters.activation(joint.low, joint.high, key.type, 1e-300).scale[0]):
                self.made.notes.append(
                    f"tensor {tensor.name!r}: range {joint.low:.3g}..{joint.high:.3g} is too narrow for the "
                    f"multipliers of its operators; scale raised to {scale:.3g}"
                )

    def _values(self) -> list[Key]:
        """Of all that is quantized and no constant."""
        read = [key for key in self.keys.values() if isinstance(key.value, Tensor)]
        return list(dict.fromkeys(read + [key for node in self.operators for key in self._made_by(node)]))
