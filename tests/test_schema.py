"""The checked-in schema tables: made from our schema text, and equal to what flatc reads there."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flatbuffers import encode, number_types
from flatbuffers.table import Table

from pyquant.wire.schema import ENUMS, STRUCTS, TABLES, UNIONS

SCHEMA = Path(__file__).parent.parent / "schema"
ROOTS = {
    "Model",
    "ConversionMetadata",
    "LutMetadata",
    "ModelMetadata",
    "Package",
    "MultiExecutable",
    "Executable",
    "LegacyExecutable",
}
FLATC = shutil.which("flatc") or shutil.which("flatc", path=str(Path(sys.executable).parent))
# reflection.BaseType of flatc's binary schemas
BASE_TYPES = (
    "none",
    "utype",
    "bool",
    "byte",
    "ubyte",
    "short",
    "ushort",
    "int",
    "uint",
    "long",
    "ulong",
    "float",
    "double",
)
STRING, VECTOR, TABLE, UNION = 13, 14, 15, 16


def test_tables_are_made_from_the_text() -> None:
    spec = importlib.util.spec_from_file_location("compile_schema", SCHEMA / "compile.py")
    assert spec is not None and spec.loader is not None
    compiler = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compiler)
    assert compiler.TARGET.read_text() == compiler.render(compiler.text()), "run python schema/compile.py"


def test_no_table_holds_itself() -> None:
    """So the depth of a file is bounded, and decode needs no limit of its own."""

    def below(table: str, above: tuple[str, ...]) -> None:
        assert table not in above
        for _, _, kind, _, _ in TABLES[table]:
            for target in UNIONS.get(kind, (kind.strip("[]"),)):
                if target in TABLES:
                    below(target, (*above, table))

    for root in ROOTS:
        below(root, ())


def test_every_table_is_used() -> None:
    kinds = {row[2].strip("[]") for rows in TABLES.values() for row in rows}
    used = kinds | {member for union in UNIONS.values() for member in union} | ROOTS
    assert set(TABLES) <= used
    assert set(UNIONS) <= kinds


@pytest.fixture(scope="module")
def flatc_schema(tmp_path_factory: pytest.TempPathFactory) -> Table:
    if FLATC is None:
        pytest.skip("flatc is not installed")
    out = tmp_path_factory.mktemp("flatc")
    both = out / "both.fbs"
    both.write_text("".join(f'include "{path.name}";\n' for path in SCHEMA.glob("*.fbs")))
    subprocess.run([FLATC, "-b", "--schema", "--bfbs-builtins", "-I", SCHEMA, "-o", out, both], check=True)
    data = both.with_suffix(".bfbs").read_bytes()
    return Table(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))


def test_enums_and_unions_equal_those_of_flatc(flatc_schema: Table) -> None:
    enums, unions = {}, {}
    for enum in children(flatc_schema, 1):
        values = {text(v, 0): number(v, 1, "long") for v in children(enum, 1)}
        if number(enum, 2, "bool"):
            unions[short(enum)] = tuple(sorted(values.keys() - {"NONE"}, key=values.__getitem__))
        else:
            enums[short(enum)] = (BASE_TYPES[number(child(enum, 3), 0, "byte")], values)
    assert enums == ENUMS
    assert unions == UNIONS


def test_tables_equal_those_of_flatc(flatc_schema: Table) -> None:
    objects = list(children(flatc_schema, 0))
    enums = list(children(flatc_schema, 1))
    found = {short(o): sorted(rows(o, objects, enums), key=lambda row: row[1]) for o in objects}
    structs = {short(o) for o in objects if number(o, 2, "bool")}
    assert {name: rows for name, rows in found.items() if name not in structs} == {
        name: list(table) for name, table in TABLES.items()
    }
    assert {name: [(row[0], row[2]) for row in found[name]] for name in structs} == {
        name: list(struct) for name, struct in STRUCTS.items()
    }


def rows(table: Table, objects: list[Table], enums: list[Table]) -> Iterator[tuple[Any, ...]]:
    """The fields of a reflected table in the form of our rows."""
    for field in children(table, 1):
        kind = child(field, 1)
        base, element, index = number(kind, 0, "byte"), number(kind, 1, "byte"), number(kind, 2, "int", -1)
        if base == 1 or element == 1:
            continue  # a union's type code, which our rows imply
        scalar = element if base == VECTOR else base
        name = BASE_TYPES[scalar] if scalar < len(BASE_TYPES) else "string"
        if index >= 0:
            name = short((objects if scalar == TABLE else enums)[index])
        whole, real = number(field, 4, "long"), number(field, 5, "double")
        default: Any = {"bool": bool(whole), "float": real}.get(name, whole) if base < STRING else None
        alignment = next((int(text(a, 1)) for a in children(field, 9) if text(a, 0) == "force_align"), 0)
        yield text(field, 0), number(field, 2, "ushort"), f"[{name}]" if base == VECTOR else name, default, alignment


# Reads of flatc's binary schema by slot number.


def short(table: Table) -> str:
    return text(table, 0).rpartition(".")[2]


def number(table: Table, slot: int, kind: str, default: Any = 0) -> Any:
    flags = {"bool": "Bool", "byte": "Int8", "int": "Int32", "long": "Int64", "double": "Float64", "ushort": "Uint16"}
    return table.GetSlot(4 + 2 * slot, default, getattr(number_types, flags[kind] + "Flags"))


def text(table: Table, slot: int) -> str:
    return table.String(table.Pos + table.Offset(4 + 2 * slot)).decode()


def child(table: Table, slot: int) -> Table:
    return Table(table.Bytes, table.Indirect(table.Pos + table.Offset(4 + 2 * slot)))


def children(table: Table, slot: int) -> Iterator[Table]:
    offset = table.Offset(4 + 2 * slot)
    for i in range(table.VectorLen(offset) if offset else 0):
        yield Table(table.Bytes, table.Indirect(table.Vector(offset) + 4 * i))
