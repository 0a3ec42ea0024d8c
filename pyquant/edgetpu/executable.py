"""What one executable for the Edge TPU says: its layers, instructions, transfers and parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyquant.errors import FormatError
from pyquant.wire import Record, decode, newer_parts

INSTRUCTION = 16  # bytes
TYPES = ("stand alone", "parameter caching", "execution only")
# What the device calls its element types, by code
DTYPES = {0: "uint8", 1: "uint16", 2: "int32", 3: "bfloat16", 4: "float16", 5: "float32", 8: "int8", 9: "int16"}
WIDTHS = {"uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float16": 2, "bfloat16": 2, "int32": 4, "float32": 4}
BASES = ("output", "input", "parameters", "scratch")
HALVES = ("low", "high")
DIRECTIONS = ("in", "out")


@dataclass(frozen=True)
class DeviceLayer:
    """One input or output of an executable: real = scale * (code - zero_point), where codes are unsigned.

    shape: (y, x, z) of one execution, of which an inference has `executions`. bytes: with padding.
    """

    name: str
    output: bool
    shape: tuple[int, int, int]
    executions: int
    dtype: str
    scale: float
    zero_point: int
    bytes: int

    @property
    def padded_bytes(self) -> int:
        """What `bytes` is in all files known: outputs have a multiple of 4 channels, and all a multiple of 8 bytes."""
        y, x, z = self.shape
        channels = -(-z // 4) * 4 if self.output else z
        return -(-y * x * channels * WIDTHS[self.dtype] // 8) * 8


@dataclass(frozen=True)
class FieldOffset:
    """A place in a chunk's instructions, `bit` bits behind its start, where the driver writes half of an address.

    base: "output", "input" (of the layer called `name`), "parameters" or "scratch". half: "low" or "high".
    """

    base: str
    name: str
    half: str
    bit: int


@dataclass(frozen=True, eq=False)
class Chunk:
    """Instructions that are transferred as one. code: (n,) uint8, INSTRUCTION bytes each."""

    code: np.ndarray
    fields: tuple[FieldOffset, ...]


@dataclass(frozen=True)
class Hint:
    """What the device will ask for next. kind: "transfer", "instructions", "interrupt" or "fence".

    direction: "in" or "out". number: of the chunk, or of the interrupt. base, name, offset and bytes: of a transfer.
    """

    kind: str
    direction: str
    number: int = 0
    base: str = ""
    name: str = ""
    offset: int = 0
    bytes: int = 0


@dataclass(frozen=True, eq=False)
class Executable:
    """One of the executables of a package. type: one of TYPES. parameters: (n,) uint8, a view on the file.

    Parameter caching loads parameters that the execution with the same token finds on the device. deterministic: the
    hints are all transfers. unknown: what a newer compiler says besides.
    """

    type: str
    name: str
    version: int
    chip: str
    batch: int
    token: int
    scratch_bytes: int
    memory_bytes_per_tile: int
    estimated_cycles: int
    in_dram: bool
    deterministic: bool
    parameters: np.ndarray
    inputs: tuple[DeviceLayer, ...]
    outputs: tuple[DeviceLayer, ...]
    chunks: tuple[Chunk, ...]
    hints: tuple[Hint, ...]
    bytes: int
    unknown: tuple[str, ...]

    @property
    def caching(self) -> bool:
        """Whether it does nothing but load parameters."""
        return self.type == TYPES[1]

    @property
    def code(self) -> np.ndarray:
        """All instructions: (n, INSTRUCTION) uint8."""
        codes = [chunk.code for chunk in self.chunks] or [np.zeros(0, np.uint8)]
        return np.concatenate(codes).reshape(-1, INSTRUCTION)


def read_legacy(data: np.ndarray, type_: str) -> Executable:
    """The executable in (n,) uint8, in the form that it had before there were packages, where others said its type."""
    record = decode(data, "LegacyExecutable")
    ends = ("input_layers", "output_layers")
    layers = {end: [Record.of("Layer", x.fields) for x in record.fields.get(end, ())] for end in ends}
    return _executable(Record.of("Executable", record.fields | layers).replace(type=TYPES.index(type_)), len(data))


def read_executable(data: np.ndarray) -> Executable:
    """The executable in (n,) uint8. Raises FormatError where it is not sound."""
    return _executable(decode(data, "Executable"), len(data))


def _executable(record: Record, size: int) -> Executable:
    hints = record.dma_hints or Record("DmaHints")
    return Executable(
        type=_one_of(TYPES, record.type, "executable type"),
        name=record.name or "",
        version=record.version,
        chip=record.chip or "",
        batch=record.batch_size,
        token=record.parameter_caching_token,
        scratch_bytes=record.scratch_size_bytes,
        memory_bytes_per_tile=record.used_narrow_memory_bytes_per_tile,
        estimated_cycles=record.estimated_cycles_64bit or record.estimated_cycles,
        in_dram=record.use_tpu_dram_for_parameters,
        deterministic=hints.fully_deterministic,
        parameters=_bytes(record.parameters),
        inputs=tuple(_layer(layer, output=False) for layer in record.input_layers or ()),
        outputs=tuple(_layer(layer, output=True) for layer in record.output_layers or ()),
        chunks=tuple(_chunk(chunk) for chunk in record.instruction_bitstreams or ()),
        hints=tuple(_hint(hint) for hint in hints.hints or ()),
        bytes=size,
        unknown=unknown_parts(record),
    )


def unknown_parts(record: Record) -> tuple[str, ...]:
    """What a newer compiler put into a record and those below."""
    return tuple(f"{path}: {part}" for path, part in newer_parts(record))


def _layer(record: Record, output: bool) -> DeviceLayer:
    name = record.name or ""
    shape = (record.y_dim, record.x_dim, record.z_dim)
    if min(*shape, record.size_bytes, record.execution_count_per_inference) < 0:
        raise FormatError(f"layer {name!r}: found shape {shape} and {record.size_bytes} bytes, expected none below 0")
    numerics = record.numerics or Record("NumericsConstants")
    return DeviceLayer(
        name,
        output,
        shape,
        record.execution_count_per_inference,
        _one_of(DTYPES, record.data_type, f"data type of layer {name!r}"),
        numerics.dequantization_factor,
        numerics.zero_point,
        record.size_bytes,
    )


def _chunk(record: Record) -> Chunk:
    code = _bytes(record.bitstream)
    if code.size % INSTRUCTION:
        raise FormatError(f"instructions: found {code.size} bytes, expected a multiple of {INSTRUCTION}")
    fields = tuple(_field(field) for field in record.field_offsets or ())
    for field in fields:
        if not 0 <= field.bit <= 8 * code.size - 32:
            raise FormatError(f"instructions: an address at bit {field.bit} is not inside their {code.size} bytes")
    return Chunk(code, fields)


def _field(record: Record) -> FieldOffset:
    meta = record.meta or Record("Meta")
    return FieldOffset(*_base(meta), _one_of(HALVES, meta.position, "half of an address"), record.offset_bit)


def _base(meta: Record) -> tuple[str, str]:
    return _one_of(BASES, meta.desc, "base address"), meta.name or ""


def _hint(record: Record) -> Hint:
    direction = _one_of(DIRECTIONS, record.direction, "direction of a transfer")
    what = record.any_hint or Record("FenceHint")
    read = {
        "DmaDescriptorHint": lambda: Hint(
            "transfer",
            direction,
            0,
            *_base(what.meta or Record("Meta")),
            offset=what.offset_in_bytes,
            bytes=what.size_in_bytes,
        ),
        "InstructionHint": lambda: Hint("instructions", direction, what.instruction_chunk_index),
        "InterruptHint": lambda: Hint("interrupt", direction, what.type),
        "FenceHint": lambda: Hint("fence", direction),
    }
    return read[what.table]()


def _one_of(names: Any, code: int, what: str) -> str:
    known: Iterable[int] = names.keys() if isinstance(names, dict) else range(len(names))
    if code not in known:
        raise FormatError(f"{what}: found {code}, expected one of {', '.join(map(str, known))}")
    return str(names[code])


def _bytes(data: np.ndarray | None) -> np.ndarray:
    return np.zeros(0, np.uint8) if data is None else data
