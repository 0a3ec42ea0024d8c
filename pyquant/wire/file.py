"""Files on disk: read by memory map, written whole or not at all."""

from __future__ import annotations

import mmap
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.errors import FileError, FileExists, FormatError

KEPT = 1 << 25  # bytes of a map that may stay in memory
_PIECE = 1 << 23  # bytes of one write: gigabytes at once, from a mapped file, take twice as long


def read(path: str | os.PathLike[str]) -> memoryview:
    """A file's bytes, mapped read-only. The map lives as long as anything refers to it."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise FormatError(f"{path} is empty")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def release(array: np.ndarray) -> None:
    """Give back the memory that an array on a large map of `read` takes: it is read again where it is needed again."""
    source = large_map(array)
    if source is not None and hasattr(mmap, "MADV_DONTNEED"):
        start = array.ctypes.data - np.frombuffer(source, np.uint8).ctypes.data
        first, last = (
            -(-start // mmap.PAGESIZE) * mmap.PAGESIZE,
            (start + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE,
        )
        if first < last:
            source.madvise(mmap.MADV_DONTNEED, first, last - first)


def large_map(array: np.ndarray) -> mmap.mmap | None:
    """The map of `read` that an array lies on, if it is too large to stay in memory."""
    source: Any = array
    while isinstance(source, np.ndarray):
        source = source.base
    if not isinstance(source, memoryview) or not source.readonly or not isinstance(source.obj, mmap.mmap):
        return None
    return source.obj if len(source.obj) > KEPT else None


def write(path: str | os.PathLike[str], segments: Iterable[Any], overwrite: bool = False) -> int:
    """Write segments to a temporary file beside `path`, then rename it. Returns the bytes written.

    A file that is mapped may be written over: the map keeps the old content. Raises FileExists unless overwrite.
    """
    return write_all({Path(path): segments}, overwrite)


def write_all(files: Mapping[Path, Iterable[Any]], overwrite: bool = False) -> int:
    """The same for files that belong together: none is renamed before all are written. Returns the last one's bytes."""
    targets = {Path(os.path.realpath(path)): segments for path, segments in files.items()}
    for target in targets:
        check_target(target, overwrite)
    written: dict[Path, Path] = {}
    size = 0
    try:
        for target, segments in targets.items():
            written[target] = target.with_name(f".pyquant-{secrets.token_hex(8)}.tmp")
            size = _write_new(written[target], segments)
        for target, temporary in written.items():
            if target.exists():
                shutil.copymode(target, temporary)
            os.replace(temporary, target)
    except OSError as error:
        raise FileError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)
    return size


def check_target(path: Path, overwrite: bool) -> None:
    """Raises FileExists unless overwrite; FileError where no file can be, or a folder, a device or a pipe is."""
    try:
        exists, is_file, has_folder = path.exists(), path.is_file(), path.parent.is_dir()
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}") from error
    if exists and not is_file:
        raise FileError(f"cannot write {path}: it is there, and is no file")
    if not has_folder:
        raise FileError(f"cannot write {path}: there is no folder {path.parent}")
    if exists and not overwrite:
        raise FileExists(f"{path} exists; pass overwrite=True to replace it")


def _write_new(path: Path, segments: Iterable[Any]) -> int:
    """Write a file through to the disk. Returns its size in bytes."""
    with open(path, "xb") as file:
        for segment in segments:
            view = memoryview(segment).cast("B")
            file.writelines(view[i : i + _PIECE] for i in range(0, len(view), _PIECE))
        file.flush()
        os.fsync(file.fileno())
        return file.tell()
