"""Differences between models: none with itself, each kind found where it was planted, real files of several formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import pyquant as pq
from pyquant import graph
from pyquant.cli import main
from pyquant.dtypes import dtype
from pyquant.graph import Buffer, Model, OpCode, Quantization, Signature, Tensor
from pyquant.ops.build import add
from pyquant.see.diff_text import diff_text


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def paths(data_folder: Path) -> list[Path]:
    return sorted(data_folder.rglob("*.tflite"))


def test_a_file_is_the_same_as_itself(paths: list[Path]) -> None:
    for path in paths:
        model = pq.open(path)
        for other in (model, pq.open(path), graph.load(graph.dump(model))):
            found = pq.diff(model, other)
            assert found.differences == () and found.same, path
            assert str(found) == "same"


def test_names_do_not_matter_where_ignored(paths: list[Path]) -> None:
    """Every tensor renamed: only names differ, whatever the operators."""
    for path in paths:
        model = pq.open(path)
        other = model.copy()
        for subgraph in other.subgraphs:
            subgraph.name = f"{subgraph.name} too"
            for i, tensor in enumerate(subgraph.tensors):
                tensor.name = str(i)
        found = pq.diff(model, other, names=False)
        assert found.same, (path, found)
        assert {d.kind for d in found.differences} <= {"name"}
        assert pq.diff(model, other).same == (not model.subgraphs), path


def test_stripped_and_deduplicated_files_compute_the_same(paths: list[Path]) -> None:
    for path in paths[::3]:
        model = pq.open(path)
        for edited in (pq.strip(model), pq.dedupe(model)):
            kinds = {d.kind for d in pq.diff(model, edited).differences}
            assert kinds <= {"name", "metadata", "layout"}, (path, kinds)


def test_both_directions_find_as_many(data_folder: Path) -> None:
    folder = data_folder / "models/converter_variants"
    models = [pq.open(folder / f"kws_{suffix}.tflite") for suffix in ("float32", "float16", "int8_float_io")]
    for a in models:
        for b in models:
            there, back = (pq.diff(*pair).to_dict()["counts"] for pair in ((a, b), (b, a)))
            assert there == back


@pytest.mark.parametrize(
    ("suffix", "low", "high", "count"),
    [
        ("float16", 70, 80, 10),
        ("dynamic_range", 40, 60, 5),
        ("int8_int8_io", 40, 60, 10),
        ("int8_per_tensor", 25, 60, 10),
    ],
)
def test_weights_of_real_models(suffix: str, low: float, high: float, count: int, data_folder: Path) -> None:
    """Matrices quantized to 8 bits lie 40 to 60 dB from the float ones; the dynamic-range file keeps small ones."""
    folder = data_folder / "models/converter_variants"
    found = pq.diff(pq.open(folder / "kws_float32.tflite"), pq.open(folder / f"kws_{suffix}.tflite"))
    matrices = [d for d in found.of("weights") if "," in d.before]
    assert len(matrices) == count
    assert all(d.distance is not None and low < d.distance.sqnr < high for d in matrices)
    assert not [d for d in found.of("tensor") if d.what == "shape"]
    added = {d.op for d in found.of("graph")}
    assert added == ({"DEQUANTIZE"} if suffix == "float16" else set())


def test_models_of_other_makers_are_matched(data_folder: Path) -> None:
    """The same network from two converters, under other names: every convolution has its partner."""
    a = pq.open(data_folder / "models/edgetpu_pairs/mobilenet_v2_1.0_224_quant.tflite")
    b = pq.open(data_folder / "models/mobilenet/tf2_mobilenet_v2_1.0_224_ptq.tflite")
    found = pq.diff(a, b)
    alone = [(d.what, d.op) for d in found.of("graph") if d.what in ("added", "removed")]
    assert alone == [("removed", "AVERAGE_POOL_2D"), ("added", "QUANTIZE"), ("added", "MEAN"), ("added", "QUANTIZE")]


def base() -> Model:
    """A convolution, an addition, a fully connected layer; a signature, metadata."""
    rng = np.random.default_rng(0)
    b = pq.Builder()
    x = b.input("x", (1, 4, 4, 2))
    w = b.constant("w", rng.normal(size=(4, 1, 1, 2)).astype(np.float32))
    y = add(b, "CONV_2D", [x, w, None], "y", stride_h=1, stride_w=1)
    z = add(b, "ADD", [y, b.constant("c", np.ones(4, np.float32))], "z")
    v = b.constant("v", rng.integers(-100, 100, (3, 64), np.int8), quantization=Quantization.of([0.5, 0.25, 0.125]))
    out = add(b, "FULLY_CONNECTED", [z, v, None], "out")
    model = b.model([out], "a model")
    model.signatures.append(Signature("serve", model.main, [("image", x)], [("scores", out)]))
    model.metadata.append(("note", Buffer(np.frombuffer(b"kept", np.uint8))))
    return model


def tensor(model: Model, name: str) -> Tensor:
    return next(t for t in model.main.tensors if t.name == name)


def set_data(name: str, value: Callable[[np.ndarray], np.ndarray]) -> Callable[[Model], None]:
    def edit(model: Model) -> None:
        made = tensor(model, name)
        assert made.data is not None
        made.data = value(made.data)

    return edit


def version(model: Model) -> None:
    model.main.nodes[0].opcode = OpCode("CONV_2D", 2)


def option(model: Model) -> None:
    assert model.main.nodes[0].options is not None
    model.main.nodes[0].options.fused_activation_function = "RELU"


def custom_options(model: Model) -> None:
    model.main.nodes[0].custom_options = np.arange(3, dtype=np.uint8)


def removed(model: Model) -> None:
    y = tensor(model, "y")
    del model.main.nodes[1]
    model.main.nodes[1].inputs[0] = y


def added(model: Model) -> None:
    z, relu = tensor(model, "z"), Tensor("relu", (1, 4, 4, 4), dtype("float32"))
    model.main.tensors.append(relu)
    model.main.nodes.insert(2, graph.Node(OpCode("RELU"), [z], [relu]))
    model.main.nodes[3].inputs[0] = relu


def exchanged(model: Model) -> None:
    model.main.nodes[1].opcode = OpCode("MUL")
    model.main.nodes[1].options = None


def rewired(model: Model) -> None:
    model.main.nodes[1].inputs.reverse()


def bias(model: Model) -> None:
    model.main.nodes[0].inputs[2] = tensor(model, "c")


def reordered(model: Model) -> None:
    extra = Tensor("relu", (1, 4, 4, 4), dtype("float32"))
    model.main.tensors.append(extra)
    model.main.nodes.append(graph.Node(OpCode("RELU"), [tensor(model, "y")], [extra]))


def output(model: Model) -> None:
    model.main.outputs = [tensor(model, "z")]


def shape(model: Model) -> None:
    tensor(model, "x").shape_signature = (-1, 4, 4, 2)


def variable(model: Model) -> None:
    tensor(model, "z").is_variable = True


def scale(model: Model) -> None:
    v = tensor(model, "v")
    assert v.quantization is not None
    v.quantization = replace(v.quantization, scale=v.quantization.scale * np.float32(2))


def kept(model: Model) -> None:
    v = tensor(model, "v")
    assert v.quantization is not None
    v.quantization = replace(v.quantization, extra={"min": np.float32([0]), "max": np.float32([np.nan])})


def signature(model: Model) -> None:
    model.signatures[0].key = "other"


def argument(model: Model) -> None:
    model.signatures[0].inputs = [("picture", model.main.inputs[0])]


def metadata(model: Model) -> None:
    model.metadata = [("note", Buffer(np.frombuffer(b"lost", np.uint8)))]


def associated(model: Model) -> None:
    model.extra["trailing"] = pq.with_associated_files(model, {"labels.txt": b"cat"}).extra["trailing"]


def subgraph(model: Model) -> None:
    model.subgraphs.append(graph.Subgraph("more"))


def twin(model: Model) -> None:
    model.subgraphs.append(graph.Subgraph(model.main.name))


def renamed(model: Model) -> None:
    tensor(model, "c").name = "addend"


def buffers(model: Model) -> None:
    model.buffers = [model.buffers[0], *reversed(model.buffers[1:])]


def tensors(model: Model) -> None:
    model.main.tensors.reverse()


def unused(model: Model) -> None:
    model.main.tensors.append(Tensor("unused", (1,), dtype("float32")))


# name -> (edit, {(kind, what)} that it makes)
EDITS: dict[str, tuple[Callable[[Model], None], set[tuple[str, str]]]] = {
    "nothing": (lambda model: None, set()),
    "version": (version, {("version", "version")}),
    "option": (option, {("option", "fused_activation_function")}),
    "custom options": (custom_options, {("option", "custom options")}),
    "removed": (removed, {("graph", "removed")}),
    "added": (added, {("graph", "added")}),
    "exchanged": (exchanged, {("graph", "operator")}),
    "rewired": (rewired, {("graph", "input 0"), ("graph", "input 1")}),
    "bias": (bias, {("graph", "input 2")}),
    "another branch": (reordered, {("graph", "added")}),
    "output": (output, {("graph", "outputs")}),
    "shape signature": (shape, {("tensor", "shape signature")}),
    "variable": (variable, {("tensor", "variable")}),
    "scale": (scale, {("quantization", "scale"), ("weights", "values")}),
    "weights": (set_data("w", lambda w: w + np.float32(0.01)), {("weights", "values")}),
    "one code": (set_data("v", lambda v: v ^ (np.arange(192).reshape(3, 64) == 7)), {("weights", "values")}),
    "ranges": (kept, {("metadata", "min, max")}),
    "signature": (signature, {("signature", "signature")}),
    "argument": (argument, {("signature", "inputs")}),
    "associated file": (associated, {("metadata", "labels.txt")}),
    "metadata": (metadata, {("metadata", "note")}),
    "description": (lambda model: setattr(model, "description", "another"), {("metadata", "description")}),
    "subgraph": (subgraph, {("graph", "subgraph added")}),
    "subgraph of the same name": (twin, {("graph", "subgraph added")}),
    "name": (renamed, {("name", "tensor")}),
    "buffers": (buffers, {("layout", "order or number of buffers")}),
    "tensors": (tensors, {("layout", "order or number of tensors")}),
    "unused": (unused, {("layout", "order or number of tensors")}),
}


@pytest.mark.parametrize("name", EDITS)
def test_every_edit_is_found(name: str) -> None:
    edit, expected = EDITS[name]
    before = graph.load(graph.dump(base()))
    after = before.copy()
    edit(after)
    assert pq.diff(after, before).same == pq.diff(before, after).same
    found = pq.diff(before, after)
    kinds = {(d.kind, d.what) for d in found.differences}
    assert {pair for pair in kinds if pair[0] != "layout"} == {pair for pair in expected if pair[0] != "layout"}
    assert expected <= kinds
    assert pq.diff(after, after.copy()).same
    assert found.same == all(kind == "layout" for kind, _ in expected)
    json.loads(json.dumps(found.to_dict()))
    for width in (80, 120):
        assert max(map(len, diff_text(found, width).split("\n"))) <= width


def test_distances_are_of_real_values() -> None:
    """SQNR by its formula; two codings of the same values are no difference of weights."""
    a, b = base(), base()
    w, v = tensor(b, "w"), tensor(b, "v")
    assert w.data is not None and v.data is not None and v.quantization is not None
    signal = float(np.sum(w.data.astype(np.float64) ** 2))
    w.data = w.data + np.float32(0.01)
    scales = v.quantization.scale
    wide = v.data.astype(np.float32) * scales[:, None]
    v.dtype, v.quantization = dtype("float32"), None
    v.data = wide
    found = pq.diff(a, b)
    (difference,) = found.of("weights")
    assert difference.distance is not None and difference.where == "w"
    assert difference.distance.sqnr == pytest.approx(10 * np.log10(signal / (w.size * 0.01**2)), abs=1e-3)
    assert difference.distance.max_difference == pytest.approx(0.01, abs=1e-6)
    assert [d.what for d in found.of("tensor")] == ["type"]


def test_constants_that_cannot_be_compared_are_told() -> None:
    models = [base(), base()]
    for i, model in enumerate(models):
        text = Tensor("c", (1,), dtype("string"))
        text.data = np.array([b"one" if i else b"two"], object)
        model.main.tensors.append(text)
        model.main.nodes[1].inputs[1] = text
    (difference,) = pq.diff(*models).of("weights")
    assert difference.distance is None and "string" in difference.what


def test_long_weights_are_compared_in_pieces() -> None:
    """Per-axis scales stay with their rows, whichever axis is cut."""
    rng = np.random.default_rng(0)
    for shape, axis in (((3000, 400), 0), ((1, 3000, 400), 1), ((400, 3000), 1), ((1, 1, 1, 2_000_000), 3)):
        scales = rng.random(shape[axis]).astype(np.float32) + 0.1
        codes = rng.integers(-127, 128, shape, np.int8)
        b = pq.Builder()
        coded, y = b.constant("w", codes, quantization=Quantization.of(scales, axis=axis)), b.tensor("y", (1,))
        b.node("CUSTOM", [coded], [y], custom_code="any")
        a = b.model([y])
        other = a.copy()
        w = tensor(other, "w")
        broadcast = [1] * len(shape)
        broadcast[axis] = -1
        w.dtype, w.quantization = dtype("float32"), None
        w.data = codes * scales.reshape(broadcast)
        assert all(d.distance is not None and d.distance.sqnr > 140 for d in pq.diff(a, other).of("weights"))


@pytest.mark.parametrize("layout", ["inline", "offset", "external"])
def test_where_constants_lie_does_not_count(layout: str, tmp_path: Path) -> None:
    b = pq.Builder()
    x, w = b.input("x", (1, 64)), b.constant("w", np.ones((64, 64), np.float32))
    model = b.model([add(b, "FULLY_CONNECTED", [x, w, None], "y")])
    model.save(tmp_path / "model.tflite", layout=layout)
    found = pq.diff(model, pq.open(tmp_path / "model.tflite"))
    assert found.same, found


def test_the_command(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.tflite", "b.tflite", "named.tflite")]
    model = base()
    model.save(paths[0])
    version(model)
    model.save(paths[1])
    other = base()
    renamed(other)
    other.save(paths[2])
    same = run("diff", paths[0], paths[0])
    assert (same.exit_code, same.stdout.splitlines()[-1]) == (0, "same")
    differ = run("diff", paths[0], paths[1])
    assert differ.exit_code == 1 and "differ: 1 version" in differ.stdout
    report = json.loads(run("diff", paths[0], paths[1], "--json").stdout)
    assert (report["same"], report["counts"]["version"]) == (False, 1)
    assert report["bytes"] == [path.stat().st_size for path in paths[:2]]
    assert run("diff", paths[0], paths[2]).exit_code == 1
    ignored = run("diff", paths[0], paths[2], "--ignore-names")
    assert ignored.exit_code == 0 and "same but for name" in ignored.stdout
