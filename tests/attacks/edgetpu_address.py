"""Inspecting refuses an address that is written behind the instructions."""

import numpy as np

from attacks.making import for_device
from pyquant.errors import FormatError
from pyquant.wire import Record

inspecting = FormatError, r"an address at bit 97 is not inside their 16 bytes"
chunk = Record(
    "InstructionBitstream", bitstream=np.zeros(16, np.uint8), field_offsets=[Record("FieldOffset", offset_bit=97)]
)
make = for_device(executables=lambda parts: [parts[0].replace(instruction_bitstreams=[chunk])])
