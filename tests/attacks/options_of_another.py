"""Compiling refuses options of another operator."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError
from pyquant.wire import Record

compiling = GraphError, r"Pool2DOptions, expected AddOptions"
make = single("ADD", Value((4,)), Value((4,)), output=Value((4,)), custom=Record("Pool2DOptions"))
