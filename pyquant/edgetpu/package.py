"""Compiled files: the custom operator that holds packages, and the executables in these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyquant.edgetpu.executable import TYPES, Executable, read_executable, read_legacy, unknown_parts
from pyquant.errors import FormatError, GraphError
from pyquant.graph import Model, Node
from pyquant.ops.flex import flex_fields
from pyquant.wire import decode

CUSTOM_OP = "edgetpu-custom-op"
IDENTIFIER = b"DWN1"
# Fields of the custom operator's options, by the numbers that they have for names
VERSION, CHIP, CACHING, PACKAGE, PREFERENCE, CHIPS, PACKAGES = "1234567"
DEFAULTS = {VERSION: 0, CHIP: b"", CACHING: b"", PACKAGE: bytes, PREFERENCE: -1, CHIPS: [], PACKAGES: []}
# What a package may hold, as the runtime wants it
SETS = ({TYPES[0]}, {TYPES[1]}, {TYPES[2]}, {TYPES[1], TYPES[2]}, set(TYPES))


@dataclass(frozen=True, eq=False)
class Package:
    """Executables that are loaded together. bytes: of all. chips: packages for the single ones of several chips.

    runtime: the least version that can run it. Executables of the oldest compilers come without a package: then all
    that only a package says is as it is by default, and `bare`.
    """

    executables: tuple[Executable, ...]
    bytes: int
    runtime: int = 0
    compiler: str = ""
    model: str = ""
    keypair: int = 0
    signature_bytes: int = 0
    virtual_chip: int = 0
    chips: tuple[Package, ...] = ()
    bare: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Container:
    """What the options of one custom operator hold. chip: named by the oldest compilers; chips: codes of newer ones."""

    node: Node
    version: int
    preference: int
    chip: str
    chips: tuple[int, ...]
    packages: tuple[Package, ...]

    @property
    def executables(self) -> tuple[Executable, ...]:
        """Of all packages."""
        inner = [chip for package in self.packages for chip in package.chips]
        return tuple(e for package in (*self.packages, *inner) for e in package.executables)


def is_compiled(node: Node) -> bool:
    """Whether a node stands for operators that the compiler mapped."""
    return node.op == CUSTOM_OP


def containers(model: Model) -> tuple[Container, ...]:
    """What the compiler put into a model. Raises GraphError where it is not compiled, FormatError where not sound."""
    found = [node for subgraph in model.subgraphs for node in subgraph.nodes if is_compiled(node)]
    if not found:
        raise GraphError(f"the model has no operator {CUSTOM_OP}: it is not compiled for the Edge TPU")
    return tuple(_container(node) for node in found)


def _container(node: Node) -> Container:
    fields = flex_fields(node, DEFAULTS)
    data, caching = fields[PACKAGE], fields[CACHING]
    if data[4:8] == IDENTIFIER:
        packages = [data, *fields[PACKAGES]]
        if not all(isinstance(package, bytes) for package in packages):
            raise GraphError(f"{node.label}: option {PACKAGES!r} has numbers, expected packages")
        read = [read_package(np.frombuffer(package, np.uint8)) for package in packages]
    else:
        kinds = {TYPES[1]: caching, TYPES[2]: data} if caching else {TYPES[0]: data}
        bare = tuple(read_legacy(np.frombuffer(part, np.uint8), kind) for kind, part in kinds.items())
        read = [Package(bare, sum(e.bytes for e in bare), bare=True)]
    chips = fields[CHIPS]
    if not all(isinstance(chip, int) for chip in chips):
        raise GraphError(f"{node.label}: option {CHIPS!r} has strings, expected numbers of chips")
    chip = fields[CHIP].decode("utf-8", "replace")
    return Container(node, fields[VERSION], fields[PREFERENCE], chip, tuple(chips), tuple(read))


def read_package(data: np.ndarray, chip: bool = False) -> Package:
    """The package in (n,) uint8. chip: it is one of those for a single chip, which hold no others.

    Raises FormatError where it is not sound.
    """
    if data[4:8].tobytes() != IDENTIFIER:
        raise FormatError(f"not a package: expected identifier {IDENTIFIER!r}, found {data[4:8].tobytes()!r}")
    record = decode(data, "Package")
    inner = [part.serialized_package for part in record.multi_chip_package or () if part.serialized_package is not None]
    if inner and chip:
        raise FormatError("the package of a single chip has packages of other chips")
    several = record.serialized_multi_executable
    parts = [] if several is None else decode(several, "MultiExecutable").serialized_executables or []
    if sum(map(len, (*inner, *parts))) > len(data):
        raise FormatError(f"a package of {len(data)} bytes: its parts share bytes, so that they are larger than itself")
    return Package(
        executables=_checked(tuple(read_executable(part) for part in parts)),
        bytes=len(data),
        runtime=record.min_runtime_version,
        compiler=record.compiler_version or "",
        model=record.model_identifier or "",
        keypair=record.keypair_version,
        signature_bytes=0 if record.signature is None else len(record.signature),
        virtual_chip=record.virtual_chip_id,
        chips=tuple(read_package(part, chip=True) for part in inner),
        unknown=unknown_parts(record),
    )


def _checked(executables: tuple[Executable, ...]) -> tuple[Executable, ...]:
    types = [e.type for e in executables]
    if types and (len(set(types)) < len(types) or set(types) not in SETS):
        known = "; ".join(" and ".join(sorted(types)) for types in SETS)
        raise FormatError(f"a package: found executables {', '.join(types)}, expected one of: {known}")
    return executables
