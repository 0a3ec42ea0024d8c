"""The operators that pyquant knows, by type of their activations."""

from __future__ import annotations

from dataclasses import dataclass

from pyquant.ops import OPERATORS, Operator

# Kinds as operators' tables have them, and how columns are called.
KINDS = {
    "float32": "float32",
    "hybrid": "dynamic range",
    "int8": "int8",
    "int16": "int16x8",
    "uint8": "uint8",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
}


@dataclass(frozen=True)
class Support:
    """How an operator runs, by kind: "C" for a C kernel, "NumPy" for the reference alone, "plan" for control flow.

    quantizable: `quantize` makes int8 of it.
    """

    operator: str
    runs: dict[str, str]
    quantizable: bool


def operators() -> list[Support]:
    """All of them, by name."""
    return [_support(operator) for _, operator in sorted(OPERATORS.items())]


def _support(operator: Operator) -> Support:
    if operator.flow:  # which a plan resolves into other nodes, or runs as plans of their own
        return Support(operator.name, dict.fromkeys(KINDS, "plan"), False)
    native = set(operator.kernels) | (set(operator.reference) if operator.view else set())
    runs = {kind: "C" if kind in native else "NumPy" for kind in KINDS if kind in native or kind in operator.reference}
    real = any(slot.role == "activation" for slot in operator.inputs)
    return Support(operator.name, runs, operator.ranged and real and "int8" in runs)
