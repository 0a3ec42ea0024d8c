"""From a model to a plan."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from pyquant.errors import OptionError
from pyquant.graph import Model, Subgraph, Tensor
from pyquant.run.choose import Chooser
from pyquant.run.feeds import subgraph_of
from pyquant.run.limits import Limits
from pyquant.run.plan import Plan
from pyquant.run.planning import Shapes, planned


def compile(
    model: Model,
    threads: int = 1,
    isa: str | None = None,
    numerics: str = "tflite",
    keep: Collection[Tensor] | str = (),
    observers: Collection[Tensor] = (),
    subgraph: Subgraph | None = None,
    limits: Limits | None = None,
    shapes: Shapes | None = None,
    exact_floats: bool = False,
    detailed: bool = False,
) -> Plan:
    """Make a model ready to run.

    isa: the best instruction set to use; None for the environment's PYQUANT_ISA, or else all that the processor has.
    numerics: where the two differ, "tflite" follows tflite-runtime 2.14 and "litert" ai-edge-litert 2.3.
    "single-rounding" scales integer sums as CMSIS-NN does. "edgetpu" scales those of convolutions and matrix products
    as an Edge TPU does, in nodes that its compiler is predicted to map; all else computes as "tflite". Results of a
    device prove it for CONV_2D and DEPTHWISE_CONV_2D of int8; for FULLY_CONNECTED and TRANSPOSE_CONV it is assumed.
    keep: tensors whose values `plan.run` returns beside the outputs; "all" for all that are fed or computed.
    observers: float32 tensors whose ranges `session.observations()` tells; those that never have a value are left out.
    detailed: whether the observations have histograms, too, and `session.recent()` the sums of channels.
    limits: the most memory and work that the model may ask for; None for what a sound model of its size never needs.
    shapes: of inputs, by name or tensor, where they are not as the file declares them.
    exact_floats: float sums of products and elementary functions are those of the reference kernels, to the last bit.
    Else they may be rounded otherwise, which is faster, in models of floats and of dynamic range; not where something
    is observed.
    Where shapes follow from values that only a run knows, the plan ends there, and the rest is planned in the run.
    Raises UnsupportedOp, naming node and types, where neither kernel nor reference runs a node; ShapeError,
    GraphError or RangeError for a model that does not hold together; RangeError for one that goes past the limits.
    """
    _check_types(model, keep, limits)
    graph = subgraph_of(model, subgraph)
    chooser = Chooser.of(isa, numerics, threads, limits or Limits.of(graph))
    # what is observed becomes scales of a file, which is to be the same on every machine
    fused = not (observers or exact_floats) and may_fuse(model)
    chooser = replace(chooser, fused=fused, detailed=detailed)
    return planned(model, graph, chooser, keep, observers, shapes or {})


def _check_types(model: Any, keep: Any, limits: Any) -> None:
    """Raises OptionError for what is of another type than it should be."""
    if not isinstance(model, Model):
        raise OptionError(f"model: found {type(model).__name__}, expected a Model, as `open` gives it")
    if not (limits is None or isinstance(limits, Limits)):
        raise OptionError(f"limits: found {limits!r}, expected Limits(bytes, operations)")
    if keep != "all" and not (isinstance(keep, Collection) and all(isinstance(t, Tensor) for t in keep)):
        raise OptionError(f"keep: found {keep!r}, expected tensors of the model, or 'all'")


def may_fuse(model: Model) -> bool:
    """Whether float sums may be rounded otherwise than in the reference kernels.

    Not where a node makes codes of real numbers for its output: the least change may alter one.
    """
    return not any(t.is_quantized for graph in model.subgraphs for node in graph.nodes for t in node.outputs)
