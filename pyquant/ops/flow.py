"""State and control flow: variables by name, subgraphs that run once, by choice or again and again, composites."""

from __future__ import annotations

import numpy as np

from pyquant.errors import GraphError
from pyquant.ops.kinds import EVERY_TYPE
from pyquant.ops.operator import Call, Kernel, Launch, Operator, Shape, Slot
from pyquant.ops.registry import register

COPY_BLOCK = 1 << 16  # bytes that one unit of a copy moves
ANYTHING = (Slot("x", role="any", optional=True, variadic=True),)
RESULTS = (Slot("y", role="any", variadic=True),)


def declared(call: Call, *_shapes: Shape | None) -> list[Shape]:
    return [t.shape for t in call.node.outputs]


def read_shape(call: Call, variable: Shape) -> list[Shape]:
    return [variable]


def assigned(call: Call, variable: Shape, value: Shape) -> list[Shape]:
    if (variable, call["variable"].dtype) != (value, call["value"].dtype):
        found = f"{call['value'].dtype} {value}"
        raise GraphError(f"{call.label}: the variable holds {call['variable'].dtype} {variable}, found {found}")
    return []


def read(call: Call, variable: np.ndarray) -> np.ndarray:
    return variable.copy()


def assign(call: Call, variable: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, ...]:
    """Changes the variable in place."""
    variable[...] = value
    return ()


def copied(call: Call) -> Launch | None:
    """One unit is one block of bytes of the variable."""
    variable = call["variable"]
    assert variable.dtype.numpy is not None
    size = variable.size * variable.dtype.numpy.itemsize
    return Launch(-(-size // COPY_BLOCK), {"bytes": size, "block": COPY_BLOCK}, COPY_BLOCK // 16)


# The compiler gives READ_VARIABLE and ASSIGN_VARIABLE the variable's own tensor in the place of its handle.
VARIABLE = Slot("variable", role="variable")

VAR_HANDLE = register(
    Operator("VAR_HANDLE", (), (Slot("y", role="any"),), declared, {}, options="VarHandleOptions", flow="handle")
)

READ_VARIABLE = register(
    Operator(
        "READ_VARIABLE",
        options="ReadVariableOptions",
        inputs=(VARIABLE,),
        outputs=(Slot("y"),),
        shape=read_shape,
        reference=dict.fromkeys(EVERY_TYPE, read),
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("copy_u8", "pq_copy", copied)),
        pure=False,
    )
)

ASSIGN_VARIABLE = register(
    Operator(
        "ASSIGN_VARIABLE",
        options="AssignVariableOptions",
        inputs=(VARIABLE, Slot("value")),
        outputs=(),
        shape=assigned,
        reference=dict.fromkeys(EVERY_TYPE, assign),
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("assign_u8", "pq_copy", copied)),
        pure=False,
    )
)

CALL_ONCE = register(Operator("CALL_ONCE", (), (), declared, {}, options="CallOnceOptions", flow="once", pure=False))

IF = register(
    Operator(
        "IF", (Slot("condition", role="any"), *ANYTHING), RESULTS, declared, {}, options="IfOptions", flow="branch"
    )
)

WHILE = register(Operator("WHILE", ANYTHING, RESULTS, declared, {}, options="WhileOptions", flow="loop"))

STABLEHLO_COMPOSITE = register(
    Operator("STABLEHLO_COMPOSITE", ANYTHING, RESULTS, declared, {}, options="StableHLOCompositeOptions", flow="inline")
)
