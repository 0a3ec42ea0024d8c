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
    so and `in_place` says so. With `parts`, what a step puts together is made where it belongs, and what a step takes
    out stays where it is.
    """

    def __init__(
        self, steps: Sequence[Step], first: Steps, last: Steps, in_place: bool = True, parts: bool = True
    ) -> None:
        self._first, self._last, self._end = dict(first), dict(last), len(steps)
        self._homes: dict[Tensor, tuple[Tensor, int]] = {}  # where tensors are that have no memory of their own
        self.idle: set[int] = set()  # steps that have nothing to do, as their outputs are there
        for i, step in enumerate(steps):
            if step.kernel == "view":
                (x,) = step.inputs
                assert x is not None
                self._move(step.outputs[0], *self._home(x))
            elif isinstance(step.work, CWork):
                launch = step.work.launch
                if in_place and launch.in_place:
                    self._write_over(i, step)
                elif parts and (self._take_parts(step, launch.parts) or self._join(step, launch.joins)):
                    self.idle.add(i)
        for t in reversed(self._homes):  # a home that has moved, too, did so later
            home, at = self._homes[t]
            further, start = self._homes.get(home, (home, 0))
            self._homes[t] = further, start + at
        self._blocks = {t: Block(_bytes(t), start, self._last.get(t, -1)) for t, start in self._first.items()}
        blocks = list(self._blocks.values())
        self.least_bytes = most_alive(blocks)  # those alive at one step, at most
        placed, self.arena_bytes = place(blocks, self.least_bytes)
        self._own = dict(zip(self._blocks, placed, strict=True))
        self.offsets = self._own | {t: self._own[home] + at for t, (home, at) in self._homes.items()}

    def timeline(self) -> Timeline:
        guests: dict[Tensor, list[Tensor]] = {}
        for t, (home, _) in self._homes.items():
            guests.setdefault(home, []).append(t)
        lives = [
            Lifetime(t, block.size, self._own[t], block.first, block.last, tuple(guests.get(t, ())))
            for t, block in self._blocks.items()
            if block.size
        ]
        lives.sort(key=lambda life: life.first)
        return Timeline("pyquant", self.arena_bytes, self.least_bytes, tuple(lives))

    def _write_over(self, i: int, step: Step) -> None:
        """Give an output the memory of an input that is read for the last time."""
        (y,) = step.outputs
        for x in step.inputs:
            if x is None:
                continue
            home, at = self._home(x)
            if self._last.get(home) == i and self._is_whole(x) and _same_size(x, y):
                self._move(y, home, at)
                return

    def _take_parts(self, step: Step, starts: Sequence[int]) -> bool:
        """Let the outputs be where they begin in the input; whether they are."""
        if not starts:
            return False
        sources = [self._home(x) for x in step.inputs if x is not None and self._home(x)[0] in self._first]
        if len(sources) != 1 or self._goes_on(sources[0][0]):
            return False
        ((home, at),) = sources
        for y, start in zip(step.outputs, starts, strict=True):
            self._move(y, home, at + start)
        return True

    def _join(self, step: Step, starts: Sequence[int]) -> bool:
        """Let the inputs be where they begin in the output; whether they are."""
        if not starts:
            return False
        inputs = [x for x in step.inputs if x is not None]
        homes = dict.fromkeys(self._home(x)[0] for x in inputs)
        if len(homes) < len(inputs) or not all(map(self._is_whole, inputs)):
            return False
        for home, start in zip(homes, starts, strict=True):
            self._move(home, step.outputs[0], start)
        return True

    def _is_whole(self, tensor: Tensor) -> bool:
        """Whether it is all of a memory that may become another's."""
        home, _ = self._home(tensor)
        return home in self._first and _bytes(home) == _bytes(tensor) and not self._goes_on(home)

    def _goes_on(self, home: Tensor) -> bool:
        """Whether it is needed from run to run, so that what is written there meanwhile must change nothing else."""
        return self._first[home] < 0 and self._last[home] == self._end

    def _home(self, tensor: Tensor) -> tuple[Tensor, int]:
        """The tensor whose memory it is in, and where."""
        home, at = tensor, 0
        while home in self._homes:
            home, start = self._homes[home]
            at += start
        if home is not tensor:
            self._homes[tensor] = home, at
        return home, at

    def _move(self, tensor: Tensor, home: Tensor, at: int) -> None:
        """Into the memory of a home, which then lasts as long."""
        self._homes[tensor] = home, at
        self._first[home] = min(self._first[home], self._first.pop(tensor))
        self._last[home] = max(self._last[home], self._last.pop(tensor))


def placed(steps: Sequence[Step], first: Steps, last: Steps) -> Places:
    """The places that take the least memory; of equal ones those that leave the least to do."""
    found = Places(steps, first, last)
    if found.idle:  # which may also have tensors live longer
        found = min(found, Places(steps, first, last, parts=False), key=lambda places: places.arena_bytes)
    if found.arena_bytes > found.least_bytes:  # which cannot be less where nothing is in place
        other = Places(steps, first, last, in_place=False, parts=False)
        found = min(found, other, key=lambda places: places.arena_bytes)
    return found


def _same_size(x: Tensor, y: Tensor) -> bool:
    """In elements, so that none is broadcast, and in bytes."""
    return x.size == y.size and unpacked_bytes(x) == unpacked_bytes(y) and x.dtype is not STRING


def _bytes(tensor: Tensor) -> int:
    """In the arena, which strings lie beside."""
    return 0 if tensor.dtype is STRING else unpacked_bytes(tensor)
