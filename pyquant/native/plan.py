"""Plans and sessions of the C side, as objects that own their memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pyquant.native._pq import ffi, lib
from pyquant.native.params import ALIGNMENT, Packer, Params, aligned

_BYTES = ffi.typeof("char[]")


class Piece(NamedTuple):
    """A tensor in the arena: its first byte, a multiple of that of an element, its bytes, and those of an element."""

    offset: int
    size: int
    element: int = 1


class PlannedStep(NamedTuple):
    """A kernel by its row in the table, and its tensors by their index in the plan; None for an absent input."""

    row: int
    params: Params
    inputs: Sequence[int | None]
    outputs: Sequence[int]
    units: int
    chunk: int


class Plan:
    """A checked list of C steps. tensors: arena pieces and constant arrays. Raises ValueError for an unsound plan.

    packer: it has ended, and may still be laying out the steps' constants.
    """

    def __init__(
        self,
        tensors: Sequence[Piece | np.ndarray],
        steps: Sequence[PlannedStep],
        arena_bytes: int,
        packer: Packer | None = None,
    ) -> None:
        constants = [ffi.from_buffer(_BYTES, t) if isinstance(t, np.ndarray) else None for t in tensors]
        c_tensors = ffi.new(
            "pq_tensor[]",
            [
                (ffi.NULL, *t) if pointer is None else (pointer, 0, len(pointer), 1)
                for t, pointer in zip(tensors, constants, strict=True)
            ],
        )
        lists = [-1 if i is None else i for step in steps for i in (*step.inputs, *step.outputs)]
        indices = at = ffi.new("int32_t[]", lists)
        c_steps = []
        for row, params, inputs, outputs, units, chunk in steps:
            end = at + len(inputs)
            c_steps.append((row, len(inputs), len(outputs), units, chunk, params.job, at, end, params.memory))
            at = end + len(outputs)
        c_list = ffi.new("pq_plan_step[]", c_steps)
        packing = ffi.NULL if packer is None else packer.memory
        self.memory = ffi.new("pq_plan *", [len(tensors), len(steps), c_tensors, c_list, arena_bytes, packing])
        self._owned = [constants, c_tensors, c_list, indices, [step.params for step in steps], packer]
        usable = packer is not None and packer.reserve is not None and packer.reserved >= arena_bytes
        self.reserves = [packer] if packer is not None and usable else []  # with memory of a session to come
        reason = ffi.new("const char **")
        step_index = lib.pq_plan_check(self.memory, reason)
        if step_index >= 0:
            raise ValueError(f"step {step_index}: {ffi.string(reason[0]).decode()}")


class Session:
    """A plan with memory to run in: `arena`, (arena_bytes,) uint8, zero at first. One caller at a time."""

    def __init__(self, plan: Plan) -> None:
        try:
            packer = plan.reserves.pop()  # one call in CPython, so that two threads never take the same
            packer.use_reserve()
            self.arena = np.frombuffer(ffi.buffer(packer.reserve, plan.memory.arena_bytes), np.uint8)
        except IndexError:
            self.arena = aligned(np.zeros(plan.memory.arena_bytes + ALIGNMENT, np.uint8))
        self._plan = plan  # which must live as long
        self._memory = ffi.gc(lib.pq_session_new(plan.memory, ffi.from_buffer(self.arena)), lib.pq_session_free)
        if self._memory == ffi.NULL:
            raise MemoryError("no memory for a session")

    def run(self, first: int, last: int, threads: int) -> int:
        """Run the steps [first, last) in one C call, other Python threads going on meanwhile.

        It ends with a step that found no result for a value of its inputs, and returns its index; -1 where none did.
        """
        return lib.pq_session_run(self._memory, first, last, threads)  # type: ignore[no-any-return]
