"""The operators that pyquant knows, by type of their activations, and who quantizes what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pyquant.ops import OPERATORS, Operator
from pyquant.ops.checked import CHECKED
from pyquant.ops.converter import CONVERTED
from pyquant.ops.litert import STARRED

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
# Schemes, with what litert-quantizer's policy has for each.
SCHEMES = {
    "int8": STARRED["int8", "int8"],
    "int16x8": STARRED["int8", "int16"],
    "dynamic range": STARRED["int8", "dynamic"],
    "weight only": STARRED["int8", "float"],
}
QUANTIZERS = ("pyquant", "converter", "litert-quantizer")
QUANTIZABLE_HEADER = ("operator", *SCHEMES)


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
    checked = _checked(operator)
    if operator.flow:  # which a plan resolves into other nodes, or runs as plans of their own
        return Support(operator.name, dict.fromkeys(KINDS, "plan"), False, False, checked)
    native = set(operator.kernels) | ({*operator.reference} - {"string"} if operator.view else set())
    runs = {kind: "C" if kind in native else "NumPy" for kind in KINDS if kind in native or kind in operator.reference}
    quantizable = _is_static(operator, "int8") and any(slot.observed for slot in operator.inputs)
    return Support(operator.name, runs, quantizable, operator.gradient is not None, checked)


@dataclass(frozen=True)
class Quantizable:
    """Who quantizes an operator: by scheme, those of QUANTIZERS that do, whatever else the node needs."""

    operator: str
    by: dict[str, tuple[str, ...]]

    @property
    def row(self) -> tuple[str, ...]:
        """Cells below QUANTIZABLE_HEADER."""
        return (self.operator, *(", ".join(self.by[scheme]) for scheme in SCHEMES))


def quantizable() -> list[Quantizable]:
    """All operators that pyquant, the TFLite converter or litert-quantizer 0.11 quantizes, by name.

    pyquant's part follows from the registry, and from what runtimes were seen to compute; the others' from their
    sources.
    """
    sources = (_ours(), CONVERTED, SCHEMES)
    names = sorted({name for source in sources for found in source.values() for name in found})
    return [Quantizable(name, {scheme: _who(name, scheme, sources) for scheme in SCHEMES}) for name in names]


def _who(name: str, scheme: str, sources: Iterable[Mapping[str, Collection[str]]]) -> tuple[str, ...]:
    return tuple(by for by, source in zip(QUANTIZERS, sources, strict=True) if name in source[scheme])


def _ours() -> dict[str, list[str]]:
    """By scheme, the operators that `quantize` converts, or takes as they are among what it converts."""

    def holding(kind: str) -> list[str]:
        """Those that take constants as weights in nodes of a kind."""
        return [
            name
            for name, operator in OPERATORS.items()
            if kind in operator.reference
            if any(slot.role == "weight" or kind in slot.weight_if_constant for slot in operator.inputs)
        ]

    static = {kind: [name for name, one in OPERATORS.items() if _is_static(one, kind)] for kind in ("int8", "int16")}
    made = (static["int8"], static["int16"], holding("hybrid"), holding("float32"))
    return dict(zip(SCHEMES, made, strict=True))


def _is_static(operator: Operator, kind: str) -> bool:
    """Whether a runtime computes what an operator means from codes of a kind."""
    if operator.flow == "handle" or (operator.by_shape and all(slot.role == "data" for slot in operator.outputs)):
        return True  # whatever the type
    checked = _checked(operator)
    served = checked.get(kind, "formula") != "formula" or "float32" not in checked  # told by the type of indices, then
    observed = any(slot.observed for slot in (*operator.inputs, *operator.outputs))
    return operator.ranged and observed and served and kind in operator.reference and kind not in operator.unserved


def _checked(operator: Operator) -> dict[str, str]:
    """By kind, the runtimes that an operator is compared with."""
    return {kind: by for by, kinds in CHECKED.get(operator.name, {}).items() for kind in kinds.split()}
