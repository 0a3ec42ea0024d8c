"""How sparse weights are at each step of a training: the two schedules of the model optimization toolkit."""

from __future__ import annotations

from dataclasses import dataclass

from pyquant.errors import OptionError


@dataclass(frozen=True)
class ConstantSparsity:
    """One sparsity from a step on, every `frequency` steps; until `end_step`, or for good where that is -1.

    >>> ConstantSparsity(0.5, begin_step=100)(200)
    (True, 0.5)
    """

    target_sparsity: float
    begin_step: int
    end_step: int = -1
    frequency: int = 100

    def __post_init__(self) -> None:
        _check_share(self.target_sparsity)
        if self.end_step != -1:
            _check_steps(self.begin_step, self.end_step)
        _check_turns(self.begin_step, self.frequency)

    def __call__(self, step: int) -> tuple[bool, float]:
        """Whether it is a step to prune at, and to what sparsity."""
        return _is_turn(step, self.begin_step, self.end_step, self.frequency), self.target_sparsity


@dataclass(frozen=True)
class PolynomialDecay:
    """From one sparsity to another between two steps: final + (initial - final) (1 - progress)**power.

    >>> PolynomialDecay(0.0, 0.5, begin_step=0, end_step=1000)(500)
    (True, 0.4375)
    """

    initial_sparsity: float
    final_sparsity: float
    begin_step: int
    end_step: int
    power: float = 3
    frequency: int = 100

    def __post_init__(self) -> None:
        _check_share(self.initial_sparsity)
        _check_share(self.final_sparsity)
        _check_steps(self.begin_step, self.end_step)
        _check_turns(self.begin_step, self.frequency)

    def __call__(self, step: int) -> tuple[bool, float]:
        """Whether it is a step to prune at, and to what sparsity."""
        progress = (step - self.begin_step) / (self.end_step - self.begin_step)
        left = (1 - min(max(progress, 0.0), 1.0)) ** self.power
        sparsity = self.final_sparsity + (self.initial_sparsity - self.final_sparsity) * left
        return _is_turn(step, self.begin_step, self.end_step, self.frequency), sparsity


def _is_turn(step: int, begin: int, end: int, frequency: int) -> bool:
    return begin <= step and (step <= end or end < 0) and (step - begin) % frequency == 0


def _check_share(sparsity: float) -> None:
    if not 0 <= sparsity < 1:
        raise OptionError(f"sparsity: found {sparsity}, expected 0 or more, and less than 1")


def _check_steps(begin: int, end: int) -> None:
    if not begin < end:
        raise OptionError(f"end_step: found {end}, expected more than begin_step, {begin}")


def _check_turns(begin: int, frequency: int) -> None:
    if begin < 0 or frequency < 1:
        raise OptionError(f"found begin_step {begin} and frequency {frequency}, expected at least 0 and 1")
