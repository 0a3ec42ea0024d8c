"""Decides scales: model, recipe and observed ranges to Assignments. What operators demand stands in their slots."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Mapping

import numpy as np

from pyquant.calibrate import Range
from pyquant.dtypes import FLOAT32, dtype
from pyquant.errors import RangeError, RecipeError
from pyquant.graph import Model, Node, Quantization, Subgraph, Tensor
from pyquant.graph.real import real_values
from pyquant.ops import Fixed, Operator, Product, SameAs, Slot, find
from pyquant.quantize import parameters
from pyquant.quantize.assignments import FLOAT, Assignments, Encoding, Use, as_is
from pyquant.quantize.groups import Groups
from pyquant.quantize.recipe import Recipe

PLAIN_ACTIVATIONS = (0, 1, 2, 3)  # NONE, RELU, RELU_N1_TO_1, RELU6: the ones that integer kernels clamp to


def solve(model: Model, recipe: Recipe, ranges: Mapping[Tensor, Range] | None = None) -> Assignments:
    """Decide how every value of `model` is stored. ranges: of the main subgraph's float tensors, for static recipes.

    Raises RecipeError where nothing can be converted, RangeError for weights that are not finite.
    """
    made = Assignments(model, recipe)
    if recipe.is_static:
        _Static(made, ranges or {}).decide()
    else:
        _convert_constants(made)
    if not made.kinds:
        small = not recipe.is_static and any(_is_float_constant(t, 1) for s in model.subgraphs for t in s.tensors)
        if not small:
            reasons = "; ".join(sorted({reason for _, reason in made.kept_float})) or "it has no float weights"
            raise RecipeError(f"{recipe.name} converts no operator of this model: {reasons}")
        made.notes.append(f"no weight has {recipe.min_weight_elements} elements or more: nothing is converted")
    return made


def solve_again(made: Assignments, ranges: Mapping[Tensor, Range], nodes: Collection[Node]) -> None:
    """Decide anew, within `made`, how the values of some quantized nodes are stored.

    ranges: of all values that these nodes read and write, however they are stored now. A weight that is symmetric
    already keeps its scales, unless the recipe wants one scale where it has several.
    """
    _Static(made, ranges, nodes).decide()


def inputs_of(node: Node, operator: Operator) -> Iterator[tuple[int, Slot, Tensor]]:
    """The inputs that a node has, with their slots."""
    for i, (slot, tensor) in enumerate(zip(operator.slots(node.inputs), node.inputs, strict=True)):
        if tensor is not None:
            yield i, slot, tensor


def outputs_of(node: Node, operator: Operator) -> Iterator[tuple[Slot, Tensor]]:
    """The outputs of a node, with their slots."""
    yield from zip(operator.slots(node.outputs, outputs=True), node.outputs, strict=True)


def _convert_constants(made: Assignments) -> None:
    """Schemes that leave activations in float: int8 weights of operators with a hybrid kernel, or float16 constants."""
    recipe = made.recipe
    hybrid = recipe.weights != "float16"
    for subgraph in made.model.subgraphs:
        for node in subgraph.nodes:
            operator = find(node.op)
            large = [t for t in node.inputs if t is not None and _is_float_constant(t, recipe.min_weight_elements)]
            if operator is None:
                if large:
                    made.kept_float.append((node.label, "unknown operator"))
                continue
            for i, slot, tensor in inputs_of(node, operator):
                if not _is_float_constant(tensor, recipe.min_weight_elements) or not slot.quantizable:
                    continue
                if not hybrid:
                    made.consumed[node, i] = Encoding(dtype("float16"))
                    made.kinds[node] = "float16"
                elif slot.role == "weight" and "hybrid" in operator.reference and operator.kind(node) == "float32":
                    scales = _weight_scales(tensor, _axis(slot, recipe))
                    made.consumed[node, i] = Encoding(dtype(recipe.weights), _symmetric(scales, _axis(slot, recipe)))
                    made.kinds[node] = "hybrid"
            if large and node not in made.kinds:
                made.kept_float.append((node.label, "no kernel takes int8 weights with float activations"))


def _is_float_constant(tensor: Tensor, least: int) -> bool:
    return tensor.is_constant and tensor.dtype is FLOAT32 and tensor.size >= least


def _axis(slot: Slot, recipe: Recipe) -> int | None:
    if not recipe.per_channel:
        return None
    return slot.newer_axis if recipe.newer_axes and slot.newer_axis is not None else slot.axis


def _weight_scales(tensor: Tensor, axis: int | None) -> np.ndarray:
    values = real_values(tensor)
    if not np.all(np.isfinite(values)):
        raise RangeError(f"weight {tensor.name!r}: holds NaN or infinity, expected finite values")
    return parameters.weight_scales(values, axis)


def _symmetric(scales: np.ndarray, axis: int | None) -> Quantization:
    return Quantization.of(scales, 0, axis or 0)


class _Static:
    """The constraint solver: groups of values that share a scale, then floors, then weights and biases."""

    def __init__(
        self, made: Assignments, ranges: Mapping[Tensor, Range], nodes: Collection[Node] | None = None
    ) -> None:
        self.made, self.recipe, self.ranges, self.nodes = made, made.recipe, ranges, nodes
        self.type = dtype(made.recipe.activations or "int8")
        self.operators: dict[Node, Operator] = {}
        self.keys: dict[Use, Hashable] = {}  # what stands for an input in the groups: its tensor, or a use of its own
        self.groups = Groups()
        self.floors: dict[Hashable, float] = {}  # by group
        self.weights: dict[Use, Quantization] = {}

    def decide(self) -> None:
        main = self.made.model.main
        self._choose_nodes(main)
        for node, operator in self.operators.items():
            self._join(node, operator)
        for _ in range(len(self.operators) + 2):  # raising one scale can demand another, downstream
            self._solve_weights()
            if not self._raise_floors():
                break
        for node, operator in self.operators.items():
            self._assign(node, operator)
        self._assign_boundary(main)
        self._note_ranges()

    def _choose_nodes(self, main: Subgraph) -> None:
        for subgraph in self.made.model.subgraphs:
            for node in subgraph.nodes:
                if self.nodes is not None and node not in self.nodes:
                    continue
                operator = find(node.op)
                reason = "outside the main subgraph" if subgraph is not main else self._obstacle(node, operator)
                if reason:
                    self.made.kept_float.append((node.label, reason))
                elif operator is not None:
                    self.operators[node] = operator
                    self.made.kinds[node] = self.type.name

    def _obstacle(self, node: Node, operator: Operator | None) -> str | None:
        """Why a node must stay float; None where it need not."""
        if operator is None:
            return "unknown operator"
        if not operator.ranged:
            return f"{operator.name} has states, whose ranges are not known"
        if self.type.name not in operator.reference:
            return f"TFLite has no {self.type.name} kernel for {operator.name}"
        name = node.outputs[0].name if node.outputs else ""
        if any(re.search(pattern, name) for pattern in self.recipe.keep_float):
            return "the recipe keeps it float"
        fused = 0 if node.options is None else getattr(node.options, "fused_activation_function", 0)
        if fused not in PLAIN_ACTIVATIONS:
            return "its fused activation has no integer form"
        for _, slot, tensor in inputs_of(node, operator):
            if slot.role in ("weight", "bias") and not tensor.is_constant:
                return f"its {slot.role} is not constant"
            if slot.quantizable and not self._is_real(tensor):
                return f"its input {tensor.name!r} is {tensor.dtype}, not float32"
        for slot, tensor in outputs_of(node, operator):
            if slot.quantizable and not self._is_real(tensor):
                return f"its output {tensor.name!r} is {tensor.dtype}, not float32"
        return None

    def _is_real(self, tensor: Tensor) -> bool:
        """True where it is known what real values a tensor holds."""
        return tensor.dtype is FLOAT32 or tensor in self.ranges or (tensor.is_constant and tensor.is_quantized)

    def _join(self, node: Node, operator: Operator) -> None:
        """Put into one group what the slots say must share a scale, and prescribe the scales that they fix."""
        by_slot: dict[str, list[Hashable]] = {}
        uses: list[Use] = []
        for i, slot, tensor in inputs_of(node, operator):
            if slot.role == "activation":
                uses.append((node, i))
                self.keys[node, i] = (node, i) if tensor.is_constant else tensor
                self.groups.add(self.keys[node, i], self._range(tensor))
                by_slot.setdefault(slot.name, []).append(self.keys[node, i])
        for slot, tensor in outputs_of(node, operator):
            if slot.role == "activation":
                self.groups.add(tensor, self._range(tensor))
                by_slot.setdefault(slot.name, []).append(tensor)
        shared: list[Hashable] = []
        for slot in (*operator.inputs, *operator.outputs):
            if isinstance(slot.scale, SameAs):
                shared += by_slot.get(slot.name, []) + by_slot.get(slot.scale.slot, [])
            elif isinstance(slot.scale, Fixed):
                for key in by_slot.get(slot.name, []):
                    self.groups.fix(key, slot.scale.values.get(self.type.name))
        self._share(shared, uses)

    def _share(self, shared: list[Hashable], uses: list[Use]) -> None:
        """Unite keys. Inputs whose scale is fixed, among others of another scale, take part by a copy of their own."""
        uses = [use for use in uses if self.keys[use] in shared]
        if len({self.groups.fixed(self.keys[use]) for use in uses}) > 1:
            copied = [use for use in uses if self.groups.fixed(self.keys[use]) is not None]
            originals = {self.keys[use] for use in copied}
            shared = [key for key in shared if key not in originals] + list(copied)
            for use in copied:
                self.groups.add(use, self.groups.range(self.keys[use]))
                self.keys[use] = use
        self.groups.unite(shared)

    def _range(self, tensor: Tensor) -> Range:
        if tensor in self.ranges:
            return self.ranges[tensor]
        if tensor.is_constant:
            return Range.of(real_values(tensor))
        raise RecipeError(f"no range was observed for tensor {tensor.name!r}")

    def _encoding(self, key: Hashable) -> Encoding:
        fixed = self.groups.fixed(key)
        if fixed is not None:
            return Encoding(self.type, Quantization.of(*fixed))
        seen, floor = self.groups.range(key), self.floors.get(self.groups.root(key), parameters.SMALLEST_SCALE)
        low, high = (seen.low, seen.high) if seen.low < seen.high or seen.low != 0 else (0.0, 1.0)
        return Encoding(self.type, parameters.activation(low, high, self.type, floor))

    def _scale(self, key: Hashable) -> float:
        quantization = self._encoding(key).quantization
        assert quantization is not None
        return float(quantization.scale[0])

    def _solve_weights(self) -> None:
        """Weight scales per use, wide enough for the bias that rides on them."""
        for node, operator in self.operators.items():
            uses = {slot.name: (i, tensor) for i, slot, tensor in inputs_of(node, operator)}
            for i, slot, tensor in inputs_of(node, operator):
                if slot.role == "weight":
                    self.weights[node, i] = self._weight(slot, tensor)
            for _, slot, tensor in inputs_of(node, operator):
                if slot.role == "bias" and isinstance(slot.scale, Product):
                    use = (node, uses[slot.scale.second][0])
                    values, weight = real_values(tensor), self.weights[use]
                    if not np.all(np.isfinite(values)):
                        raise RangeError(f"bias {tensor.name!r}: holds NaN or infinity, expected finite values")
                    input_scale = self._scale(self.keys[node, uses[slot.scale.first][0]])
                    limit = parameters.BIAS_LIMIT[self.recipe.bias or "int32"]
                    raised = parameters.raise_for_bias(weight.scale, input_scale, values, limit)
                    if np.any(raised != weight.scale):
                        self.weights[use] = _symmetric(raised, weight.axis)

    def _weight(self, slot: Slot, tensor: Tensor) -> Quantization:
        """The scales of a weight: its own where it is stored as the recipe would, else those that its values need."""
        q, own = tensor.quantization, dtype(self.recipe.weights)
        if tensor.is_quantized and q is not None and not q.zero_point.any():
            fits = tensor.dtype.lo is not None and (own.lo or 0) <= tensor.dtype.lo < 0
            if fits and (self.recipe.per_channel or not q.per_axis):
                return q
        axis = _axis(slot, self.recipe)
        return _symmetric(_weight_scales(tensor, axis), axis)

    def _raise_floors(self) -> bool:
        """Raise the scale of every group that is below what one of its slots demands. True if any was."""
        raised = False
        for node, operator in self.operators.items():
            scale_of, terms_of = self._measures(node, operator)
            members = [(slot, self.keys[node, i]) for i, slot, _ in inputs_of(node, operator) if (node, i) in self.keys]
            members += [(slot, tensor) for slot, tensor in outputs_of(node, operator) if slot.role == "activation"]
            for slot, key in members:
                for floor in slot.floors:
                    least = floor.ratio.get(self.type.name, 0.0)
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
        made = self.made
        by_slot: dict[str, Encoding] = {}
        for i, slot, _ in sorted(inputs_of(node, operator), key=lambda use: use[1].role == "bias"):
            if slot.role == "activation":
                made.consumed[node, i] = self._encoding(self.keys[node, i])
            elif slot.role == "weight":
                made.consumed[node, i] = Encoding(dtype(self.recipe.weights), self.weights[node, i])
            elif slot.role == "bias" and isinstance(slot.scale, Product):
                first, second = (by_slot[name].quantization for name in (slot.scale.first, slot.scale.second))
                assert first is not None and second is not None
                made.consumed[node, i] = Encoding(
                    dtype(self.recipe.bias or "int32"), Quantization.of(first.scale * second.scale)
                )
            if (node, i) in made.consumed:
                by_slot[slot.name] = made.consumed[node, i]
        for slot, tensor in outputs_of(node, operator):
            if slot.role == "activation":
                made.produced[tensor] = self._encoding(tensor)

    def _assign_boundary(self, main: Subgraph) -> None:
        for ends, made, float_type in (
            (main.inputs, self.made.produced, self.recipe.input_type),
            (main.outputs, self.made.results, self.recipe.output_type),
        ):
            for tensor in dict.fromkeys(ends):
                now = made.get(tensor, as_is(tensor))
                wanted = float_type if now == FLOAT else self.type.name
                if wanted != "float32" and (now == FLOAT or tensor in self.ranges):
                    made[tensor] = self._boundary(tensor, wanted)

    def _boundary(self, tensor: Tensor, name: str) -> Encoding:
        self.groups.add(tensor, self._range(tensor))
        inner = self._encoding(tensor)
        assert inner.quantization is not None
        shift = 128 if name == "uint8" else 0
        return Encoding(dtype(name), Quantization.of(inner.quantization.scale, inner.quantization.zero_point + shift))

    def _note_ranges(self) -> None:
        """Say which ranges could not be used as they were observed."""
        values = dict.fromkeys([k for k in self.keys.values() if isinstance(k, Tensor)] + list(self.made.produced))
        for tensor in values:
            seen = self._range(tensor)
            if seen.ignored:
                self.made.notes.append(
                    f"tensor {tensor.name!r}: {seen.ignored} values were NaN or infinite and ignored"
                )
            if self.groups.fixed(tensor) is not None:
                continue
            joint, scale = self.groups.range(tensor), self._scale(tensor)
            if joint.low == joint.high == 0:
                self.made.notes.append(f"tensor {tensor.name!r}: only zeros were observed; scale {scale:.3g}")
            elif scale > 1.002 * float(parameters.activation(joint.low, joint.high, self.type, 1e-300).scale[0]):
                self.made.notes.append(
                    f"tensor {tensor.name!r}: range {joint.low:.3g}..{joint.high:.3g} is too narrow for the "
                    f"multipliers of its operators; scale raised to {scale:.3g}"
                )
