"""Runs the rules over a model, and the repairs."""

from __future__ import annotations

from collections.abc import Collection

from pyquant import targets
from pyquant.errors import OptionError
from pyquant.graph import Model
from pyquant.lint.finding import Finding
from pyquant.lint.rules import RULES
from pyquant.rewrite import compat, fold

_ORDER = ("error", "warning", "info")


def lint(model: Model, target: str | None = None, ignore: Collection[str] = ()) -> list[Finding]:
    """What breaks the TFLite quantization specification, or what `target` does not take; the gravest first.

    ignore: names of rules not to apply. Raises OptionError for one that does not exist.

    >>> [str(finding) for finding in lint(pq.open("model.tflite"), target="tflm")]  # doctest: +SKIP
    """
    unknown = set(ignore) - RULES.keys() - {"target"}
    if unknown:
        raise OptionError(f"no rule is called {', '.join(sorted(unknown))}; the rules are {', '.join(RULES)}, target")
    found = [finding for name, rule in RULES.items() if name not in ignore for finding in rule(model)]
    if target is not None and "target" not in ignore:
        found += _for_target(model, target)
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def repair(model: Model, target: str = "litert") -> Model:
    """A copy with everything mended that changes no output: op versions, casts that cancel, what nothing uses."""
    return compat(fold(model, casts=False, growth=0), target, strict=False)


def _for_target(model: Model, name: str) -> list[Finding]:
    return [
        Finding(
            "target",
            "error" if problem.fatal else "info",
            problem.reason,
            "" if problem.node is None else problem.node.label,
            "" if problem.tensor is None else problem.tensor.name,
            problem.remedy,
        )
        for problem in targets.get(name).problems(model)
    ]
