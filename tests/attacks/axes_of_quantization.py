"""Opening refuses quantized dimensions that are not there."""

from attacks.making import W, changed
from pyquant.errors import GraphError
from pyquant.wire import Record

opening = GraphError, r"quantized_dimensions"
make = changed(
    *W, "quantization", details=Record("MultiAxisQuantization", scales=0, zero_points=-1, quantized_dimensions=[4])
)
