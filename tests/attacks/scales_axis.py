"""Opening refuses scales along a dimension that is not there."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"dimension 2"
make = changed(*W, "quantization", quantized_dimension=2)
