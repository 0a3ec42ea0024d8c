"""Options of custom operators: a FlexBuffers map, read field by field and checked, as files are not to be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flatbuffers import flexbuffers

from pyquant.errors import GraphError
from pyquant.ops.operator import Call


def flex_options(call: Call, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `defaults` names, each of the type of its default.

    A default of a type (int, float) stands for a field of it that must be there. Raises GraphError for other content.
    """
    raw = b"" if call.node.custom_options is None else call.node.custom_options.tobytes()
    found = {}
    try:
        fields = flexbuffers.GetRoot(raw).AsMap if raw else {}
        for name, default in defaults.items():
            kind = default if isinstance(default, type) else type(default)
            value = fields[name] if raw and name in _keys(fields) else None
            if value is None and kind is default:
                raise GraphError(f"{call.label}: its options have no {name!r}")
            found[name] = default if value is None else _as(kind, value)
    except GraphError:
        raise
    except Exception as error:  # whatever the reader meets in bytes that are no map
        raise GraphError(f"{call.label}: its options are no FlexBuffers map: {error}") from error
    return found


def _keys(fields: Any) -> set[str]:
    if len(fields) > 1000:
        raise ValueError(f"found {len(fields)} fields")
    return {key.AsKey.decode() if isinstance(key.AsKey, bytes) else str(key.AsKey) for key in fields.Keys}


def _as(kind: type, value: Any) -> Any:
    if kind is float:
        return float(value.AsFloat)
    return bool(value.AsBool) if kind is bool else int(value.AsInt)
