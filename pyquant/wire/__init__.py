"""Bytes <-> records: the `.tflite` wire format, and nothing of what the numbers mean."""

from pyquant.wire.decode import decode, decode_objects
from pyquant.wire.encode import encode
from pyquant.wire.newer import newer_parts, without_newer
from pyquant.wire.record import Record

__all__ = ["Record", "decode", "decode_objects", "encode", "newer_parts", "without_newer"]
