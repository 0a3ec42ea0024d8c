"""A prediction as text: in the form of the Edge TPU compiler's log, and what that log does not tell."""

from __future__ import annotations

from collections import Counter

from pyquant.edgetpu.predict import Prediction
from pyquant.graph import Node
from pyquant.table import Column, lines, printable, short
from pyquant.targets.edgetpu import ONE_SUBGRAPH, OPERATORS, RULES, UNMAPPED

CAPACITY = 8 << 20  # bytes on the chip, which activations need as well
UNITS = ("B", "KiB", "MiB", "GiB")
OPERATOR, COUNT = 31, 11  # widths of columns


def log(prediction: Prediction, file: str = "model.tflite", bytes_: int | None = None) -> str:
    """The log of a compilation that has not taken place. What only the compiler knows is left out.

    file, bytes_: of the model, as the log states them.
    """
    cached = min(prediction.parameter_bytes, CAPACITY)
    said = [
        "Edge TPU Compiler version 16.0 (predicted by pyquant: nothing was compiled)",
        *(f"Compilation would fail: {reason}" for reason in prediction.refused),
        *(["If that were mended:"] if prediction.refused else []),
        "",
        f"Input model: {file}",
        *([] if bytes_ is None else [f"Input size: {size(bytes_)}"]),
        f"On-chip memory used for caching model parameters: {size(cached)}",
        f"On-chip memory remaining for caching model parameters: {size(CAPACITY - cached)}, less activations",
        f"Off-chip memory used for streaming uncached model parameters: {size(prediction.parameter_bytes - cached)}",
        f"Number of Edge TPU subgraphs: {int(prediction.mapped > 0)}",
        f"Total number of operations: {len(prediction.operators)}",
    ]
    if prediction.mapped < len(prediction.operators):
        said += [
            "",
            "Not all operators would be mapped to the Edge TPU; the others would run on the CPU, which is slower.",
            f"Number of operations that will run on Edge TPU: {prediction.mapped}",
            f"Number of operations that will run on CPU: {len(prediction.operators) - prediction.mapped}",
        ]
    return "\n".join(map(printable, [*said, "", *_table(prediction)]))


def _table(prediction: Prediction) -> list[str]:
    """One row for each operator and status, rows of an operator together."""
    counts = prediction.counts()
    names = dict.fromkeys(name for name, _ in counts)
    rows = [(name, counts[key], key[1]) for name in names for key in counts if key[0] == name]
    return [_row("Operator", "Count", "Status"), "", *(_row(name, str(n), status) for name, n, status in rows)]


def _row(operator: str, count: str, status: str) -> str:
    return f"{operator:<{OPERATOR}}{count:<{COUNT}}{status}"


REASONS = (
    Column("Count", number=True),
    Column("Operator"),
    Column("Why"),
    Column("Known"),
    Column("Holds back", number=True, rank=1),
    Column("First", rank=2, cut=True),
)


def reasons(prediction: Prediction, width: int | None = None) -> str:
    """Why operators stay on the CPU, how many that could be mapped follow from them, and what one change would free."""
    held = Counter(v.blocker for v in prediction.operators if v.status == ONE_SUBGRAPH)
    groups: dict[tuple[str, str, str], list[Node]] = {}
    for v in prediction.operators:
        if not v.mapped and v.status != ONE_SUBGRAPH:
            why = v.reason + (f": {v.remedy}" if v.remedy else "")
            groups.setdefault((v.node.op, why, v.evidence), []).append(v.node)
    rows = [
        (str(len(nodes)), *what, str(sum(held[node] for node in nodes) or ""), short(_name(nodes[0])))
        for what, nodes in groups.items()
    ]
    said = lines(REASONS, rows, width) if rows else []
    node, count = next(iter(prediction.freed), (None, 0))
    if node is not None and count > 1:
        said += ["", f"{printable(node.label)} alone keeps {count} operators from the device, itself among them."]
    return "\n".join(said)


EACH = (Column("Operator"), Column("Output", cut=True), Column("Parameters", number=True), Column("Status"))


def operators(prediction: Prediction, width: int | None = None) -> str:
    """Each operator, with the bytes of its constants on the device."""
    rows = [
        (v.node.op, short(_name(v.node)), size(v.parameter_bytes) if v.parameter_bytes else "", v.status)
        for v in prediction.operators
    ]
    return "\n".join(lines(EACH, rows, width))


RULE = (Column("Known"), Column("The compiler"), Column("Operators", cut=True))


def rules(width: int | None = None) -> str:
    """The rules that predictions go by, and how each is known."""
    every = [(evidence, "maps it", " ".join(ops.split())) for evidence, ops in OPERATORS.items()]
    every += [(rule.gap.evidence, rule.gap.reason, rule.operators or "all of these") for rule in RULES]
    every.append((UNMAPPED.evidence, UNMAPPED.reason, "all others"))
    return "\n".join(lines(RULE, every, width))


def _name(node: Node) -> str:
    return node.outputs[0].name if node.outputs else ""


def size(bytes_: int) -> str:
    """As the log has it.

    >>> size(0), size(3 << 19)
    ('0.00B', '1.50MiB')
    """
    value, unit = float(bytes_), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.2f}{UNITS[unit]}"
