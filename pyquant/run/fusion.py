"""Nodes that one step does together: an operator of windows puts zeros around its image itself, instead of a PAD."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from pyquant.graph import Node, Tensor
from pyquant.ops import Call, Operator, find
from pyquant.run.choose import Choice, Chooser
from pyquant.run.plan import Step
from pyquant.run.resolve import Resolved


@dataclass(frozen=True)
class Padding:
    """A node that puts zeros around an image. zeros: (rank, 2) before and after, along each axis."""

    node: Node
    image: Tensor
    zeros: np.ndarray


@dataclass(frozen=True)
class Fusion:
    """Has the chooser find the steps of a plan, of several nodes where it can.

    wanted: tensors that are asked for, which therefore are made as the model says; "all" for all.
    """

    chooser: Chooser
    wanted: Collection[Tensor] | str
    _paddings: dict[Tensor, Padding] = field(default_factory=dict)  # by what they make

    def choose(self, node: Node, seen: Node, resolved: Resolved | None) -> Step | Choice:
        """What runs a node, and those before it that it can do, too. seen, resolved: as the chooser takes them."""
        padding = self._paddings.get(seen.inputs[0]) if seen.inputs and seen.inputs[0] is not None else None
        if padding is not None:
            alone = replace(seen, inputs=[padding.image, *seen.inputs[1:]])
            padded = self.chooser.padded(alone, padding.zeros)
            if padded is not None:
                return self.chooser.choose(alone, padded)._replace(node=node, before=(padding.node,))
        chosen = self.chooser.choose(seen, resolved)
        self._note(chosen.call.operator if isinstance(chosen, Choice) else find(chosen.op), node, seen)
        return chosen if seen is node else chosen._replace(node=node)

    def needed(self, steps: Iterable[Step]) -> list[Step]:
        """Without the paddings that no step reads any more."""
        made = list(steps)
        if not self._paddings:
            return made
        read = {t for step in made for t in step.inputs}
        return [step for step in made if not step.outputs or step.outputs[0] not in self._paddings.keys() - read]

    def _note(self, operator: Operator | None, node: Node, seen: Node) -> None:
        """Keep in mind a node that only pads, for those that read what it makes."""
        if operator is None or operator.zeros is None or self.chooser.references:
            return
        if self.wanted == "all" or node.outputs[0] in self.wanted:
            return
        image, (made,) = seen.inputs[0], seen.outputs
        if image is not None and image.quantization == made.quantization:
            self._paddings[made] = Padding(node, image, operator.zeros(Call(operator, seen)))
