"""Scales of what operators with quantized activations read and make. What they demand stands in their slots."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from typing import NamedTuple

import numpy as np

from pyquant.calibrate import Range
from pyquant.dtypes import DType, dtype
from pyquant.errors import RangeError, RecipeError
from pyquant.fixed import ACTIVATION_BOUNDS
from pyquant.graph import Node, Quantization, Subgraph, Tensor
from pyquant.graph.edit import entries
from pyquant.graph.real import real_values
from pyquant.ops import Call, Fixed, Operator, PowerOfTwo, Product, SameAs, Slot, get
from pyquant.quantize import parameters
from pyquant.quantize.assignments import FLOAT, Assignments, Encoding, Repair, Use, as_is
from pyquant.quantize.groups import Groups
from pyquant.quantize.parts import FEWEST_LEVELS, joins, made_whole, moved_on
from pyquant.quantize.places import cast_elsewhere, inputs_of, made_by, outputs_of, span, stored_type, type_of
from pyquant.quantize.recipe import INPUT, OUTPUT, Rule
from pyquant.quantize.variables import sharing
from pyquant.quantize.weights import axis_of, carried, scales_of, symmetric

LARGEST = 2.0**60  # what scales are below wherever floors have raised them
MOST_STEPS = 2.0**30  # of an output, to the bound that an activation clamps it to: kernels hold it in int32


def _clamp_floor(node: Node, operator: Operator) -> float:
    """The least scale in which the bounds that a node clamps its output to are codes."""
    activation = operator.activation or getattr(node.options, "fused_activation_function", 0) or 0
    bounds = ACTIVATION_BOUNDS.get(int(activation), (None, None))
    return max(abs(bound or 0.0) for bound in bounds) / MOST_STEPS


class Key(NamedTuple):
    """What has one scale: a value in one type, or a constant in one use."""

    value: Tensor | Use
    type: DType


class Static:
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
        self.operators = {node: get(node.op).of(node) for node in rules}
        self.types = {node: dtype(rule.activations or "int8") for node, rule in rules.items()}
        self.keys: dict[Use, Key] = {}  # of the inputs
        self.named: dict[Node, dict[str, Key]] = {}  # by slot, of variadic ones the first
        self.powers: dict[Key, PowerOfTwo] = {}
        self.most: dict[Key, float] = {}  # what kernels take at most, on either side of 0
        self.groups = Groups()
        self.symmetric: set[Hashable] = set()  # groups
        self.floors: dict[Hashable, float] = {}  # by group
        self.caps: dict[Hashable, float] = {}  # by group, the greatest scale
        self.wanted: dict[Use, Quantization] = {}  # of weights, whatever their bias
        self.weights: dict[Use, Quantization] = {}
        nodes = [node for subgraph in made.model.subgraphs for node in subgraph.nodes]
        self.makers = {tensor: node for node in nodes for tensor in node.outputs}
        self.readers = Counter(tensor for node in nodes for tensor in node.inputs)
        self.readers.update(tensor for subgraph in made.model.subgraphs for tensor in subgraph.outputs)
        self.given = cast_elsewhere(nodes)

    def decide(self) -> None:
        for node, operator in self.operators.items():
            self.made.kinds[node] = self.types[node].name
            self._join(node, operator)
        self._join_variables()
        self.symmetric = {self.groups.root(key) for node in self.operators for key in self._symmetric_keys(node)}
        for node in self.operators:
            for slot, key in self._members(node):
                cap = np.inf if self.types[node].name in slot.below else parameters.LARGEST_SCALE
                root = self.groups.root(key)
                self.caps[root] = min(cap, self.caps.get(root, np.inf))
        for _ in range(len(self.operators) + 2):  # raising one scale can demand another, downstream
            self._solve_weights()
            if not self._raise_floors():
                break
        for node, operator in self.operators.items():
            self._assign(node, operator)
        for subgraph in entries(self.made.model):
            self._assign_boundary(subgraph)
        self._note_ranges()
        self._note_weights()

    def misfits(self) -> dict[Node, str]:
        """Nodes with a scale that none of their kernels takes, which nothing can lower, and why."""
        found: dict[Node, str] = {}
        for node in self.operators:
            for slot, key in self._members(node):
                scale, below = self._scale(key), slot.below.get(self.types[node].name, LARGEST)
                if scale >= below:
                    found[node] = f"its {slot.name!r} needs scale {scale:.3g}, and kernels take those below {below:.3g}"
        return found

    def crowded(self) -> dict[Node, str]:
        """Nodes that join values under a scale which leaves one of them few levels, and could do so in float, and why.

        They can where the model's outputs are float, and nothing computes in integers on all that they join. Of the
        others it is noted what is lost.
        """
        found: dict[Node, str] = {}
        main = self.made.model.main
        ends_float = all(self._end_type(OUTPUT, t, self.recipe.output_type) == "float32" for t in main.outputs)
        for node in filter(lambda node: joins(self.operators[node]), self.operators):
            lost = self._lost(node)
            if not lost:
                continue
            region, read = moved_on(node, self.operators)
            if ends_float and not self.recipe.one_scale and not made_whole(read, node):
                found[node] = f"{lost} under one scale"
                found |= dict.fromkeys(region[1:], f"it moves what {node.label} joins in float")
            else:
                self.made.notes.append(f"{node.label}: {lost}; return parts as outputs of their own, or float outputs")
        return found

    def _lost(self, node: Node) -> str:
        """Which of the values that a node joins has few levels under its scale; "" for none."""
        for i, _, tensor in inputs_of(node, self.operators[node]):
            if (node, i) in self.keys:
                seen = self._range(tensor, self.types[node])
                levels = (max(seen.high, 0.0) - min(seen.low, 0.0)) / self._scale(self.keys[node, i])
                if 0 < levels < FEWEST_LEVELS:
                    return f"its part {tensor.name!r} has {levels:.3g} levels"
        return ""

    def _join(self, node: Node, operator: Operator) -> None:
        """Put into one group what the slots say must share a scale, and prescribe the scales that they fix."""
        by_slot: dict[str, list[Key]] = {}
        uses: list[Use] = []
        kind = self.types[node]
        alike = {slot.scale.slot for slot in operator.outputs if isinstance(slot.scale, SameAs)}
        for i, slot, tensor in inputs_of(node, operator):
            if (slot.observed and not self._is_weight(slot, tensor)) or (slot.role == "weight" and slot.name in alike):
                uses.append((node, i))
                key = self.keys[node, i] = Key((node, i) if tensor.is_constant else tensor, type_of(slot, kind))
                self.groups.add(key, self._range(tensor, key.type))
                by_slot.setdefault(slot.name, []).append(key)
        for slot, tensor in made_by(node, operator):
            if slot.role == "activation":
                key = Key(tensor, type_of(slot, kind))
                self.groups.add(key, self._range(tensor, key.type))
                by_slot.setdefault(slot.name, []).append(key)
        self.named[node] = {name: keys[0] for name, keys in by_slot.items()}
        for slot in (*operator.inputs, *operator.intermediates):
            if slot.most < np.inf:
                self.most.update(dict.fromkeys(by_slot.get(slot.name, []), slot.most))
        shared: list[Key] = []
        for slot in (*operator.inputs, *operator.outputs, *operator.intermediates):
            if isinstance(slot.scale, SameAs) and slot.scale.binds(kind.name):
                shared += by_slot.get(slot.name, []) + by_slot.get(slot.scale.slot, [])
            elif isinstance(slot.scale, Fixed):
                for key in by_slot.get(slot.name, []):
                    self.groups.fix(key, slot.scale.values.get(kind.name))
            elif isinstance(slot.scale, PowerOfTwo):
                self.powers.update(dict.fromkeys(by_slot.get(slot.name, []), slot.scale))
        self._share(shared, uses, made=[Key(tensor, type_of(slot, kind)) for slot, tensor in made_by(node, operator)])

    def _is_weight(self, slot: Slot, tensor: Tensor) -> bool:
        constant = self.recipe.litert and tensor.is_constant
        return slot.role == "weight" or (constant and "int8" in slot.weight_if_constant)

    def _join_variables(self) -> None:
        """Whatever reads or assigns a variable has one scale."""
        for nodes in dict.fromkeys(map(tuple, sharing(self.made.model).values())):
            own = {node for node in nodes if node in self.operators}
            keys = [key for node in nodes if node in own for key in self.named[node].values()]
            self._share(keys, [use for use in self.keys if use[0] in own], keys)

    def _symmetric_keys(self, node: Node) -> list[Key]:
        """Of the values that a node must have about 0."""
        if not (self.rules[node].symmetric or self.operators[node].about_zero):
            made = made_by(node, self.operators[node])
            return [Key(t, type_of(slot, self.types[node])) for slot, t in made if slot.symmetric]
        return [self.keys[node, i] for i in range(len(node.inputs)) if (node, i) in self.keys] + self._made_by(node)

    def _made_by(self, node: Node) -> list[Key]:
        made = made_by(node, self.operators[node])
        return [Key(tensor, type_of(slot, self.types[node])) for slot, tensor in made if slot.role == "activation"]

    def _share(
        self, shared: list[Key], uses: list[Use], others: Collection[Key] = (), made: Collection[Key] = ()
    ) -> None:
        """Unite keys. Inputs whose scale is fixed, among others of another scale, take part by a copy of their own.

        As litert-quantizer has it do those of several that are not free to, in the range of what is made.
        """
        uses = [use for use in uses if self.keys[use] in shared]
        results = [key for key in made if key in shared]
        follow = self.recipe.litert and len(uses) > 1 and bool(results)
        if follow or len({self.groups.fixed(key) for key in (*others, *(self.keys[use] for use in uses))}) > 1:
            copied = [
                use
                for use in uses
                if self.groups.fixed(self.keys[use]) is not None or (follow and not self._is_free(self.keys[use]))
            ]
            originals = {self.keys[use] for use in copied}
            shared = [key for key in shared if key not in originals]
            for use in copied:
                own = Key(use, self.keys[use].type)
                self.groups.add(own, self.groups.range(results[0] if follow else self.keys[use]))
                self.keys[use] = own
                shared.append(own)
        self.groups.unite(shared)

    def _is_free(self, key: Key) -> bool:
        """Whether nothing but its one reader has a say in the scale of a value."""
        if not isinstance(key.value, Tensor) or key.value not in self.makers or self.readers[key.value] > 1:
            return False
        operator = self.operators.get(self.makers[key.value])
        return operator is None or not any(slot.scale for slot in operator.outputs)

    def _range(self, tensor: Tensor, kind: DType) -> Range:
        given = self.given.get(tensor)
        if given is not None and given.dtype is kind:
            return span(given)
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
        root, seen = self.groups.root(key), self.groups.range(key)
        low, high = (seen.low, seen.high) if seen.low < seen.high or seen.low != 0 else (0.0, 1.0)
        if key in self.powers:
            return Encoding(key.type, parameters.power_of_two(low, high, key.type, self.powers[key]))
        floor, cap = self.floors.get(root, parameters.SMALLEST_SCALE), self.caps.get(root, parameters.LARGEST_SCALE)
        return Encoding(key.type, parameters.activation(low, high, key.type, floor, root in self.symmetric, cap))

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
                if self._is_weight(slot, tensor) and (node, i) not in self.keys:
                    if (node, i) not in self.wanted:
                        self.wanted[node, i] = self._weight(node, slot, tensor, rule)
                    self.weights[node, i] = self.wanted[node, i]
            for i, slot, tensor in inputs_of(node, operator):
                if slot.role == "bias" and isinstance(slot.scale, Product):
                    use = (node, uses[slot.scale.second][0])
                    values, weight = real_values(tensor), self.weights[use]
                    if not np.all(np.isfinite(values)):
                        raise RangeError(f"bias {tensor.name!r}: holds NaN or infinity, expected finite values")
                    input_scale = self._factor(node, slot.scale)
                    limit = parameters.BIAS_LIMIT[rule.bias]
                    raised = parameters.raise_for_bias(weight.scale, input_scale, values, limit)
                    if np.any(raised != weight.scale):
                        self.weights[use] = symmetric(raised, weight.axis)
                    most = raised.astype(np.float64) * (input_scale * limit)
                    if np.any(np.abs(values) > most * 1.001):  # the output is clipped long before
                        self.made.values[node, i] = np.clip(values, -most, most).astype(np.float32)

    def _factor(self, node: Node, scale: Product) -> float:
        """What a bias has in its scale beside the scale of the weight."""
        return scale.factor * (1.0 if scale.first is None else self._scale(self.named[node][scale.first]))

    def _weight(self, node: Node, slot: Slot, tensor: Tensor, rule: Rule) -> Quantization:
        """The scales of a weight: its own where it is stored as the rule would, else those that its values need."""
        q, own = tensor.quantization, stored_type(slot, rule)
        if tensor.is_quantized and q is not None and not q.zero_point.any():
            fits = tensor.dtype.lo is not None and (own.lo or 0) <= tensor.dtype.lo < 0
            if fits and (rule.granularity != "tensor" or not q.per_axis):
                return q
        axis = axis_of(slot, rule, self.recipe)
        as_given = carried(tensor, axis, own)
        if as_given is not None:
            axis, scales = as_given.axis, as_given.scale
        else:
            scales = scales_of(tensor, axis, rule, own)
        if slot.sums is not None:
            most = slot.sums(Call(self.operators[node], node), real_values(tensor)).max()
            scales = np.maximum(scales, np.float32(most / parameters.SUM_LIMIT))
        return symmetric(scales, axis)

    def _raise_floors(self) -> bool:
        """Raise the scale of every group that is below what one of its slots demands. True if any was."""
        raised = False
        for node, operator in self.operators.items():
            scale_of, terms_of = self._measures(node, operator)
            kind = self.types[node]
            for slot, key in self._members(node):
                floors = [_clamp_floor(node, operator)] if slot in operator.outputs else []
                for floor in slot.floors:
                    least = floor.ratio.get(kind.name, 0.0) * terms_of.get(floor.terms or "", 1)
                    floors.append(least * math.prod(scale_of.get(name, 0.0) for name in floor.slots))
                least = max(floors, default=0.0)
                if self._scale(key) < least and self.groups.fixed(key) is None:
                    self.floors[self.groups.root(key)] = least * 1.001
                    raised = True
        return raised

    def _members(self, node: Node) -> list[tuple[Slot, Key]]:
        """What of a node has the scale of an activation."""
        operator, kind = self.operators[node], self.types[node]
        members = [(slot, self.keys[node, i]) for i, slot, _ in inputs_of(node, operator) if (node, i) in self.keys]
        made = outputs_of(node, operator)
        return members + [(slot, Key(t, type_of(slot, kind))) for slot, t in made if slot.role == "activation"]

    def _measures(self, node: Node, operator: Operator) -> tuple[dict[str, float], dict[str, int]]:
        """The largest scale in each input slot, and the elements per output of each weight slot."""
        scales: dict[str, float] = {}
        terms: dict[str, int] = {}
        for i, slot, tensor in inputs_of(node, operator):
            if (node, i) in self.keys:
                scales[slot.name] = max(scales.get(slot.name, 0.0), self._scale(self.keys[node, i]))
            elif self._is_weight(slot, tensor):
                scales[slot.name] = float(self.weights[node, i].scale.max())
                outputs = tensor.shape[slot.axis if slot.axis is not None else 0]
                terms[slot.name] = max(1, tensor.size // max(1, outputs))
        return scales, terms

    def _assign(self, node: Node, operator: Operator) -> None:
        made, rule = self.made, self.rules[node]
        by_slot: dict[str, Encoding] = {}
        for i, slot, tensor in sorted(inputs_of(node, operator), key=lambda use: use[1].role == "bias"):
            if (node, i) in self.keys:
                made.consumed[node, i] = self._encoding(self.keys[node, i])
            elif self._is_weight(slot, tensor):
                made.consumed[node, i] = Encoding(stored_type(slot, rule), self.weights[node, i])
            elif slot.role == "bias" and isinstance(slot.scale, Product):
                second = by_slot[slot.scale.second].quantization
                assert second is not None
                scale = np.float32(self._factor(node, slot.scale)) * second.scale
                made.consumed[node, i] = Encoding(dtype(rule.bias), Quantization.of(scale))
            if (node, i) in made.consumed:
                by_slot[slot.name] = made.consumed[node, i]
            if slot.role == "state":
                made.produced[tensor] = made.consumed[node, i]
        for slot, tensor in made_by(node, operator):
            if slot.role == "activation":
                made.produced[tensor] = self._encoding(Key(tensor, type_of(slot, self.types[node])))

    def _assign_boundary(self, subgraph: Subgraph) -> None:
        for operation, ends, made, float_type in (
            (INPUT, subgraph.inputs, self.made.produced, self.recipe.input_type),
            (OUTPUT, subgraph.outputs, self.made.results, self.recipe.output_type),
        ):
            for tensor in dict.fromkeys(ends):
                if subgraph is not self.made.model.main and tensor not in self.ranges:
                    continue
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
            if max(-seen.low, seen.high) > self.most.get(key, np.inf):
                self.made.notes.append(
                    f"tensor {tensor.name!r}: range {seen.low:.3g}..{seen.high:.3g} goes beyond {self.most[key]:g}, "
                    "where kernels of integers cut it off"
                )
            if self.groups.fixed(key) is not None or key in self.powers or not tensor.size:
                continue
            joint, scale = self.groups.range(key), self._scale(key)
            wanted = parameters.activation_scale(
                joint.low, joint.high, key.type, self.groups.root(key) in self.symmetric
            )
            if joint.low == joint.high == 0:
                self.made.notes.append(f"tensor {tensor.name!r}: only zeros were observed; scale {scale:.3g}")
            elif not 0.998 * wanted < scale < 1.002 * wanted:
                self.made.repairs.append(_range_repair(tensor, joint, wanted, scale))

    def _note_weights(self) -> None:
        """Say which scales of weights were raised for a bias."""
        for (node, i), wanted in self.wanted.items():
            written, tensor = self.weights[node, i], node.inputs[i]
            channels = np.flatnonzero(written.scale > wanted.scale * np.float32(1.00001))
            if not channels.size or tensor is None:
                continue
            rows = np.abs(real_values(tensor))
            rows = np.moveaxis(rows, wanted.axis, 0).reshape(wanted.scale.size, -1) if wanted.per_axis else rows[None]
            most = rows.reshape(wanted.scale.size, -1).max(axis=1, initial=0.0)[channels] / written.scale[channels]
            cost = f"weights reach {np.rint(most.min()):.0f} of {dtype(self.rules[node].weights or 'int8').hi} codes"
            if any(use[0] is node for use in self.made.values):
                cost += ", and biases beyond what outputs reach are clipped"
            self.made.repairs.append(
                Repair(
                    f"{node.label}, weight {tensor.name!r}",
                    tuple(channels.tolist()) if wanted.per_axis else (),
                    tuple(wanted.scale[channels].tolist()),
                    tuple(written.scale[channels].tolist()),
                    f"in input scale x weight scale, the bias has to fit {self.rules[node].bias}",
                    cost,
                )
            )

    def _values(self) -> list[Key]:
        """Of all that is quantized and no constant."""
        read = [key for key in self.keys.values() if isinstance(key.value, Tensor)]
        return list(dict.fromkeys(read + [key for node in self.operators for key in self._made_by(node)]))


def _range_repair(tensor: Tensor, seen: Range, wanted: float, written: float) -> Repair:
    span = f"range {seen.low:.3g}..{seen.high:.3g}"
    if written > wanted:
        reason = f"{span} is too narrow for the multipliers of its operators"
        cost = f"values take {(max(seen.high, 0.0) - min(seen.low, 0.0)) / written:.3g} steps"
    else:
        reason, cost = f"{span} is wider than what kernels scale", "values beyond the codes are clipped"
    return Repair(f"tensor {tensor.name!r}", (), (wanted,), (written,), reason, cost)
