"""Opening refuses a shape signature of another rank."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"shape_signature"
make = changed(*W, shape_signature=[2])
