"""Files on disk: read by memory map, written whole or not at all."""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyquant.errors import FileError, FileExists, FormatError


def read(path: str | os.PathLike[str]) -> memoryview:
    """A file's bytes, mapped read-only. The map lives as long as anything refers to it."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise FormatError(f"{path} is empty")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def write(path: str | os.PathLike[str], segments: Iterable[Any], overwrite: bool = False) -> int:
    """Write segments to a temporary file beside `path`, then rename it. Returns the bytes written.

    A file that is mapped may be written over: the map keeps the old content. Raises FileExists unless overwrite.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not overwrite:
        raise FileExists(f"{path} exists; pass overwrite=True to replace it")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines(segments)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        os.replace(temporary, target)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return size
