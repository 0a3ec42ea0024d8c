"""The table of operators by name, filled by the family modules that pyquant/ops/__init__.py imports."""

from __future__ import annotations

from pyquant.errors import UnsupportedOp
from pyquant.ops.operator import Operator

OPERATORS: dict[str, Operator] = {}


def register(operator: Operator) -> Operator:
    """Enter an operator and return it. Raises ValueError for a name that is taken."""
    if operator.name in OPERATORS:
        raise ValueError(f"operator {operator.name} is registered twice")
    OPERATORS[operator.name] = operator
    return operator


def find(name: str) -> Operator | None:
    """The operator called `name`; None for one that pyquant does not know."""
    return OPERATORS.get(name)


def get(name: str) -> Operator:
    """The operator called `name`. Raises UnsupportedOp for one that pyquant does not know."""
    found = find(name)
    if found is None:
        raise UnsupportedOp(f"operator {name}: pyquant knows {', '.join(sorted(OPERATORS))}")
    return found
