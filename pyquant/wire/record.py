"""One table of the wire format as a value: what decode makes and encode writes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from pyquant.errors import RangeError
from pyquant.wire.layout import Field, fields
from pyquant.wire.schema import TABLES

# What a record may hold beside its fields: what the file has and the schema does not; bytes after the flatbuffer;
# whether data lay there, which is layout, not content.
NOTES: dict[str, Any] = {"newer": (), "trailing": None, "outside": False}


class Record:
    """A flatbuffer table whose fields are attributes. A field that is absent reads as its schema default.

    Enum fields are ints and take names; a union holds the Record of its member; number vectors are arrays.
    A record that a newer schema wrote lists what this one cannot keep in `newer`; encode refuses it.

    >>> options = Record("Conv2DOptions", padding="VALID", stride_w=2)
    >>> options.padding, options.stride_w, options.dilation_w_factor
    (1, 2, 1)
    """

    __slots__ = ("fields", "table")
    table: str
    fields: dict[str, Any]  # those that are present, none of them None

    def __init__(self, table: str, /, **values: Any) -> None:
        fields(table)  # that there is such a table
        _set_table(self, table)
        _set_fields(self, {})
        for name, value in values.items():
            setattr(self, name, value)

    @staticmethod
    def of(table: str, values: dict[str, Any]) -> Record:
        """A record of values that are already in the form that fields hold. It keeps the dict."""
        record = _new(Record)
        _set_table(record, table)
        _set_fields(record, values)
        return record  # type: ignore[no-any-return]

    def replace(self, **values: Any) -> Record:
        """A copy with some fields changed; None makes one absent."""
        copy = Record.of(self.table, dict(self.fields))
        for name, value in values.items():
            setattr(copy, name, value)
        return copy

    def __getattr__(self, name: str) -> Any:
        """The first read of a name: the next go by a property, many times faster. Raises AttributeError."""
        default = _default(self.table, name)
        setattr(Record, name, property(_reader(name)))
        return self.fields.get(name, default)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in NOTES:
            value = _normal(self.table, self._field(name), value)
        if value is None:
            self.fields.pop(name, None)
        else:
            self.fields[name] = value

    def _field(self, name: str) -> Field:
        field = fields(self.table).get(name)
        if field is None:
            raise AttributeError(f"{self.table} has no field {name!r}")
        return field

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        names = (self.fields.keys() | other.fields.keys()) - {"outside"}
        return self.table == other.table and all(_same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = "".join(f", {name}={value!r}" for name, value in self.fields.items())
        return f"Record({self.table!r}{values})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Record.of, (self.table, self.fields)


_new: Any = object.__new__
_set_table: Any = Record.__dict__["table"].__set__  # past __setattr__, which is for fields of the table
_set_fields: Any = Record.__dict__["fields"].__set__


def _reader(name: str) -> Callable[[Record], Any]:
    defaults = _Defaults(name)

    def read(record: Record) -> Any:
        value = record.fields.get(name)
        return defaults[record.table] if value is None else value

    return read


class _Defaults(dict[str, Any]):
    """The default of a name, by table."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __missing__(self, table: str) -> Any:
        return self.setdefault(table, _default(table, self.name))


def _default(table: str, name: str) -> Any:
    if name in NOTES:
        return NOTES[name]
    for row in TABLES[table]:
        if row[0] == name:
            return row[3]
    raise AttributeError(f"{table} has no field {name!r}")


def _same(a: Any, b: Any) -> bool:
    """Equality by content: arrays and floats bit for bit, so that a NaN equals itself and -0.0 is not 0.0."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a.view(np.uint8), b.view(np.uint8))
    if isinstance(a, float) and isinstance(b, float):
        return repr(a) == repr(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and bool(a == b)


def _normal(table: str, field: Field, value: Any) -> Any:
    """The form in which a field holds a value. Raises RangeError for one that the field cannot hold."""
    if value is None:
        return None
    try:
        return _FORMS[field.kind](field, value)
    except (struct.error, ValueError, TypeError, OverflowError, KeyError) as error:
        names = f"one of {', '.join(field.enum)}" if field.enum else field.target or field.kind
        raise RangeError(f"{table}.{field.name}: {value!r} is not {names}") from error


def _scalar(field: Field, value: Any) -> Any:
    number = field.enum[value] if isinstance(value, str) else value
    return struct.unpack(field.format, struct.pack(field.format, number))[0]


def _string(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _strings(field: Field, value: Any) -> list[np.ndarray]:
    return [np.frombuffer(bytes(item), np.uint8) for item in value]


def _numbers(field: Field, value: Any) -> np.ndarray:
    given = np.asarray([field.enum[v] if isinstance(v, str) else v for v in value] if field.enum else value)
    made = np.ascontiguousarray(given.astype(field.dtype, copy=False))
    if made.ndim != 1 or (made.dtype.kind != "f" and not np.array_equal(made, given)):
        raise ValueError
    return made


def _record(field: Field, value: Any) -> Record:
    if value.table not in field.accepts:
        raise ValueError
    return value  # type: ignore[no-any-return]


def _records(field: Field, value: Any) -> list[Record]:
    return [_record(field, item) for item in value]


_FORMS = {
    "scalar": _scalar,
    "string": _string,
    "strings": _strings,
    "numbers": _numbers,
    "table": _record,
    "tables": _records,
    "union": _record,
}
