"""The C library's elementary functions on arrays, as TFLite computes its lookup tables with them."""

from __future__ import annotations

import numpy as np

from pyquant.native._pq import ffi, lib


def libm(name: str, x: np.ndarray) -> np.ndarray:
    """y = name(x), element by element: expf, tanhf, ... on float32; exp, tanh, ... on float64; else KeyError.

    >>> libm("sqrtf", np.float32([4, 9])).tolist()
    [2.0, 3.0]
    """
    single = name.endswith("f") and name != "erf"
    kind, ctype = (np.float32, "float[]") if single else (np.float64, "double[]")
    call = lib.pq_libm_float if single else lib.pq_libm_double
    x = np.asarray(x, order="C")
    if x.dtype != kind:
        raise TypeError(f"{name} takes {np.dtype(kind).name}, got {x.dtype.name}")
    y = np.empty_like(x)
    if call(name.encode(), ffi.from_buffer(ctype, x), ffi.from_buffer(ctype, y), x.size) != 0:
        raise KeyError(f"no C library function {name!r} here")
    return y
