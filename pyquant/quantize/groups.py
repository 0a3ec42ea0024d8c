"""Union-find over values that must share one scale, with the joint range and the fixed scale of each group."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from pyquant.calibrate import Range

Fixed = tuple[float, int]  # scale, zero point


class Groups:
    """Disjoint groups of hashable keys."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}
        self._range: dict[Hashable, Range] = {}
        self._fixed: dict[Hashable, Fixed | None] = {}

    def add(self, key: Hashable, seen: Range) -> None:
        """A group of one, unless the key is known."""
        if key not in self._parent:
            self._parent[key], self._range[key], self._fixed[key] = key, seen, None

    def root(self, key: Hashable) -> Hashable:
        """The key that stands for a key's group."""
        while self._parent[key] is not key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key

    def unite(self, keys: Iterable[Hashable]) -> None:
        """Make one group of the groups of all keys. At most one fixed scale may be among them."""
        roots = list(dict.fromkeys(self.root(key) for key in keys))
        for other in roots[1:]:
            first = roots[0]
            self._parent[other] = first
            self._range[first] = self._range[first].joined(self._range[other])
            self._fixed[first] = self._fixed[first] or self._fixed[other]

    def fix(self, key: Hashable, value: Fixed | None) -> None:
        """Prescribe scale and zero point of a key's group; None leaves it free."""
        if value is not None:
            self._fixed[self.root(key)] = value

    def fixed(self, key: Hashable) -> Fixed | None:
        """The prescribed scale and zero point of a key's group."""
        return self._fixed[self.root(key)]

    def range(self, key: Hashable) -> Range:
        """The joint range of a key's group."""
        return self._range[self.root(key)]
