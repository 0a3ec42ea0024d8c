"""Inspecting refuses instructions of which the last is not whole."""

import numpy as np

from attacks.making import for_device
from pyquant.errors import FormatError
from pyquant.wire import Record

inspecting = FormatError, r"found 17 bytes, expected a multiple of 16"
chunk = Record("InstructionBitstream", bitstream=np.zeros(17, np.uint8))
make = for_device(executables=lambda parts: [parts[0].replace(instruction_bitstreams=[chunk])])
