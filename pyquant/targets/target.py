"""What a runtime or compiler takes, as a value, and what of a model it does not take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyquant.dtypes import DTYPES
from pyquant.graph import Model, Node, Tensor
from pyquant.ops import lowest_version
from pyquant.ops.conditions import Condition, input_is, negated

EVERY_TYPE = frozenset(d.name for d in DTYPES)
ANY_VERSION = 2**31 - 1  # the highest version of a target that does not read versions


@dataclass(frozen=True)
class Gap:
    """Nodes of an operator that a target does not run, whatever their version: those where all conditions hold.

    lowering: the rewrite of `pyquant.rewrite.compat` that removes it; "" where none does.
    status: the target's own words for it, where it has some. evidence: how it is known, where gaps differ in that.
    """

    conditions: tuple[Condition, ...]
    reason: str
    remedy: str = ""
    lowering: str = ""
    status: str = ""
    evidence: str = ""


def kernel_gaps(kernels: Mapping[str, str], index: Mapping[str, int]) -> dict[str, tuple[Gap, ...]]:
    """The gaps of operators that take some types only.

    kernels: types -> operators, with spaces between; "" is any type. index: which input the types are of, where it is
    not the first.
    """
    return {
        op: (Gap((negated(input_is(index.get(op, 0), *types.split())),), f"takes {types.replace(' ', ', ')} here"),)
        for types, ops in kernels.items()
        for op in ops.split()
        if types
    }


@dataclass(frozen=True)
class Problem:
    """Something of a model that a target does not take.

    rule: operator, version, type, gap, shape, axis, storage, sparsity, scheme or subgraphs. fatal: the target refuses
    the model, or runs it wrong; otherwise only this node runs elsewhere. lowering: see Gap. gap: the one it is, if any.
    """

    rule: str
    where: str
    reason: str
    remedy: str = ""
    node: Node | None = None
    tensor: Tensor | None = None
    fatal: bool = True
    lowering: str = ""
    gap: Gap | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Target:
    """A runtime, a microcontroller library or a compiler. An operator that `versions` leaves out is one it lacks.

    versions: the highest op version of each builtin operator. known: features that an operator has below the version
    that brings them, each a tuple of conditions. custom: the custom operators it has, None for all. types: of tensors.
    fallback: where nodes run whose types or shapes the target does not take; "" where it then refuses the model.
    recipe: what quantization for it needs, options of `pyquant.quantize.recipe`.
    """

    name: str
    about: str
    source: str
    versions: Mapping[str, int]
    gaps: Mapping[str, tuple[Gap, ...]] = field(default_factory=dict)
    known: Mapping[str, tuple[tuple[Condition, ...], ...]] = field(default_factory=dict)
    custom: frozenset[str] | None = frozenset()
    types: frozenset[str] = EVERY_TYPE
    fallback: str = ""
    offset_buffers: bool = False
    dynamic_shapes: bool = True
    sparsity: bool = True
    lookups: bool = False  # constants that metadata make indices into tables of values
    schemes: bool = False  # quantization other than scales per tensor or axis (blocks)
    subgraphs: bool = True  # more than one
    stray_axes: bool = False  # a quantization axis past the shape
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def version(self, node: Node) -> int | None:
        """The op version to declare for a builtin operator's node; None where the target lacks what the node needs."""
        needed, highest = lowest_version(node), self.versions.get(node.opcode.name)
        if needed is None or highest is None:
            return None
        runs = any(all(holds(node) for holds in conditions) for conditions in self.known.get(node.opcode.name, ()))
        return min(needed, highest) if runs or needed <= highest else None

    def problems(self, model: Model) -> list[Problem]:
        """Everything of a model that the target does not take, in file order."""
        found = []
        if not model.subgraphs:
            found.append(Problem("subgraphs", "the model", f"{self.name} takes one subgraph at least, found none"))
        if len(model.subgraphs) > 1 and not self.subgraphs:
            found.append(
                Problem("subgraphs", "the model", f"{self.name} takes one subgraph, found {len(model.subgraphs)}")
            )
        if model.extra.get("outside") and not self.offset_buffers:
            reason = f"{self.name} reads no constants after the flatbuffer"
            found.append(Problem("storage", "the model", reason, "save it again, which puts them inside"))
        for subgraph in model.subgraphs:
            found += [problem for tensor in subgraph.tensors for problem in self._of_tensor(tensor)]
            found += [problem for node in subgraph.nodes for problem in self.of_node(node)]
        return found

    def _of_tensor(self, tensor: Tensor) -> Iterator[Problem]:
        where = f"tensor {tensor.name!r}"
        if tensor.extra.get("external_buffer"):
            reason = f"{self.name} reads no constants in other files"
            yield Problem("storage", where, reason, "save with layout inline", tensor=tensor)
        if -1 in (tensor.shape_signature or ()) and not self.dynamic_shapes:
            reason = f"{self.name} takes no unknown sizes, found shape {tensor.shape_signature}"
            yield Problem("shape", where, reason, "give inputs their sizes with resize", tensor=tensor)
        if tensor.sparsity is not None and not self.sparsity:
            yield Problem("sparsity", where, f"{self.name} reads no sparse encoding", "store it dense", tensor=tensor)
        if tensor.lookup is not None and not self.lookups:
            yield Problem("storage", where, f"{self.name} reads no lookup tables", "decompress_lut", tensor=tensor)
        quantization = tensor.quantization
        if quantization is None:
            return
        if quantization.details is not None and not self.schemes:
            yield Problem("scheme", where, f"{self.name} does not know {quantization.details.table}", tensor=tensor)
        if tensor.is_quantized and not self.stray_axes and not 0 <= quantization.axis < max(1, len(tensor.shape)):
            reason = f"{self.name} takes no axis {quantization.axis} of a shape {tensor.shape}"
            yield Problem("axis", where, reason, tensor=tensor)

    def of_node(self, node: Node) -> Iterator[Problem]:
        """Everything of a node that the target does not take."""
        types = {t.dtype.name for t in (*node.inputs, *node.outputs) if t is not None} - self.types
        if types:
            yield self._elsewhere("type", node, f"takes no {' or '.join(sorted(types))}")
        gaps = [gap for gap in self.gaps.get(node.opcode.name, ()) if all(holds(node) for holds in gap.conditions)]
        yield from (self._elsewhere("gap", node, gap.reason, gap.remedy, gap) for gap in gaps)
        lacking = None if gaps else self._lacks(node)
        if lacking is not None:
            yield lacking

    def _lacks(self, node: Node) -> Problem | None:
        """The operator as a whole, or its version."""
        highest, needed = self.versions.get(node.opcode.name), lowest_version(node)
        if node.opcode.name == "CUSTOM":
            if self.custom is None or node.op in self.custom:
                return None
            return Problem("operator", node.label, f"{self.name} has no custom operator {node.op}", node=node)
        if highest is None or needed is None:
            return Problem("operator", node.label, f"{self.name} has no {node.op}", node=node)
        version = self.version(node)
        if version is None:
            reason = f"{self.name} has versions up to {highest}; the node's types and options need {needed}"
            return Problem("version", node.label, reason, node=node)
        if node.opcode.version > highest:
            reason = f"{self.name} has versions up to {highest}, the file declares {node.opcode.version}"
            return Problem("version", node.label, reason, f"declare version {version}, which is enough", node)
        return None

    def _elsewhere(self, rule: str, node: Node, reason: str, remedy: str = "", gap: Gap | None = None) -> Problem:
        """A problem of a node that the fallback solves, where there is one."""
        text = f"{self.name} {reason}" + (f"; it runs {self.fallback}" if self.fallback else "")
        lowering = "" if gap is None else gap.lowering
        return Problem(rule, node.label, text, remedy, node, None, not self.fallback, lowering, gap)
