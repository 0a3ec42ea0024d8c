"""Opening refuses scales of blocks in a tensor that is not there."""

from attacks.making import W, changed
from pyquant.errors import FormatError
from pyquant.wire import Record

opening = FormatError, r"details.scales"
make = changed(*W, "quantization", details=Record("BlockwiseQuantization", scales=9))
