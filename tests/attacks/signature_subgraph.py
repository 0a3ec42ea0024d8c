"""Opening refuses a signature of a subgraph that is not there."""

from attacks.making import signed
from pyquant.errors import FormatError

opening = FormatError, r"subgraph_index"
make = signed(subgraph_index=3)
