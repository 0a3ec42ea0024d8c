from collections.abc import Mapping
from typing import Any

import numpy as np

from pyquant.wire.record import Record

def decode(
    data: np.ndarray,
    root: str,
    schema: Mapping[str, Any],
    forms: Mapping[str, Any],
    outside: Mapping[str, tuple[str, str, str]],
    record: type[Record],
    objects: Mapping[str, Any],
    budget: int,
    table_cost: int,
    vtable_cost: int,
    /,
) -> tuple[Record, int] | None: ...
