"""Opening refuses a signature whose input is no input of its subgraph."""

from attacks.making import signed
from pyquant.errors import GraphError
from pyquant.wire import Record

opening = GraphError, r"'in' is 'w'"
make = signed(inputs=[Record("TensorMap", name="in", tensor_index=1)])
