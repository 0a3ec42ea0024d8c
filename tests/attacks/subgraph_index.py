"""Opening refuses a branch that is not there."""

from attacks.making import indexed
from pyquant.errors import FormatError
from pyquant.wire import Record

opening = FormatError, r"then_subgraph_index"
make = indexed(builtin_options=Record("IfOptions", then_subgraph_index=3))
