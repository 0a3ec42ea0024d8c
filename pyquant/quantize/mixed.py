"""Chooses the few operators that stay in more bits, while the others compute in int8."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from pyquant.calibrate import Statistics
from pyquant.graph import Node
from pyquant.quantize.recipe import Recipe, Rule
from pyquant.quantize.search import Judge

SHARE = 4  # of the operators that are still to be narrowed, how many at a time: one in so many


def with_wide(recipe: Recipe, nodes: Collection[Node], wide: Rule) -> Recipe:
    """The recipe by which some nodes follow another rule."""
    rules = [replace(wide, regex=f"^{re.escape(node.outputs[0].name)}$") for node in nodes]
    return replace(recipe, rules=(*recipe.rules, *rules))


def widest(judge: Judge, seen: Statistics, wide: Rule, most: int) -> list[Node]:
    """At most so many nodes, that follow the rule `wide` while others follow the recipe: those that need it most.

    All are wide at first; whichever does least harm becomes narrow, until few enough are left.
    """
    recipe, (ranges, _) = judge.recipe, seen.usual_ranges(judge.model)
    made = judge.decide(ranges, with_wide(recipe, [], wide))
    left = [node for node in judge.model.main.nodes if node in made.rules and node.outputs]

    def noise(nodes: Collection[Node]) -> float:
        return judge.noise(ranges, with_wide(recipe, nodes, wide))

    while len(left) > most:
        harm = {node: noise([other for other in left if other is not node]) for node in left}
        count = max((len(left) - most) // SHARE, 1)
        narrow = set(sorted(left, key=lambda node: harm[node])[:count])
        left = [node for node in left if node not in narrow]
    return left
