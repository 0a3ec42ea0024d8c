"""Opening refuses one scale and two zero points."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"found 2 zero points"
make = changed(*W, "quantization", scale=[1])
