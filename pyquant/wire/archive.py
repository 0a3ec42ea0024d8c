"""The ZIP of associated files that may follow a flatbuffer. Its offsets count from the start of the whole file."""

from __future__ import annotations

import struct

import numpy as np

_END = struct.Struct("<4s4H2IH")  # signature, disks, entries, size and offset of the directory, length of the comment
_ENTRY_SIZE, _OFFSET_AT, _LENGTHS_AT = 46, 42, 28
_LENGTHS = struct.Struct("<3H")  # of name, extra field and comment
_LONGEST_COMMENT = 65535


def rebased(data: np.ndarray, start: int) -> np.ndarray:
    """The bytes that follow a flatbuffer, a ZIP's offsets as of a file in which they begin at byte `start`.

    data: (n,) uint8. Whatever is not a sound ZIP of below 4 GiB comes back as it is.
    """
    tail = data[-_END.size - _LONGEST_COMMENT :].tobytes()
    found = tail.rfind(b"PK\5\6")
    if found < 0 or len(tail) - found < _END.size:
        return data
    end = data.size - len(tail) + found
    _, _, _, _, entries, size, offset, _ = _END.unpack_from(tail, found)
    directory = end - size
    shift = directory - offset + start  # where the file begins, seen from where offsets count now
    if directory < 0 or not shift:
        return data
    moved = bytearray(data.tobytes())
    at = directory
    for _ in range(entries):
        if at + _ENTRY_SIZE > end or moved[at : at + 4] != b"PK\1\2" or not _add(moved, at + _OFFSET_AT, shift):
            return data
        at += _ENTRY_SIZE + sum(_LENGTHS.unpack_from(moved, at + _LENGTHS_AT))
    return np.frombuffer(moved, np.uint8) if _add(moved, end + 16, shift) else data


def _add(data: bytearray, at: int, shift: int) -> bool:
    """Move the offset that stands at a byte. False where it would leave 32 bits."""
    value = int.from_bytes(data[at : at + 4], "little") + shift
    if not 0 <= value < 2**32 - 1:
        return False
    data[at : at + 4] = value.to_bytes(4, "little")
    return True
