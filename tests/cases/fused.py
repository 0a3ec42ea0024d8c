"""Every fused activation of the operators whose other rows do not have them all."""

from dataclasses import replace

from cases.ends import firsts
from cases.varied import ACTIVATIONS

OPS = ("CONV_3D", "DIV", "L2_POOL_2D", "RNN", "SVDF", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_RNN")
CASES = [
    replace(
        case,
        id=f"{case.op.lower()}-{types}-{activation.lower()}",
        tolerance=10 * case.tolerance,  # of the greatest, which a bound makes small
        options={**case.options, "fused_activation_function": activation},
    )
    for types, case in firsts()
    for activation in ACTIVATIONS
    if case.op in OPS and (case.op, types) != ("SVDF", "int8")  # which takes but RELU
]
