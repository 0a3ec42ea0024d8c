"""The arena that tflite-micro's greedy planner makes of a model, from the file alone.

The rules are those of tflite-micro's micro_allocation_info.cc and greedy_memory_planner.cc, as of 2025.
"""

from __future__ import annotations

import numpy as np

from pyquant.dtypes import UINT8
from pyquant.errors import GraphError
from pyquant.graph import Model, Subgraph, Tensor
from pyquant.graph.edit import MEMORY_PLAN
from pyquant.ops.tflm_scratch import scratch_bytes
from pyquant.run.arena import Block, most_alive, place_in_order
from pyquant.run.limits import unpacked_bytes
from pyquant.run.memory import Lifetime, Timeline
from pyquant.run.resolve import check_size

ALIGNMENT = 16
ANYWHERE = -1  # as offset of a tensor in the plan that a file may hold


def tflm_timeline(model: Model) -> Timeline:
    """The head of tflite-micro's arena, with the scratch buffers of its reference kernels.

    The steps are nodes; those of a subgraph that a node runs come after the node. Subgraphs share one plan; what is
    never used lives before the first step. Variables are not in it, and views have memory of their own.
    Raises RangeError for a tensor whose size is not known, GraphError for a plan in the file that is not of this model.
    """
    lives = _Lives()
    lives.mark(model.main)
    planned = [(t, offset) for t, offset in _offsets_of_file(model) if _has_memory(t)]
    planned += [(t, ANYWHERE) for t in lives.scratch]
    blocks = [Block(unpacked_bytes(t), *lives.of.get(t, (-1, -1))) for t, _ in planned]
    fixed = {i: offset for i, (_, offset) in enumerate(planned) if offset != ANYWHERE}
    # the largest first, and of equal ones the last of the file
    free = sorted((i for i in range(len(blocks)) if i not in fixed), key=lambda i: (-_aligned(blocks[i].size), -i))
    offsets, arena_bytes = place_in_order(blocks, [*fixed, *free], ALIGNMENT, fixed)
    lifetimes = [
        Lifetime(tensor, block.size, offset, block.first, block.last)
        for (tensor, _), block, offset in zip(planned, blocks, offsets, strict=True)
    ]
    lifetimes.sort(key=lambda life: life.first)
    return Timeline("tflm", arena_bytes, most_alive(blocks, ALIGNMENT), tuple(lifetimes))


class _Lives:
    """The first and the last step of each tensor, as a walk over the nodes finds them."""

    def __init__(self) -> None:
        self.of: dict[Tensor, tuple[int, int]] = {}
        self.scratch: list[Tensor] = []
        self.step = 0

    def mark(self, subgraph: Subgraph) -> None:
        for tensor in (*subgraph.inputs, *subgraph.outputs):
            self._begin(tensor)
        for node in subgraph.nodes:
            self.step += 1
            start = self.step
            for tensor in node.outputs:
                self._begin(tensor)
            for inner in node.subgraphs.values():
                self.step += 1
                self.mark(inner)
            for used in (*node.inputs, *node.outputs):
                self._use(used)
            for size in scratch_bytes(node):
                self.scratch.append(Tensor(f"scratch of {node.outputs[0].name}", (size,), UINT8))
                self.of[self.scratch[-1]] = (start, self.step)
        for tensor in subgraph.outputs:
            self._use(tensor)

    def _begin(self, tensor: Tensor) -> None:
        self.of[tensor] = (self.step, self.step)

    def _use(self, tensor: Tensor | None) -> None:
        if tensor is not None:
            self.of[tensor] = (self.of.get(tensor, (-1, -1))[0], self.step)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _has_memory(tensor: Tensor) -> bool:
    check_size(tensor)
    return not (tensor.is_constant or tensor.is_variable) and unpacked_bytes(tensor) > 0


def _offsets_of_file(model: Model) -> list[tuple[Tensor, int]]:
    """Every tensor with its offset in the plan that the file may hold."""
    tensors = [(t, i) for subgraph in model.subgraphs for i, t in enumerate(subgraph.tensors)]
    plans = [buffer.data for name, buffer in model.metadata if name == MEMORY_PLAN and buffer.data is not None]
    if not plans:
        return [(t, ANYWHERE) for t, _ in tensors]
    words = np.frombuffer(plans[-1].tobytes()[: plans[-1].size // 4 * 4], "<i4").tolist()
    count, offsets = sum(words[2:3]), words[3:]  # after version and subgraph
    if count != len(tensors) or len(offsets) < count:
        raise GraphError(f"{MEMORY_PLAN}: {len(offsets)} offsets for {count} tensors; the model has {len(tensors)}")
    return [(t, offsets[i]) for t, i in tensors]
