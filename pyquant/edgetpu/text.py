"""An inspection as text: what the file holds, then the comparison with a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pyquant.edgetpu.compare import Boundary, Comparison, LayerMatch
from pyquant.edgetpu.executable import Executable
from pyquant.edgetpu.inspect import Inspection, bits
from pyquant.edgetpu.package import Container, Package
from pyquant.graph import Node
from pyquant.table import Column, lines, printable, short, size

SHOWN = 20  # differences

EXECUTABLES = (
    Column("executable"),
    Column("chip", rank=2),
    Column("token", rank=3),
    Column("parameters", number=True),
    Column("instructions", number=True),
    Column("chunks", number=True, rank=4),
    Column("addresses", number=True, rank=4),
    Column("hints", number=True, rank=4),
    Column("memory a tile", number=True, rank=1),
    Column("scratch", number=True, rank=1),
    Column("cycles", number=True, rank=1),
)
LAYERS = (
    Column("", cut=False),
    Column("name", cut=True),
    Column("shape"),
    Column("type"),
    Column("scale", number=True),
    Column("zero point", number=True),
    Column("bytes", number=True),
)
BOUNDARY = (
    Column("boundary"),
    Column("name", cut=True),
    Column("shape"),
    Column("type"),
    Column("scale", number=True),
    Column("its bits", rank=1),
    Column("zero point", number=True),
    Column("source"),
)
MATCHES = (
    Column("operator"),
    Column("name", cut=True),
    Column("bytes", number=True),
    Column("offset", number=True, rank=1),
    Column("order", rank=2),
    Column("weights"),
    Column("bias"),
    Column("multipliers"),
)


def text(inspection: Inspection, width: int | None = None) -> str:
    """In lines of at most `width` characters where that can be."""
    parts = [part for container in inspection.containers for part in _container(container, width)]
    parts.append(_listed("on the CPU", inspection.cpu))
    if inspection.comparison is not None:
        parts += _comparison(inspection.comparison, width)
    return "\n\n".join("\n".join(map(printable, part)) for part in parts if part)


def _container(container: Container, width: int | None) -> Iterator[list[str]]:
    packages = [*container.packages, *(chip for package in container.packages for chip in package.chips)]
    chip = f" for {container.chip}" if container.chip else ""
    yield [_package(package) + chip for package in packages]
    yield lines(EXECUTABLES, [_executable(e) for e in container.executables], width)
    rows = [
        [
            "output" if layer.output else "input",
            short(layer.name),
            "x".join(map(str, layer.shape)) + (f" {layer.executions} times" if layer.executions != 1 else ""),
            layer.dtype,
            f"{layer.scale:.8g}",
            str(layer.zero_point),
            str(layer.bytes),
        ]
        for e in container.executables
        for layer in (*e.inputs, *e.outputs)
    ]
    yield lines(LAYERS, rows, width)
    yield [f"unknown in {e.type}: {part}" for e in container.executables for part in e.unknown]


def _package(package: Package) -> str:
    if package.bare:
        return f"executables without a package, {size(package.bytes)}"
    named = f", model {package.model}" if package.model else ""
    unknown = f", unknown: {', '.join(package.unknown)}" if package.unknown else ""
    return (
        f"package of {size(package.bytes)} by compiler {package.compiler or '(not named)'}, needs runtime "
        f"{package.runtime}{named}{unknown}"
    )


def _executable(e: Executable) -> list[str]:
    return [
        e.type,
        e.chip,
        f"{e.token:016x}",
        size(e.parameters.size),
        str(len(e.code)),
        str(len(e.chunks)),
        str(sum(len(chunk.fields) for chunk in e.chunks)),
        str(len(e.hints)) + ("" if e.deterministic else " of more"),
        size(e.memory_bytes_per_tile),
        size(e.scratch_bytes),
        str(e.estimated_cycles or ""),
    ]


def _comparison(comparison: Comparison, width: int | None) -> Iterator[list[str]]:
    rows = [
        [
            layer.node.op,
            short(layer.node.outputs[0].name),
            str(layer.stored.expected.bytes),
            "" if layer.stored.offset is None else str(layer.stored.offset),
            layer.stored.order or "",
            *("identical" if same else "differ" for same in (layer.weights, layer.bias, layer.multipliers)),
        ]
        for layer in comparison.layers
    ]
    yield lines(MATCHES, rows, width) if rows else []
    yield lines(BOUNDARY, [_boundary(b) for b in comparison.boundary], width)
    mapped = len(comparison.mapped)
    yield [
        f"{mapped} of {mapped + len(comparison.cpu)} operators of the source are mapped: {_counted(comparison.mapped)}",
        _identical(comparison.boundary, "boundary tensors"),
        _identical(comparison.layers, "layers"),
    ]
    yield _listed("not compared, as nobody has decoded their constants", comparison.unknown)
    found = comparison.differences
    yield [*found[:SHOWN], *([f"… and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])]
    yield [f"compiled from this source: {'yes' if comparison.same else 'no'}"]


def _boundary(boundary: Boundary) -> list[str]:
    tensor = boundary.tensor
    numbers = [f"{tensor.scale:.8g}", bits(tensor), str(tensor.zero_point)] if tensor.is_quantized else [""] * 3
    same = "differs" if boundary.difference else "identical"
    side = "output" if boundary.output else "input"
    return [side, short(tensor.name), "x".join(map(str, tensor.shape)), tensor.dtype.name, *numbers, same]


def _identical(parts: Sequence[Boundary | LayerMatch], what: str) -> str:
    return f"{sum(not part.difference for part in parts)} of {len(parts)} {what} are identical"


def _counted(nodes: tuple[Node, ...]) -> str:
    return ", ".join(f"{number} {op}" for op, number in Counter(node.op for node in nodes).most_common())


def _listed(what: str, nodes: tuple[Node, ...]) -> list[str]:
    names = (f"{node.op} {short(node.outputs[0].name)}" if node.outputs else node.op for node in nodes)
    return [f"{what}: {', '.join(names)}"] if nodes else []
