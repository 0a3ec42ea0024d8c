"""Makes a model that a target takes, and that computes the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyquant import targets
from pyquant.errors import UnsupportedOp
from pyquant.graph import Model, Node, OpCode, Quantization, Subgraph, Tensor, check
from pyquant.graph.edit import remove_unused
from pyquant.rewrite.lower import BY_RULE, LOWERINGS, ROUNDED
from pyquant.targets import Problem, Target
from pyquant.targets.releases import earliest_release

RELEASE = "min_runtime_version"


def compat(model: Model, target: str | Target, strict: bool = True, exact: bool = True) -> Model:
    """The model as `target` takes it: the lowest op versions, and newer features computed by older ones.

    target: a Target or the name of one, such as "tflite-runtime-2.14", "litert", "tflm", "edgetpu". What the target
    takes stays as it is. Raises UnsupportedOp that names everything which cannot be lowered; strict=False returns the
    model lowered as far as it goes. exact=False lowers also what then is rounded otherwise.

    >>> compat(pq.open("model.tflite"), "tflite-runtime-2.14").save("model_2.14.tflite")  # doctest: +SKIP
    """
    wanted = targets.get(target) if isinstance(target, str) else target
    made = model.copy()
    if _lower_all(made, wanted, exact):
        while _lower_all(made, wanted, exact):
            continue
        _drop_definitions(model, made)
        remove_unused(made)
    _declare(made, wanted)
    _date(made)
    left = [problem for problem in wanted.problems(made) if problem.fatal]
    if left and strict:
        raise UnsupportedOp(f"{wanted.name} does not take the model: " + "; ".join(map(str, left)))
    return check(made)


def _lower_all(model: Model, target: Target, exact: bool) -> bool:
    """Lower, in place, what can be. Whether there was anything; what replaces a node may need more."""
    lowered = [_lower(model, problem, exact) for problem in target.problems(model)]
    return any(lowered)


def _lower(model: Model, problem: Problem, exact: bool) -> bool:
    if problem.rule == "axis" and problem.tensor is not None and problem.tensor.quantization is not None:
        return _rewrite_axis(problem.tensor, problem.tensor.quantization)
    if problem.rule == "shape" and problem.tensor is not None:
        problem.tensor.shape_signature = None  # unknown sizes become those that the file starts from
        return True
    name = problem.lowering or BY_RULE.get(problem.rule, "")
    subgraph = next((s for s in model.subgraphs if problem.node in s.nodes), None)  # None: lowered for another reason
    if name not in LOWERINGS or (exact and name in ROUNDED) or subgraph is None or problem.node is None:
        return False
    nodes = LOWERINGS[name](problem.node)
    if nodes is not None:
        _replace(subgraph, problem.node, nodes)
    return nodes is not None


def _rewrite_axis(tensor: Tensor, quantization: Quantization) -> bool:
    """Name the axis 0, where there is no other that the scales can mean."""
    clear = not quantization.per_axis or tensor.shape == quantization.scale.shape
    if clear:
        tensor.quantization = replace(quantization, axis=0)
    return clear


def _replace(subgraph: Subgraph, node: Node, nodes: list[Node]) -> None:
    """Put nodes in the place of a node, and their tensors into the subgraph."""
    i = subgraph.nodes.index(node)
    subgraph.nodes[i : i + 1] = nodes
    tensors = dict.fromkeys(subgraph.tensors)
    for n in nodes:
        tensors |= dict.fromkeys(t for t in (*n.inputs, *n.outputs, *n.intermediates) if t is not None)
    subgraph.tensors = list(tensors)


def _declare(model: Model, target: Target) -> None:
    """Give each node the lowest version that the target has for it; a node that it does not take keeps its own."""
    made: dict[tuple[str, str | None, int], OpCode] = {}
    heirs: dict[OpCode, list[OpCode]] = {}
    for node in (n for s in model.subgraphs for n in s.nodes):
        old = node.opcode
        version = target.version(node) or old.version
        node.opcode = made.setdefault((old.name, old.custom_code, version), replace(old, version=version))
        heirs.setdefault(old, []).append(node.opcode)
    model.opcodes = list(dict.fromkeys(new for old in model.opcodes for new in heirs.get(old, [old])))


def _date(model: Model) -> None:
    """Renew the metadata in which the converter names the release that a file needs: 16 bytes of text such as 2.3.0."""
    release = earliest_release(model)
    text = "" if release is None else ".".join([*release.split("."), "0"][:3])
    for name, buffer in model.metadata:
        if name == RELEASE:
            buffer.data = np.frombuffer(text.encode().ljust(16, b"\0"), np.uint8)


def _drop_definitions(before: Model, model: Model) -> None:
    """Drop subgraphs that only defined a composite operator which is gone."""
    used = {s for subgraph in model.subgraphs for node in subgraph.nodes for s in node.subgraphs.values()}
    used |= {signature.subgraph for signature in model.signatures}
    defined = {s for subgraph in before.subgraphs for node in subgraph.nodes for s in node.subgraphs.values()}
    gone = [
        new for old, new in zip(before.subgraphs, model.subgraphs, strict=True) if old in defined and new not in used
    ]
    model.subgraphs = [s for s in model.subgraphs if s not in gone]
