"""What a file may hold beside its graph: associated files, and parts of a newer schema."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from networks import network

import pyquant as pq
from pyquant import graph
from pyquant.errors import FormatError
from pyquant.graph import Model
from pyquant.wire import Record, encode

LABELS = {"labels.txt": b"yes\nno\n", "vocabulary/words.txt": b"one two three"}


def unpacked(data: bytes) -> dict[str, bytes]:
    """As a reader does that takes the whole file for a ZIP and trusts the offsets in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert all(data[e.header_offset :].startswith(b"PK\3\4") for e in archive.infolist())
        end = data.rindex(b"PK\5\6")
        (directory,) = struct.unpack_from("<I", data, end + 16)
        assert data[directory:].startswith(b"PK\1\2")
        return {name: archive.read(name) for name in archive.namelist()}


def test_associated_files_follow_the_model(tmp_path: Path) -> None:
    model = pq.with_associated_files(network(), LABELS)
    model.save(tmp_path / "model.tflite")
    data = (tmp_path / "model.tflite").read_bytes()
    assert unpacked(data) == LABELS
    opened = pq.open(tmp_path / "model.tflite")
    assert pq.associated_files(opened) == LABELS
    assert graph.dump(opened) == data
    shorter = pq.strip(opened, metadata=False)
    assert unpacked(graph.dump(shorter)) == LABELS
    assert len(graph.dump(shorter)) < len(data)
    assert pq.associated_files(pq.with_associated_files(opened, {})) == {}
    assert pq.associated_files(network()) == {}


def test_real_associated_files_keep_their_place(data_folder: Path) -> None:
    found = 0
    for path in sorted(data_folder.rglob("*mobilenet*.tflite")):
        model = pq.open(path)
        files = pq.associated_files(model)
        if files:
            assert unpacked(graph.dump(pq.dedupe(model))) == files
            found += 1
    assert found >= 5


def trailing(data: bytes) -> Model:
    model = network()
    model.extra["trailing"] = np.frombuffer(data, np.uint8)
    return model


def test_hostile_archives_are_refused() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 25))
    with pytest.raises(FormatError, match="would unpack to 33554432"):
        pq.associated_files(trailing(bomb.getvalue()))
    with pytest.raises(FormatError, match="not a sound ZIP"):
        pq.associated_files(trailing(b"PK\5\6" + bytes([255] * 18)))
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("labels", b"yes")
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole.getvalue())
        data[rng.integers(len(data))] = rng.integers(256)
        model = graph.load(graph.dump(trailing(bytes(data))))
        try:
            pq.associated_files(model)
        except FormatError:
            continue


def newer_file() -> bytes:
    """A file with a field behind the last that our schema has for models: its vtable has more slots than ours."""
    data = bytearray(b"".join(encode(Record("Model", description="d", version=3))))
    root = struct.unpack_from("<I", data)[0]
    vtable = root - struct.unpack_from("<i", data, root)[0]
    size, inline = struct.unpack_from("<HH", data, vtable)
    slots = data[vtable + 4 : vtable + size]
    table = data[root : root + inline]
    description = root + struct.unpack_from("<H", slots, 6)[0]
    target = description + struct.unpack_from("<I", data, description)[0]
    length = struct.unpack_from("<I", data, target)[0]
    text = data[target : target + 4 + length + 1]
    made = bytearray(struct.pack("<I4s", 0, b"TFL3"))
    wide = slots.ljust(40, b"\0") + struct.pack("<H", inline)
    new_vtable = len(made)
    made += struct.pack("<HH", 4 + len(wide), inline + 4) + wide
    made += bytes(-len(made) % 4)
    new_root = len(made)
    made += struct.pack("<i", new_root - new_vtable) + table[4:] + struct.pack("<I", 7)
    struct.pack_into("<I", made, 0, new_root)
    struct.pack_into("<I", made, new_root + description - root, len(made) - (new_root + description - root))
    return bytes(made + text + bytes(-len(text) % 4))


def test_what_is_newer_is_told_and_dropped_only_when_told(tmp_path: Path) -> None:
    model = graph.load(newer_file())
    (warning,) = model.warnings
    assert (warning.path, warning.what.split(" is ")[0]) == ("model", "slot 20")
    with pytest.raises(FormatError, match="slot 20 of a newer schema"):
        model.save(tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())
    model.save(tmp_path / "model.tflite", drop_newer=True)
    again = pq.open(tmp_path / "model.tflite")
    assert again.warnings == ()
    assert again.description == "d"
    assert len(model.warnings) == 1


def test_types_and_operators_of_a_newer_schema_survive() -> None:
    tensor = Record("Tensor", name="t", shape=[2], type=99)
    code = Record("OperatorCode", builtin_code=9999, deprecated_builtin_code=127)
    operator = Record("Operator", outputs=[0])
    subgraph = Record("SubGraph", tensors=[tensor], operators=[operator], outputs=[0])
    data = b"".join(encode(Record("Model", version=3, subgraphs=[subgraph], operator_codes=[code])))
    model = graph.load(data)
    assert (model.main.nodes[0].op, model.main.tensors[0].dtype.name) == ("BUILTIN_9999", "type_99")
    again = graph.load(graph.dump(model))
    assert (again.main.nodes[0].op, again.main.tensors[0].dtype.name) == ("BUILTIN_9999", "type_99")
