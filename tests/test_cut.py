"""extract, split, merge, rename, reorder: halves put together equal the whole, and what cannot be done is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import network
from running import feeds, ours, theirs

import pyquant as pq
from pyquant import graph
from pyquant.errors import GraphError
from pyquant.graph import Buffer, Builder, Model, Signature, Subgraph
from pyquant.ops.build import add
from pyquant.validate import Oracle
from pyquant.wire import Record

FILES = ["mobilenet/tf2_mobilenet_v2_1.0_224_ptq", "edgetpu_pairs/deeplabv3_mnv2_dm05_pascal_quant"]


@pytest.mark.parametrize("runtime", ["tflite-runtime", "ai-edge-litert"])
@pytest.mark.parametrize("file", FILES)
def test_halves_make_the_whole(file: str, runtime: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    """Cut at an early, a middle and a late tensor through which everything goes; in every runtime bit for bit."""
    oracle = oracle_of(runtime)
    model = pq.open(data_folder / f"models/{file}.tflite")
    inputs = feeds(model)
    before, mine = theirs(oracle, model, inputs), ours(model, inputs)
    assert before is not None
    cuts = [tensor for node in model.main.nodes[1:-1] for tensor in node.outputs if divides(model, tensor)]
    assert len(cuts) > 10
    for tensor in (cuts[1], cuts[len(cuts) // 2], cuts[-2]):
        first = pq.extract(model, outputs=tensor)
        second = pq.extract(model, tensor)
        assert [len(m.main.nodes) for m in pq.split(model, tensor.name)] == [len(m.main.nodes) for m in (first, second)]
        merged = pq.merge(first, second)
        assert [n.op for n in merged.main.nodes] == [n.op for n in model.main.nodes]
        assert theirs(oracle, merged, inputs) == before, tensor.name
        if mine is not None:
            (middle,) = [np.frombuffer(b, tensor.dtype.numpy).reshape(tensor.shape) for b in ours(first, inputs) or ()]
            assert ours(merged, inputs) == ours(second, [middle]) == mine, tensor.name


def divides(model: Model, tensor: graph.Tensor) -> bool:
    try:
        pq.split(model, tensor)
    except GraphError:
        return False
    return True


def test_an_own_input_that_is_not_needed_goes() -> None:
    model = two_inputs()
    assert [t.name for t in pq.extract(model, outputs="a_only").main.inputs] == ["a"]
    assert [t.name for t in pq.extract(model, ["a_only", "b"], "sum").main.inputs] == ["a_only", "b"]
    assert [t.name for t in model.main.inputs] == ["a", "b"]


def test_signatures_follow_the_ends() -> None:
    model = two_inputs()
    left, right = model.main.inputs
    model.signatures = [
        Signature("run", model.main, [("left", left), ("right", right)], [("y", model.main.outputs[0])])
    ]
    first, second = pq.split(model, "a_only")
    assert shown(first) + shown(second) == [
        ("run", ["left"], ["a_only"]),
        ("run", ["a_only", "right"], ["y"]),
    ]
    merged = pq.merge(first, second)
    assert shown(merged) == [("run", ["left", "right"], ["y"])]
    renamed = pq.rename(merged, {"sum": "total"}, {"left": "x"}, {"run": "serve"})
    (signature,) = renamed.signatures
    assert (signature.key, signature.inputs[0][0], renamed.main.outputs[0].name) == ("serve", "x", "total")
    assert [name for name, _ in pq.reorder(renamed, ["b", "a"]).signatures[0].inputs] == ["right", "x"]


def shown(model: Model) -> list[tuple[str, list[str], list[str]]]:
    """Keys, arguments and results of the signatures."""
    return [(s.key, [name for name, _ in s.inputs], [name for name, _ in s.outputs]) for s in model.signatures]


def test_merge_binds_by_name_by_place_or_as_told() -> None:
    model = two_inputs()
    part = pq.extract(model, outputs="a_only")
    by_name = pq.merge(part, pq.extract(model, ["a_only", "b"]))
    assert [t.name for t in by_name.main.inputs] == ["a", "b"]
    by_place = pq.merge(part, pq.extract(model, outputs="a_only"))
    assert [t.name for t in by_place.main.inputs] == ["a"]
    assert [t.name for t in by_place.main.outputs] == ["a_only_1"]
    told = pq.merge(part, pq.extract(model, ["a_only", "b"]), {"a_only": "a_only", "b": "a_only"})
    assert [t.name for t in told.main.inputs] == ["a"]
    x = feeds(told)
    twice = np.frombuffer((ours(part, x) or [])[0], np.float32) * np.float32(2)
    assert np.array_equal(np.frombuffer((ours(told, x) or [])[0], np.float32), twice)


@pytest.mark.parametrize(("first", "second", "version"), [("1.5.0", "2.14.0", "2.14.0"), ("2.3.0", "1.9", "2.3.0")])
def test_metadata_of_both_is_kept_where_it_stays_true(first: str, second: str, version: str) -> None:
    models = two_inputs(), two_inputs()
    for model, text, note in zip(models, (first, second), ("first", "second"), strict=True):
        entries = {"min_runtime_version": text, "note": note, note: note, "TFLITE_METADATA": "labels"}
        model.metadata = [(n, Buffer(np.frombuffer(t.encode(), np.uint8))) for n, t in entries.items()]
        model.extra["trailing"] = np.ones(3, np.uint8)
    merged = pq.merge(*models, {"a": "sum"})
    assert {name: b.data.tobytes().decode() for name, b in merged.metadata if b.data is not None} == {
        "min_runtime_version": version, "note": "first", "first": "first", "second": "second",
    }  # fmt: skip
    assert "trailing" not in merged.extra


def test_models_without_constants_merge() -> None:
    bare = graph.load(graph.dump(two_inputs()))
    bare.buffers.clear()
    bare.extra["buffers"] = None
    merged = pq.merge(bare, network(), {})
    constants = [[t.name for t in model.main.tensors if t.is_constant] for model in (merged, network())]
    assert constants[0] == constants[1]


def test_names_that_clash_are_told_apart() -> None:
    merged = pq.merge(network(), pq.rename(network(), {"x": "other"}), {})
    names = [t.name for t in merged.main.tensors]
    assert len(set(names)) == len(names)
    assert [t.name for t in merged.main.inputs] == ["x", "other"]


def test_state_comes_along_with_what_uses_it() -> None:
    model = stateful()
    part = pq.extract(model, outputs="read")
    assert [n.op for n in part.main.nodes] == [n.op for n in model.main.nodes[:-1]]
    assert len(part.subgraphs) == 2
    assert [n.op for n in pq.extract(model, outputs="half").main.nodes] == ["ADD"]
    with pytest.raises(GraphError, match="inputs have to be 'x' too"):
        pq.extract(model, (), "read")


def test_states_of_two_models_stay_two() -> None:
    merged = pq.merge(stateful(), stateful(), {"x": "half"})
    handles = [n.options.shared_name for n in merged.main.nodes if n.options and n.options.table == "VarHandleOptions"]
    assert handles == ["v", "v_1"]
    assert len(merged.subgraphs) == 3


def test_both_sides_may_read_a_state_but_not_change_it() -> None:
    assert [n.op for n in pq.split(stateful(), "half")[0].main.nodes] == ["ADD"]
    parts = pq.split(stateful(writes=False), "sum")
    assert [[n.op for n in part.main.nodes].count("CALL_ONCE") for part in parts] == [1, 1]
    with pytest.raises(GraphError, match="ASSIGN_VARIABLE: changes a state that both sides of the cut at 'sum' use"):
        pq.split(stateful(), "sum")


def test_a_signature_is_added_and_signatures_change_places() -> None:
    model = pq.add_signature(pq.add_signature(two_inputs(), "first"))
    assert shown(model) == [(key, ["a", "b"], ["sum"]) for key in ("first", "serving_default")]
    assert [s.key for s in pq.reorder(model, signatures=["serving_default", "first"]).signatures][1] == "first"


IMPOSSIBLE: dict[str, tuple[Callable[[], Any], str]] = {
    "missing branch": (lambda: pq.extract(network(), "left"), "inputs have to be 'right', 'stem' too"),
    "unused input": (lambda: pq.extract(two_inputs(), ["a", "b"], "a_only"), "'b' does not lead to 'a_only'"),
    "a resource": (lambda: pq.extract(stateful(), outputs="handle"), "'handle' is a resource and cannot be"),
    "a shared variable": (
        lambda: pq.extract(shared_variable(), outputs="one"),
        "STEP 'two' is left out, and shares 's' with STEP 'one'",
    ),
    "missing input": (lambda: pq.extract(two_inputs(), "a_only", "sum"), "inputs have to be 'b' too"),
    "unknown name": (lambda: pq.extract(two_inputs(), outputs="a_on"), "no tensor 'a_on'; did you mean 'a_only'"),
    "unknown index": (lambda: pq.extract(two_inputs(), outputs=99), "tensors 0 to"),
    "constant input": (lambda: pq.extract(network(), "stem/w"), "'stem/w' is a constant"),
    "crossing": (lambda: pq.split(network(), "left"), "'left' is not all that crosses the cut: also 'stem'"),
    "one after the other": (
        lambda: pq.split(network(), ["mean", "logits", "pooled"]),
        "nothing behind 'mean', 'logits' reads 'pooled'",
    ),
    "nothing after": (lambda: pq.split(network(), network().main.outputs[0].name), "no output"),
    "other shape": (lambda: pq.merge(network(), two_inputs(), {"a": "stem"}), "takes shape.*'stem' has"),
    "other type": (lambda: pq.merge(retyped(), two_inputs(), {"a": "q"}), "takes type float32, 'q' has int8"),
    "other scale": (
        lambda: pq.merge(retyped(), scaled(0.2), {"x": "q"}),
        r"takes quantization scale \[0.2.*scale \[0.1.*; io_type",
    ),
    "counts": (lambda: pq.merge(retyped(), two_inputs()), "first model has 1 outputs, the second 2 inputs"),
    "not an input": (lambda: pq.merge(network(), two_inputs(), {"sum": "stem"}), "'sum' is not an input"),
    "taken name": (lambda: pq.rename(two_inputs(), {"a": "b"}), "called 'b' already"),
    "no argument": (lambda: pq.rename(two_inputs(), arguments={"z": "y"}), "no signature argument is called 'z'"),
    "no signature": (lambda: pq.rename(two_inputs(), signatures={"z": "y"}), "no signature is called 'z'"),
    "a second signature": (lambda: pq.add_signature(pq.add_signature(two_inputs())), "'serving_default' twice"),
    "no such key": (lambda: pq.reorder(two_inputs(), signatures=["run"]), r"signatures: expected each of \[\] once"),
    "an input twice": (lambda: pq.reorder(two_inputs(), ["a", "a"]), "inputs: expected each of"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_done_is_named(case: str) -> None:
    make, message = IMPOSSIBLE[case]
    with pytest.raises(GraphError, match=message):
        make()


def two_inputs() -> Model:
    """a -> a_only; a_only + b -> sum."""
    b = Builder()
    left, right = b.input("a", (1, 4)), b.input("b", (1, 4))
    a_only = add(b, "LOGISTIC", [left], "a_only")
    return b.model([add(b, "ADD", [a_only, right], "sum")])


def retyped() -> Model:
    b = Builder()
    x = b.input("p", (1, 4))
    return b.model([add(b, "QUANTIZE", [x], "q", "int8", graph.Quantization.of(0.1))])


def scaled(scale: float) -> Model:
    b = Builder()
    x = b.input("x", (1, 4), "int8", graph.Quantization.of(scale))
    return b.model([add(b, "DEQUANTIZE", [x], "y", "float32")])


def shared_variable() -> Model:
    """Two custom nodes that work on one variable."""
    b = Builder()
    x, state = b.input("x", (1, 4)), b.tensor("s", (1, 4), is_variable=True)
    one, two = b.tensor("one", (1, 4)), b.tensor("two", (1, 4))
    b.node("CUSTOM", [x, state], [one], custom_code="STEP")
    b.node("CUSTOM", [one, state], [two], custom_code="STEP")
    return b.model([two])


def stateful(writes: bool = True) -> Model:
    """x -> half; half + a variable -> sum, which may become the variable; sum + the variable -> last."""
    b = Builder()
    x = b.input("x", (1, 4))
    half = add(b, "ADD", [x, x], "half")
    handle, read, again = b.tensor("handle", (), "resource"), b.tensor("read", (1, 4)), b.tensor("again", (1, 4))
    once = b.node("CALL_ONCE", [], [], Record("CallOnceOptions"))
    b.node("VAR_HANDLE", [], [handle], Record("VarHandleOptions", shared_name="v"))
    b.node("READ_VARIABLE", [handle], [read])
    total = add(b, "ADD", [half, read], "sum")
    if writes:
        b.node("ASSIGN_VARIABLE", [handle, total], [])
    b.node("READ_VARIABLE", [handle], [again])
    model = b.model([add(b, "ADD", [total, again], "last")])
    start = Subgraph("start")
    model.subgraphs.append(start)
    once.subgraphs = {"init_subgraph_index": start}
    return model
