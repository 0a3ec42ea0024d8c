"""Turns the texts of this folder into pyquant/wire/schema.py: the part of the schema language that they use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

SOURCES = [Path(__file__).with_name(name) for name in ("tflite.fbs", "edgetpu.fbs")]
TARGET = Path(__file__).parent.parent / "pyquant" / "wire" / "schema.py"

HEADER = '''"""Wire formats of TFLite and the Edge TPU as plain data. Made from schema/*.fbs by schema/compile.py."""

from __future__ import annotations

from typing import Any

'''
SCALARS = ("bool", "byte", "ubyte", "short", "ushort", "int", "uint", "float", "long", "ulong", "double")
BLOCK = re.compile(r"(enum|union|struct|table)\s+(\w+)\s*(?::\s*(\w+))?\s*(?:\(deprecated\))?\s*\{(.*?)\}", re.DOTALL)
MEMBER = re.compile(r"(\w+)(?:\s*=\s*(-?\d+))?(?:\s*\(deprecated\))?")
FIELD = re.compile(r"(\w+)\s*:\s*(\[\w+\]|\w+)(?:\s*=\s*([\w.+-]+))?(?:\s*\((.*)\))?")


def blocks(text: str) -> dict[str, dict[str, tuple[str, list[str]]]]:
    """Kind -> name -> (underlying type, the member or field texts)."""
    found: dict[str, dict[str, tuple[str, list[str]]]] = {"enum": {}, "union": {}, "struct": {}, "table": {}}
    for kind, name, underlying, body in BLOCK.findall(re.sub(r"//[^\n]*", "", text)):
        parts = re.split(";" if kind in ("struct", "table") else ",", body)
        found[kind][name] = (underlying, [part.strip() for part in parts if part.strip()])
    return found


def members(texts: list[str]) -> dict[str, int]:
    """Enum members and their values; one without a value is one above the last."""
    values: dict[str, int] = {}
    following = 0
    for text in texts:
        name, value = match(MEMBER, text).groups()
        values[name] = int(value) if value else following
        following = values[name] + 1
    return values


def fields(texts: list[str], enums: dict[str, Any], unions: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Rows of (name, slot, type, default, alignment). A union's type code has the slot before its value's."""
    rows: list[tuple[Any, ...]] = []
    slot = 0
    for text in texts:
        name, kind, default, attributes = match(FIELD, text).groups()
        slot += kind in unions
        aligned = re.search(r"force_align:\s*(\d+)", attributes or "")
        alignment = int(aligned.group(1)) if aligned else 0
        rows.append((name, slot, kind, default_value(kind, default, enums), alignment))
        slot += 1
    return rows


def default_value(kind: str, text: str | None, enums: dict[str, Any]) -> Any:
    if kind in enums:
        return enums[kind][1].get(text, 0)
    if kind == "bool":
        return text == "true"
    if kind in ("float", "double"):
        return float(text or 0)
    return int(text or 0) if kind in SCALARS else None


def match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"cannot read {text!r}")
    return found


def text() -> str:
    return "".join(source.read_text() for source in SOURCES)


def render(text: str) -> str:
    """The source of pyquant/wire/schema.py for a schema text."""
    found = blocks(text)
    enums = {name: (kind, members(texts)) for name, (kind, texts) in found["enum"].items()}
    unions = {name: [match(MEMBER, t).group(1) for t in texts] for name, (_, texts) in found["union"].items()}
    tables = {name: fields(texts, enums, unions) for name, (_, texts) in found["table"].items()}
    return "".join(
        [
            HEADER,
            "# name -> (type, {member: value})\n",
            "ENUMS: dict[str, tuple[str, dict[str, int]]] = {\n",
            *(
                f'    "{name}": (\n        "{kind}",\n        {{\n'
                + "".join(f'            "{member}": {value},\n' for member, value in values.items())
                + "        },\n    ),\n"
                for name, (kind, values) in enums.items()
            ),
            "}\n\n# name -> members; the code of a member is its position, from 1\n",
            "UNIONS: dict[str, tuple[str, ...]] = {\n",
            *(
                f'    "{name}": (\n' + "".join(f'        "{member}",\n' for member in values) + "    ),\n"
                for name, values in unions.items()
            ),
            "}\n\n# name -> rows of (field, type)\n",
            "STRUCTS: dict[str, tuple[tuple[str, str], ...]] = {\n",
            *(
                f'    "{name}": {rows_text([match(FIELD, t).group(1, 2) for t in texts])},\n'
                for name, (_, texts) in found["struct"].items()
            ),
            "}\n\n# name -> rows of (field, slot, type, default, alignment)\n",
            "TABLES: dict[str, tuple[tuple[str, int, str, Any, int], ...]] = {\n",
            *(f'    "{name}": {rows_text(rows)},\n' for name, rows in tables.items()),
            "}\n",
        ]
    )


def rows_text(rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return "()"
    quoted = ["(" + ", ".join(f'"{v}"' if isinstance(v, str) else repr(v) for v in row) + ")" for row in rows]
    if len(quoted) == 1:
        return f"({quoted[0]},)"
    return "(\n" + "".join(f"        {row},\n" for row in quoted) + "    )"


if __name__ == "__main__":
    TARGET.write_text(render(text()))
