"""Opening refuses int4 values that are not two to a byte."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"found a buffer of 8 bytes, expected 4"
make = changed(*W, type="INT4")
