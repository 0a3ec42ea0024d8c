"""A model as C source in TFLM's convention: its bytes, the operators to register, vectors to test with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.calibrate import samples
from pyquant.dtypes import STRING
from pyquant.errors import OptionError
from pyquant.export.resolver import additions
from pyquant.graph import Model, Tensor, dump
from pyquant.run import Plan, compile, timeline
from pyquant.wire import file

_COLUMNS = 12  # bytes a line
_HEX = np.array([f"0x{i:02x}," for i in range(256)], "S5")
_ALIGNED = """\
#if defined(__cplusplus) && __cplusplus >= 201103L
#define {guard}_ALIGNED alignas(16)
#else
#define {guard}_ALIGNED __attribute__((aligned(16)))
#endif
"""
# NumPy type -> C type of golden vectors; others are given as bytes
_C_TYPES = {"float32": "float", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t"}
_C_TYPES |= {"int64": "int64_t", "bool": "uint8_t", "float64": "double"}


def export_c(
    model: Model,
    folder: str | os.PathLike[str],
    name: str = "model",
    data: Any = None,
    count: int = 3,
    overwrite: bool = False,
) -> list[Path]:
    """Write a model as C source into `folder`. Returns the files, all of them written or none.

    NAME_model_data.h and .c: `g_NAME_model_data`, aligned to 16 bytes, and `g_NAME_model_data_len`. NAME_resolver.h:
    for C++, the TFLM operators that the model uses, registered. NAME_golden.h and .c: `count` inputs and the outputs
    that TFLM's reference kernels must give, by our kernels; integers bit for bit.
    data: samples in any form that `pyquant.samples` takes; random ones where it is None. count 0: no golden files.
    Raises UnsupportedOp for an operator that TFLM lacks or that pyquant cannot run, OptionError for a bad name,
    FileExists unless overwrite.

    >>> export_c(pq.open("kws.tflite"), "src", name="kws")  # doctest: +SKIP
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise OptionError(f"name {name!r}: expected letters, digits and _, as in a C identifier")
    symbol, target = f"g_{name}_model_data", Path(folder)
    if count and any(tensor.dtype is STRING for _, tensor in _ends(model)):
        raise OptionError("golden vectors cannot hold strings: count=0 leaves them out")
    if count < 0:
        raise OptionError(f"count: found {count}, expected at least 0")
    made: dict[str, Iterable[bytes]] = {
        f"{name}_model_data.h": [_data_header(symbol)],
        f"{name}_model_data.c": _data_source(symbol, f"{name}_model_data.h", dump(model)),
        f"{name}_resolver.h": [_resolver(name, additions(model))],
    }
    if count:
        plan = compile(model)
        inputs = [list(s.values()) for s in islice(_random(model) if data is None else samples(data, model), count)]
        made[f"{name}_golden.h"] = [_golden_header(name, model, len(inputs), plan)]
        made[f"{name}_golden.c"] = _golden_source(name, model, inputs, plan)
    target.mkdir(parents=True, exist_ok=True)
    paths = {target / path: lines for path, lines in made.items()}
    file.write_all(paths, overwrite)
    return list(paths)


def _random(model: Model) -> Iterator[dict[Tensor, np.ndarray]]:
    """Seeded inputs: every code of an integer type, normal numbers for floats."""
    rng = np.random.default_rng(0)
    while True:
        yield {tensor: _draw(rng, tensor) for tensor in model.main.inputs}


def _draw(rng: np.random.Generator, tensor: Tensor) -> np.ndarray:
    if tensor.dtype.is_quantized_integer and tensor.dtype.lo is not None and tensor.dtype.hi is not None:
        return rng.integers(tensor.dtype.lo, tensor.dtype.hi + 1, tensor.shape).astype(tensor.dtype.numpy)
    return rng.normal(size=tensor.shape).astype(tensor.dtype.numpy)


def _data_header(symbol: str) -> bytes:
    guard = f"{symbol.upper()}_H_"
    return f"""\
/* A .tflite model for TensorFlow Lite for Microcontrollers, written by pyquant. */
#ifndef {guard}
#define {guard}

#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char {symbol}[];
extern const unsigned int {symbol}_len;

#ifdef __cplusplus
}}
#endif

#endif
""".encode()


def _data_source(symbol: str, header: str, data: bytes) -> Iterator[bytes]:
    guard = symbol.upper()
    yield f'#include "{header}"\n\n{_ALIGNED.format(guard=guard)}\n'.encode()
    yield f"{guard}_ALIGNED const unsigned char {symbol}[] = {{\n".encode()
    yield from _hex_lines(np.frombuffer(data, np.uint8))
    yield f"}};\nconst unsigned int {symbol}_len = {len(data)};\n".encode()


def _hex_lines(data: np.ndarray) -> Iterator[bytes]:
    """Bytes as C constants, a piece of lines at a time. data: (n,) uint8."""
    whole = data.size // _COLUMNS * _COLUMNS
    piece = _COLUMNS << 14
    for start in range(0, whole, piece):
        cells = _HEX[data[start : min(start + piece, whole)]].reshape(-1, _COLUMNS)
        ends = np.full((len(cells), 1), b"\n", "S5")
        yield np.hstack([cells, ends]).tobytes().replace(b"\0", b"")
    if whole < data.size:
        yield b"".join(_HEX[data[whole:]].tolist()) + b"\n"


def _resolver(name: str, methods: Sequence[str]) -> bytes:
    guard = f"{name.upper()}_RESOLVER_H_"
    calls = "\n".join(f"  if (resolver.{method}() != kTfLiteOk) return kTfLiteError;" for method in methods)
    return f"""\
// The operators of the model, for TensorFlow Lite for Microcontrollers, written by pyquant.
#ifndef {guard}
#define {guard}

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

constexpr unsigned int k_{name}_op_count = {len(methods)};

inline TfLiteStatus register_{name}_ops(tflite::MicroMutableOpResolver<k_{name}_op_count>& resolver) {{
{calls}
  return kTfLiteOk;
}}

#endif
""".encode()


def _ends(model: Model) -> list[tuple[str, Tensor]]:
    sides = (("input", model.main.inputs), ("output", model.main.outputs))
    return [(f"{side}_{i}", tensor) for side, tensors in sides for i, tensor in enumerate(tensors)]


def _c_type(tensor: Tensor) -> str:
    numpy = tensor.dtype.numpy
    return _C_TYPES.get("" if numpy is None else numpy.name, "uint8_t")


def _golden_header(name: str, model: Model, count: int, plan: Plan) -> bytes:
    guard, tflm = f"{name.upper()}_GOLDEN_H_", timeline(model, "tflm").arena_bytes
    arrays = "\n".join(
        f"extern const {_c_type(t)} g_{name}_golden_{end}[{count}][{_elements(t)}]; /* {t.dtype} {t.shape} */"
        for end, t in _ends(model)
    )
    return f"""\
/* Inputs, and the outputs that the model gives for them. Written by pyquant, whose own arena for this model has
   {plan.arena_bytes} bytes. That of TFLM with its reference kernels takes {tflm} bytes and its own
   bookkeeping: ask arena_used_bytes(). */
#ifndef {guard}
#define {guard}

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

enum {{ k_{name}_golden_count = {count} }};
{arrays}

#ifdef __cplusplus
}}
#endif

#endif
""".encode()


def _elements(tensor: Tensor) -> int:
    """How many C values an end has; an array of C cannot be empty."""
    numpy = tensor.dtype.numpy
    known = numpy is not None and numpy.name in _C_TYPES
    return max(1, tensor.size * (1 if known or numpy is None else numpy.itemsize))


def _golden_source(name: str, model: Model, inputs: Sequence[list[np.ndarray]], plan: Plan) -> Iterator[bytes]:
    yield f'#include "{name}_golden.h"\n'.encode()
    rows = []
    for arrays in inputs:
        results = plan(*arrays)
        rows.append([*arrays, *([results] if isinstance(results, np.ndarray) else results)])
    for i, (end, tensor) in enumerate(_ends(model)):
        size = f"[{len(rows)}][{_elements(tensor)}]"
        yield f"\nconst {_c_type(tensor)} g_{name}_golden_{end}{size} = {{\n".encode()
        for row in rows:
            yield f"    {{{_values(row[i])}}},\n".encode()
        yield b"};\n"


def _values(array: np.ndarray) -> str:
    """An array as C constants; floats in hexadecimal, which loses nothing."""
    if array.dtype.name not in _C_TYPES:
        array = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if array.dtype.kind == "f":
        suffix = "f" if array.itemsize == 4 else ""
        return ", ".join(_float(value, suffix) for value in array.reshape(-1).tolist())
    least = -(2**63)
    return ", ".join("INT64_MIN" if v == least else str(int(v)) for v in array.reshape(-1).tolist()) or "0"


def _float(value: float, suffix: str) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return f"{'-' if value < 0 else ''}({'0.0' if value != value else '1.0'}{suffix} / 0.0{suffix})"
    return repr(value) + suffix
