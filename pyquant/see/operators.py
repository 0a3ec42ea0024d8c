"""The operators that pyquant knows, by type of their activations."""

from __future__ import annotations

from dataclasses import dataclass

from pyquant.ops import OPERATORS, Operator
from pyquant.ops.checked import CHECKED

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
    "string": "string",
}


HEADER = ("operator", *KINDS.values(), "quantizable", "gradient", "checked against")


@dataclass(frozen=True)
class Support:
    """How an operator runs, by kind: "C" for a C kernel, "NumPy" for the reference alone, "plan" for control flow.

    quantizable: `quantize` makes int8 of it. gradient: it trains.
    checked: by kind, the runtimes whose reference kernels its results are compared with in the project's tests: both
    (tflite-runtime 2.14 and ai-edge-litert 2.3), one by name, or formula where none runs it and is right. With
    "optimized" where, of one runtime or both, only the optimized kernels do.
    """

    operator: str
    runs: dict[str, str]
    quantizable: bool
    gradient: bool
    checked: dict[str, str]

    @property
    def row(self) -> tuple[str, ...]:
        """Cells below HEADER."""
        flags = ("yes" if flag else "" for flag in (self.quantizable, self.gradient))
        return (self.operator, *(self.runs.get(kind, "") for kind in KINDS), *flags, self.against)

    @property
    def against(self) -> str:
        """The runtimes in a few words: both, unless a kind says otherwise."""
        kinds: dict[str, list[str]] = {}
        for kind, column in KINDS.items():
            if kind in self.checked:
                kinds.setdefault(self.checked[kind], []).append(column)
        if len(kinds) == 1:
            return next(iter(kinds))
        parts = [by if by == "both" else f"{', '.join(columns)}: {by}" for by, columns in kinds.items()]
        return "; ".join(sorted(parts, key=lambda part: part != "both"))


def operators() -> list[Support]:
    """All of them, by name."""
    return [_support(operator) for _, operator in sorted(OPERATORS.items())]


def _support(operator: Operator) -> Support:
    checked = {kind: by for by, kinds in CHECKED.get(operator.name, {}).items() for kind in kinds.split()}
    if operator.flow:  # which a plan resolves into other nodes, or runs as plans of their own
        return Support(operator.name, dict.fromkeys(KINDS, "plan"), False, False, checked)
    native = set(operator.kernels) | ({*operator.reference} - {"string"} if operator.view else set())
    runs = {kind: "C" if kind in native else "NumPy" for kind in KINDS if kind in native or kind in operator.reference}
    real = any(slot.role == "activation" for slot in operator.inputs)
    quantizable = operator.ranged and real and "int8" in runs and "int8" not in operator.unserved
    return Support(operator.name, runs, quantizable, operator.gradient is not None, checked)
