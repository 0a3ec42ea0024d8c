"""Where tensors are: which of them have one memory, and the offset of each such memory in the arena."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pyquant.dtypes import STRING
from pyquant.graph import Tensor
from pyquant.run.arena import Block, most_alive, place
from pyquant.run.limits import unpacked_bytes
from pyquant.run.memory import Lifetime, Timeline
from pyquant.run.plan import CWork, Step

Steps = Mapping[Tensor, int]


def used(
    steps: Sequence[Step], constants: Collection[Tensor], inputs: Iterable[Tensor], kept: Iterable[Tensor]
) -> tuple[dict[Tensor, int], dict[Tensor, int]]:
    """The first and the last step that needs the memory of a tensor; -1 for before and their number for after all.

    constants: have none. inputs: are there before; kept: are read after. Variables are both.
    """
    first, last = dict.fromkeys(inputs, -1), {}
    for i, step in enumerate(steps):
        for tensor in (*step.inputs, *step.outputs):
            if tensor is not None and tensor not in constants:
                first.setdefault(tensor, i)
                last[tensor] = i
    for tensor in [t for t in first if t.is_variable]:
        first[tensor], last[tensor] = -1, len(steps)
    last.update((t, len(steps)) for t in kept if t not in constants)
    return first, last


class Places:
    """The offset of each tensor's memory, and the bytes of the whole.

    A view is its input's memory. An output is that of an input that nothing reads afterwards, where the kernel can do
    so and `in_place` says so.
    """

    def __init__(self, steps: Sequence[Step], first: Steps, last: Steps, in_place: bool = True) -> None:
        self._first, self._last = dict(first), dict(last)
        self._homes: dict[Tensor, Tensor] = {}  # whose memory a tensor has that has none of its own
        for i, step in enumerate(steps):
            home = self._home_of_output(i, step, in_place)
            if home is not None:
                self._move(step.outputs[0], home)
        self._blocks = {t: Block(_bytes(t), start, self._last.get(t, -1)) for t, start in self._first.items()}
        placed, self.arena_bytes = place(list(self._blocks.values()))
        self._own = dict(zip(self._blocks, placed, strict=True))
        self.offsets = self._own | {t: self._own[home] for t, home in self._homes.items()}

    def timeline(self) -> Timeline:
        guests: dict[Tensor, list[Tensor]] = {}
        for t, home in self._homes.items():
            guests.setdefault(home, []).append(t)
        lives = [
            Lifetime(t, block.size, self._own[t], block.first, block.last, tuple(guests.get(t, ())))
            for t, block in self._blocks.items()
            if block.size
        ]
        lives.sort(key=lambda life: life.first)
        return Timeline("pyquant", self.arena_bytes, self.least_bytes, tuple(lives))

    @property
    def least_bytes(self) -> int:
        """Those alive at one step, at most."""
        return most_alive(list(self._blocks.values()))

    def _home_of_output(self, i: int, step: Step, in_place: bool) -> Tensor | None:
        """Whose memory the output of a step has, if not its own."""
        if step.kernel == "view":
            (x,) = step.inputs
            assert x is not None
            return self._homes.get(x, x)
        if not (in_place and isinstance(step.work, CWork) and step.work.in_place):
            return None
        (y,) = step.outputs
        homes = [self._homes.get(x, x) for x in step.inputs if x is not None and _same_size(x, y)]
        return next((home for home in homes if self._last.get(home) == i), None)

    def _move(self, tensor: Tensor, home: Tensor) -> None:
        """Into the memory of a home, which then lasts as long."""
        self._homes[tensor] = home
        del self._first[tensor]
        self._last[home] = max(self._last[home], self._last.pop(tensor))


def placed(steps: Sequence[Step], first: Steps, last: Steps) -> Places:
    """The places that take the least memory; of equal ones those in place."""
    found = Places(steps, first, last)
    if found.arena_bytes == found.least_bytes:  # which is never less where nothing is in place
        return found
    return min(found, Places(steps, first, last, in_place=False), key=lambda places: places.arena_bytes)


def _same_size(x: Tensor, y: Tensor) -> bool:
    """In elements, so that none is broadcast, and in bytes."""
    return x.size == y.size and unpacked_bytes(x) == unpacked_bytes(y) and x.dtype is not STRING


def _bytes(tensor: Tensor) -> int:
    """In the arena, which strings lie beside."""
    return 0 if tensor.dtype is STRING else unpacked_bytes(tensor)
