"""Bytes <-> records: the `.tflite` wire format, and nothing of what the numbers mean."""

from pyquant.wire.decode import decode
from pyquant.wire.encode import encode
from pyquant.wire.record import Record

__all__ = ["Record", "decode", "encode"]
