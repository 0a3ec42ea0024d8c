"""Opening refuses three scales for two channels."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"found 3 scales"
make = changed(*W, "quantization", scale=[1, 2, 3])
