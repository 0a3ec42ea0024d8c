"""Bytes <-> records: round trips, an independent reader, hostile files, and writing whole or not at all."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import gc
import os
import pickle
import struct
import weakref
from pathlib import Path
from typing import Any
from unittest import mock

import flatbuffers
import numpy as np
import pytest
import reader
from attacks.making import sound
from fuzz.seeds import seeds
from fuzz.worker import file as mutated_file
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import records

from pyquant import graph
from pyquant.dtypes import DType
from pyquant.errors import FileError, FileExists, FormatError, GraphError, RangeError
from pyquant.graph import convert
from pyquant.wire import Record, _decode, decode, encode, file
from pyquant.wire.schema import UNIONS

OPTIONS = UNIONS["BuiltinOptions"] + UNIONS["BuiltinOptions2"]


def joined(record: Record, **options: Any) -> bytes:
    return b"".join(encode(record, **options))


@given(records("Model"))
@settings(max_examples=200, deadline=None)
def test_any_model_is_read_as_it_was_written(model: Record) -> None:
    data = joined(model)
    assert decode(data) == model
    assert reader.read(data) == model
    assert joined(decode(data)) == data


@pytest.mark.parametrize("table", ["Package", "MultiExecutable", "Executable", "LegacyExecutable"])
@given(chosen=st.data())
@settings(max_examples=30, deadline=None)
def test_what_is_compiled_for_the_edge_tpu_is_read_as_it_was_written(table: str, chosen: st.DataObject) -> None:
    record = chosen.draw(records(table))
    assert decode(joined(record), table) == record


@pytest.mark.parametrize("table", OPTIONS)
@given(chosen=st.data())
@settings(max_examples=5, deadline=None)
def test_all_options_are_read_as_they_were_written(table: str, chosen: st.DataObject) -> None:
    options = chosen.draw(records(table))
    union = "builtin_options" if table in UNIONS["BuiltinOptions"] else "builtin_options_2"
    operator = Record("Operator", **{union: options})
    model = Record("Model", subgraphs=[Record("SubGraph", operators=[operator])])
    data = joined(model)
    assert decode(data) == model
    assert reader.read(data) == model


def test_equal_records_give_equal_bytes() -> None:
    one = Record("Model", version=3, description="d", buffers=[Record("Buffer")])
    other = Record("Model", buffers=[Record("Buffer", offset=0)], description="d", version=3)
    assert one == other
    assert joined(one) == joined(other)


def test_buffers_are_aligned_and_shared_with_the_file() -> None:
    arrays = [np.arange(n, dtype=np.uint8) for n in (1, 16, 33)]
    data = joined(Record("Model", buffers=[Record("Buffer", data=a) for a in arrays]))
    for i, found in enumerate(decode(data).buffers):
        position = reader.place(data, "buffers", i, "data")
        assert (position + struct.unpack_from("<I", data, position)[0] + 4) % 16 == 0
        assert np.array_equal(found.data, arrays[i])
        assert not found.data.flags.writeable
        assert np.shares_memory(found.data, np.frombuffer(data, np.uint8))


def test_encode_shares_the_arrays() -> None:
    weights = np.zeros(1 << 16, np.uint8)
    segments = encode(Record("Model", buffers=[Record("Buffer", data=weights)]))
    assert any(np.shares_memory(np.frombuffer(s, np.uint8), weights) for s in segments if len(s))


def test_nothing_stays_behind_until_garbage_is_collected(tmp_path: Path) -> None:
    """A file's map, and what was written, go with the last that refers to them."""
    path = tmp_path / "model.tflite"
    path.write_bytes(sound())
    view = file.read(path)
    held: list[Any] = [weakref.ref(view.obj)]
    gc.disable()
    try:
        record = decode(view)
        array = np.zeros(64, np.uint8)
        held.append(weakref.ref(array))
        encode(Record("Model", buffers=[Record("Buffer", data=array)]))
        del view, record, array
        assert [reference() for reference in held] == [None, None]
    finally:
        gc.enable()


def test_data_goes_outside_a_flatbuffer_that_is_too_large() -> None:
    operator = Record("Operator", custom_options=np.arange(50, dtype=np.uint8))
    buffers = [Record("Buffer"), Record("Buffer", data=np.arange(200, dtype=np.uint8))]
    model = Record("Model", subgraphs=[Record("SubGraph", operators=[operator])], buffers=buffers)
    data = joined(model, limit=300)
    outside = reader.read(data)
    assert outside.buffers[1].data is None
    assert outside.buffers[1].offset % 16 == 0
    assert outside.buffers[1].size == 200
    assert outside.subgraphs[0].operators[0].large_custom_options_size == 50
    assert decode(data) == model
    assert joined(decode(data)) == joined(model)
    with pytest.raises(FormatError, match="tables alone"):
        encode(model, limit=100)


def test_bytes_behind_the_flatbuffer_stay_there() -> None:
    model = decode(sound() + b"PK archive")
    assert bytes(model.trailing) == b"PK archive"
    assert joined(model) == sound() + b"PK archive"
    assert decode(sound() + bytes(5)) == decode(sound())


def test_a_name_that_is_not_utf8_keeps_its_bytes() -> None:
    data = sound().replace(b"sound", b"\xffound")
    assert joined(decode(data)) == data
    assert "\\udcff" in str(graph.load(data))


def test_parts_of_a_newer_schema_are_noted_and_not_dropped() -> None:
    builder = flatbuffers.Builder()
    builder.StartObject(40)
    builder.PrependInt32Slot(39, 7, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    model = decode(builder.Output())
    assert model.newer == ("slot 39",)
    with pytest.raises(FormatError, match=r"Model holds slot 39 of a newer schema"):
        encode(model)
    with pytest.raises(FormatError, match=r"slot 39"):
        graph.dump(graph.load(builder.Output()))


def test_an_unknown_union_member_is_noted() -> None:
    data = bytearray(sound())
    data[reader.place(sound(), "subgraphs", 0, "operators", 0, "builtin_options_type")] = 200
    model = decode(data)
    assert model.subgraphs[0].operators[0].newer == ("builtin_options member 200",)
    with pytest.raises(FormatError, match="Operator holds builtin_options member 200"):
        graph.dump(graph.load(data))


def test_damaged_files_open_or_raise_our_errors() -> None:
    """Every prefix of a sound file, and every byte of it changed in five ways."""
    data = sound()
    damaged = [data[:n] for n in range(len(data))]
    for i, byte in enumerate(data):
        damaged += [data[:i] + bytes([new]) + data[i + 1 :] for new in {0, 1, 0x7F, 0xFF, byte ^ 0x80} - {byte}]
    opened = 0
    for case in damaged:
        with contextlib.suppress(FormatError, GraphError):
            model = graph.load(case)
            opened += 1
            str(model)
            assert decode(graph.dump(model)) == decode(case)
    assert 0 < opened < len(damaged)


def alike(a: Any, b: Any) -> bool:
    """Whether two decoders made the same: types, order of fields, and where arrays lie."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Record):
        return a.table == b.table and list(a.fields) == list(b.fields) and all(map(alike, *map(_values, (a, b))))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, np.ndarray):
        place = [array.__array_interface__ | ({} if array.size else {"data": None}) for array in (a, b)]
        return place[0] == place[1] and a.dtype == b.dtype and str(a.flags) == str(b.flags)
    return repr(a) == repr(b)


def _values(record: Record) -> list[Any]:
    """A record's values; of bytes behind the flatbuffer, which may be a copy, what they are."""
    return [value.tobytes() if name == "trailing" else value for name, value in record.fields.items()]


def decoded(data: Any, by: Any, root: str = "Model") -> Record | str:
    """The record that one decoder makes of bytes, or what it says is wrong."""
    with mock.patch.object(_decode, "decode", by):
        try:
            return decode(data, root)
        except FormatError as error:
            return str(error)


def agree(data: Any, root: str = "Model") -> bool:
    """Check that C and Python make the same of bytes. Returns whether C did not give up."""
    found: list[Any] = []

    def in_c(*arguments: Any) -> Any:
        found.append(made_in_c(*arguments))
        return found[0]

    made_in_c = _decode.decode
    record, expected = decoded(data, in_c, root), decoded(data, lambda *_: None, root)
    taken = bool(found) and found[0] is not None
    assert not taken or alike(record, expected)
    if root == "Model":
        assert opened(data, made_in_c) == opened(data, lambda *_: None)
    return taken


def opened(data: Any, by: Any) -> Any:
    """All that is in the model of a file, or what is wrong, as one decoder has it."""
    with mock.patch.object(_decode, "decode", by):
        try:
            return plain(convert.read(data), {})
        except FormatError as error:
            return str(error)


def plain(value: Any, seen: dict[int, int]) -> Any:
    """What an object holds, and of what was seen already that it is the same object."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, Record):
        return value.table, [(name, plain(item, seen)) for name, item in sorted(value.fields.items())]
    if isinstance(value, dict):
        return [(name, plain(item, seen)) for name, item in sorted(value.items())]
    if isinstance(value, (list, tuple)):
        return type(value), [plain(item, seen) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, DType):
        return repr(value)
    if id(value) in seen:
        return seen[id(value)]
    seen[id(value)] = len(seen)
    return type(value), [(f.name, plain(getattr(value, f.name), seen)) for f in dataclasses.fields(value)]


def test_both_decoders_read_files_alike(data_folder: Path) -> None:
    paths = sorted(data_folder.rglob("*.tflite"))
    given_up = [path.stem for path in paths if not agree(file.read(path))]
    assert len(given_up) < max(1, len(paths) // 50), given_up  # those with data outside the flatbuffer


def test_both_decoders_read_damaged_files_alike() -> None:
    data = sound()
    changes = [data[:i] + bytes([new]) + data[i + 1 :] for i in range(len(data)) for new in (0, 1, 4, 0x7F, 0xFF)]
    taken = [agree(case) for case in [data[:n] for n in range(len(data))] + changes]
    assert 0 < sum(taken) < len(taken)


def test_both_decoders_read_mutated_files_alike() -> None:
    sources = seeds()
    taken = [agree(mutated_file(number, 7, sources)[1]) for number in range(2000)]
    assert 0 < sum(taken) < len(taken)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_both_decoders_read_any_record_alike(chosen: st.DataObject) -> None:
    table = chosen.draw(st.sampled_from(("Model", "Package", "Executable", "LegacyExecutable", "LutMetadata")))
    data = joined(chosen.draw(records(table)))
    agree(data, table)
    at, new = chosen.draw(st.integers(0, len(data) - 1)), chosen.draw(st.integers(0, 255))
    agree(data[:at] + bytes([new]) + data[at + 1 :], table)


def test_record() -> None:
    options = Record("Conv2DOptions", padding="VALID", stride_w=np.int64(2))
    assert (options.padding, options.stride_w, options.dilation_w_factor) == (1, 2, 1)
    assert options == Record("Conv2DOptions", padding=1, stride_w=2, stride_h=0)
    assert options.replace(padding="SAME") == Record("Conv2DOptions", stride_w=2)
    assert options.replace(stride_w=None).stride_w == 0
    assert copy.deepcopy(options) == pickle.loads(pickle.dumps(options)) == options
    assert Record("SoftmaxOptions", beta=0.1).beta == np.float32(0.1)
    assert Record("SoftmaxOptions", beta=-0.0) != Record("SoftmaxOptions")
    assert Record("ReshapeOptions", new_shape=[1, -1]).new_shape.dtype == np.int32
    assert Record("ReshapeOptions", new_shape=[]) != Record("ReshapeOptions")


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("Conv2DOptions", "padding", "FULL"),
        ("Conv2DOptions", "padding", 128),
        ("Conv2DOptions", "stride_w", 1.5),
        ("Buffer", "data", [256]),
        ("Buffer", "data", [[1]]),
        ("Tensor", "name", b"x"),
        ("Tensor", "quantization", Record("Buffer")),
        ("Operator", "builtin_options", Record("Buffer")),
        ("SoftmaxOptions", "beta", 1e300),
    ],
)
def test_record_refuses_what_a_field_cannot_hold(table: str, field: str, value: Any) -> None:
    with pytest.raises(RangeError, match=f"{table}.{field}"):
        Record(table, **{field: value})


def test_record_refuses_unknown_names() -> None:
    with pytest.raises(AttributeError, match="no field 'color'"):
        Record("Buffer", color=1)
    with pytest.raises(AttributeError, match="no field 'color'"):
        _ = Record("Buffer").color
    with pytest.raises(KeyError, match="no table 'Bag'"):
        Record("Bag")


def test_write_is_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model.tflite"
    assert file.write(target, [b"ab", b"c"]) == 3
    with pytest.raises(FileExists):
        file.write(target, [b"d"])

    def broken() -> Any:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match="No space left"):
        file.write(target, broken(), overwrite=True)
    assert target.read_bytes() == b"abc"
    assert list(tmp_path.iterdir()) == [target]


def test_only_files_are_written_over_and_keep_who_may_read_them(tmp_path: Path) -> None:
    target, pipe = tmp_path / "model.tflite", tmp_path / "pipe"
    target.write_bytes(b"a")
    target.chmod(0o600)
    file.write(target, [b"b"], overwrite=True)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"b", 0o600)
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(FileError, match="is no file"):
            file.write(path, [b"c"], overwrite=True)
    with pytest.raises(FileError, match="there is no folder"):
        file.write(tmp_path / "absent" / "model.tflite", [b"c"])
    assert pipe.is_fifo()


def test_a_mapped_file_may_be_written_over(tmp_path: Path) -> None:
    target = tmp_path / "model.tflite"
    target.write_bytes(sound())
    model = graph.open(target)
    model.description = "changed"
    model.save(target, overwrite=True)
    assert np.array_equal(model.main.tensors[1].data, np.arange(8).reshape(2, 4))
    assert graph.open(target).description == "changed"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(FileError, match="No such file"):
        graph.open(tmp_path / "absent")
    with pytest.raises(FormatError, match="empty"):
        graph.open(tmp_path / "empty")
    with pytest.raises(FileError):
        file.write(tmp_path / "no" / "folder", [b""])
