"""Options of custom operators: a FlexBuffers map, read field by field and checked, as files are not to be trusted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pyquant.errors import GraphError
from pyquant.graph import Node
from pyquant.ops.operator import Call

MOST_ITEMS = 100  # of a list, or a map


def flex_options(call: Call, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a node as its operator sees it."""
    return flex_fields(call.node, defaults)


def flex_fields(node: Node, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `defaults` names, each of the type of its default: bool, int, float, bytes (of a string) or list.

    A list has whole numbers, or the bytes of strings. A default of a type (int, float, bytes) stands for a field of it
    that must be there. Raises GraphError for other content.
    """
    from flatbuffers import flexbuffers

    raw = b"" if node.custom_options is None else node.custom_options.tobytes()
    found = {}
    try:
        values = _values(flexbuffers.GetRoot(raw).AsMap, defaults) if raw else {}
        for name, default in defaults.items():
            kind = default if isinstance(default, type) else type(default)
            value = values.get(name)
            if value is None and kind is default:
                raise GraphError(f"{node.label}: its options have no {name!r}")
            found[name] = default if value is None else _as(kind, value, len(raw))
    except GraphError:
        raise
    except Exception as error:  # whatever the reader meets in bytes that are no map
        raise GraphError(f"{node.label}: its options are no FlexBuffers map: {error}") from error
    return found


def _values(fields: Any, names: Collection[str]) -> dict[str, Any]:
    """The fields of these names. One look at each key: the package copies all that follows it to find its end."""
    if len(fields) > MOST_ITEMS:
        raise ValueError(f"found {len(fields)} fields, expected {MOST_ITEMS} at most")
    wanted, keys = {name.encode(): name for name in names}, fields.Keys
    found = ((i, wanted.get(bytes(keys[i].AsKeyBytes))) for i in range(len(fields)))
    return {name: fields[i] for i, name in found if name is not None}


def _as(kind: type, value: Any, most: int) -> Any:
    """most: bytes of a list's strings, which may share theirs."""
    if kind is float:
        return float(value.AsFloat)
    if kind is bytes:
        return _text(value)
    if kind is list:
        return _items(value, most)
    return bool(value.AsBool) if kind is bool else int(value.AsInt)


def _text(value: Any) -> bytes:
    return bytes(value.AsStringBytes)


def _items(value: Any, most: int) -> list[Any]:
    items = value.AsTypedVector if value.IsTypedVector else value.AsVector
    if len(items) > MOST_ITEMS:
        raise ValueError(f"found a list of {len(items)} items, expected {MOST_ITEMS} at most")
    found: list[Any] = []
    for i in range(len(items)):
        found.append(_text(items[i]) if items[i].IsString else int(items[i].AsInt))
        most -= len(found[-1]) if items[i].IsString else 0
        if most < 0:
            raise ValueError("strings share so many bytes that they are larger than all options")
    return found
