"""Opening refuses blocks of -32 weights."""

from attacks.making import W, changed
from pyquant.errors import GraphError
from pyquant.wire import Record

opening = GraphError, r"blocks of -32"
make = changed(*W, "quantization", details=Record("BlockwiseQuantization", scales=0, block_size=-32))
