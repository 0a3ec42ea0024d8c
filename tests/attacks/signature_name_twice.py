"""Opening refuses two inputs of a signature with one name."""

from attacks.making import signed
from pyquant.errors import GraphError
from pyquant.wire import Record

opening = GraphError, r"'in' twice"
make = signed(inputs=[Record("TensorMap", name="in", tensor_index=0)] * 2)
