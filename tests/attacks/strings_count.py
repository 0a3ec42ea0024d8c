"""Opening refuses a buffer that holds another number of strings."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"strings in 8 bytes, expected 8"
make = changed(*W, type="STRING", quantization=None)
