"""Recurrent operators, variables and several subgraphs in the quantizer: as the runtimes run them, near to float."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyquant as pq
from pyquant.calibrate import collect
from pyquant.graph import Builder, Model, Signature, Tensor
from pyquant.ops.build import Made, add, add_all
from pyquant.quantize import SCHEMES, apply, assign, solve
from pyquant.validate import RUNTIMES, Oracle
from pyquant.wire import Record

BATCH, TIMES, INPUTS, UNITS, OUTPUTS = 2, 5, 6, 8, 4
Feeds = Sequence[list[np.ndarray]]


def normal(rng: np.random.Generator, *shape: int, scale: float = 0.4) -> np.ndarray:
    return rng.normal(0, scale, shape).astype(np.float32)


def lstm(op: str, coupled: bool, peephole: bool, normalized: bool, projected: bool, **options: Any) -> Model:
    """One LSTM and a layer after it."""
    rng, b = np.random.default_rng(3), Builder()
    outputs = OUTPUTS if projected else UNITS
    gates = "fco" if coupled else "ifco"

    def weight(there: bool, name: str, *shape: int, mean: float = 0.0) -> Tensor | None:
        return b.constant(name, normal(rng, *shape) + np.float32(mean)) if there else None

    def each(kind: str, every: str, there: bool, *shape: int, mean: float = 0.0) -> list[Tensor | None]:
        return [weight(there and g in gates, f"{kind}_{g}", *shape, mean=mean) for g in every]

    sequence = op != "LSTM"
    x = b.input("x", (BATCH, TIMES, INPUTS) if sequence else (BATCH, INPUTS))
    inputs = [x, *each("w", "ifco", True, UNITS, INPUTS), *each("r", "ifco", True, UNITS, outputs)]
    inputs += [*each("p", "ifo", peephole, UNITS), *each("b", "ifco", True, UNITS)]
    inputs += [weight(projected, "projection", outputs, UNITS), weight(projected, "projection_bias", outputs)]
    inputs += [b.tensor("h", (BATCH, outputs), is_variable=True), b.tensor("cell", (BATCH, UNITS), is_variable=True)]
    inputs += each("n", "ifco", normalized, UNITS, mean=1.0)
    y = add(b, op, inputs, "y", fused_activation_function="TANH", **options)
    return b.model([add(b, "FULLY_CONNECTED", [y, b.constant("dense", normal(rng, 3, outputs))], "z")])


def feeds_of(model: Model, count: int, seed: int = 0) -> Feeds:
    rng = np.random.default_rng(seed)
    return [[rng.normal(0, 1, t.shape).astype(np.float32) for t in model.main.inputs] for _ in range(count)]


def runs_as_oracles(model: Model, feeds: Feeds, oracle_of: Callable[[str], Oracle], tolerance: float = 0.0) -> Feeds:
    """What a model makes of one feed after the other: the same in every runtime."""
    assert not [finding for finding in pq.lint(model) if finding.severity == "error"]
    for runtime in RUNTIMES:
        oracle = oracle_of(runtime)
        oracle.load(model)
        session, every = pq.compile(model, numerics=RUNTIMES[runtime].numerics).session(), []
        for arrays in feeds:
            values = session.run(*arrays)
            every.append([values[t] for t in model.main.outputs])
            for ours, theirs in zip(every[-1], oracle.run(arrays, reset=False).values(), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max(initial=0.0))
    return every


def decibels(model: Model, found: Feeds, feeds: Feeds) -> float:
    """Signal to noise of the outputs of many steps, beside those of a float model."""
    session = pq.compile(model).session()
    runs = [session.run(*arrays) for arrays in feeds]
    expected = np.concatenate([values[t].ravel() for values in runs for t in model.main.outputs])
    error = np.concatenate([array.ravel() for arrays in found for array in arrays]) - expected
    return float(10 * np.log10(np.square(expected).sum() / np.square(error).sum()))


def kinds(model: Model) -> dict[str, set[str]]:
    """The types in which operators compute, by their name."""
    found: dict[str, set[str]] = {}
    for node in (n for s in model.subgraphs for n in s.nodes):
        found.setdefault(node.op, set()).update(t.dtype.name for t in node.inputs if t is not None)
    return found


CELLS = [pytest.param(*flags, id="-".join(map(str, map(int, flags)))) for flags in product((False, True), repeat=4)]


@pytest.mark.parametrize("coupled, peephole, normalized, projected", CELLS)
def test_lstms_in_integers(
    coupled: bool, peephole: bool, normalized: bool, projected: bool, oracle_of: Callable[[str], Oracle]
) -> None:
    for op in ("UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM"):
        options = {"cell_clip": 3.0} if coupled else {}
        model = lstm(op, coupled, peephole, normalized, projected, **options)
        made = assign(model, "int8", feeds_of(model, 24))
        small = apply(made)
        if peephole and projected:  # which the kernels misread
            assert made.kept_float == [(f"{op} 'y'", f"TFLite has no int8 kernel for {op} of this form")]
        else:
            assert kinds(small)[op] >= {"int8", "int16", "int32"} and "float32" not in kinds(small)[op]
        feeds = feeds_of(model, 12, seed=1)
        tolerance = 2e-2 if peephole and projected else 0.0  # a float cell before a code of int8
        assert decibels(model, runs_as_oracles(small, feeds, oracle_of, tolerance), feeds) > 20


@pytest.mark.parametrize("coupled, peephole, normalized, projected", CELLS)
def test_lstms_with_float_activations(
    coupled: bool, peephole: bool, normalized: bool, projected: bool, oracle_of: Callable[[str], Oracle]
) -> None:
    for op in ("UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM"):
        model = lstm(op, coupled, peephole, normalized, projected)
        small = pq.quantize(model, "dynamic", min_weight_elements=UNITS * OUTPUTS)
        (node, *_) = small.main.nodes
        stored = {t.name: t.dtype.name for t in node.inputs if t is not None and t.is_constant}
        narrow = [name for name in stored if name[:2] in ("w_", "r_", "p_") or name == "projection"]
        assert stored == {name: "int8" if name in narrow else "float32" for name in stored}
        feeds = feeds_of(model, 8, seed=1)
        # a code of h that is nearly the next one is enlarged by normalization
        found = runs_as_oracles(small, feeds, oracle_of, 5e-2 if normalized else 1e-5)
        assert decibels(model, found, feeds) > 25


def svdf(activation: str, bias: bool = True) -> Model:
    rng, b = np.random.default_rng(4), Builder()
    x, state = b.input("x", (2, INPUTS)), b.tensor("state", (2, 16 * 5), is_variable=True)
    weights = [b.constant("feature", normal(rng, 16, INPUTS)), b.constant("time", normal(rng, 16, 5))]
    weights += [b.constant("bias", normal(rng, 8))] if bias else [None]
    y = add(b, "SVDF", [x, *weights, state], "y", rank=2, fused_activation_function=activation)
    return b.model([add(b, "FULLY_CONNECTED", [y, b.constant("dense", normal(rng, 3, 8))], "z")])


@pytest.mark.parametrize("bias", (True, False))
def test_svdf_in_integers(bias: bool, oracle_of: Callable[[str], Oracle]) -> None:
    model = svdf("RELU", bias)
    small = pq.quantize(model, "int8", data=feeds_of(model, 40))
    assert kinds(small)["SVDF"] == {"int8", "int16"} | ({"int32"} if bias else set())
    feeds = feeds_of(model, 20, seed=1)
    assert decibels(model, runs_as_oracles(small, feeds, oracle_of), feeds) > 25


def test_svdf_of_another_activation_stays_float(oracle_of: Callable[[str], Oracle]) -> None:
    model = svdf("NONE")
    made = assign(model, "int8", feeds_of(model, 40))
    assert made.kept_float == [("SVDF 'y'", "its fused activation has no integer form")]
    feeds = feeds_of(model, 20, seed=1)
    assert decibels(model, runs_as_oracles(apply(made), feeds, oracle_of, 2e-2), feeds) > 20


def cell(op: str) -> Model:
    rng, b = np.random.default_rng(5), Builder()
    x = b.input("x", (BATCH, INPUTS) if op == "RNN" else (BATCH, TIMES, INPUTS))
    inputs = [x, b.constant("w", normal(rng, UNITS, INPUTS)), b.constant("recurrent", normal(rng, UNITS, UNITS))]
    inputs += [b.constant("b", normal(rng, UNITS)), b.tensor("state", (BATCH, UNITS), is_variable=True)]
    y = add(b, op, inputs, "y", fused_activation_function="TANH")
    return b.model([add(b, "FULLY_CONNECTED", [y, b.constant("dense", normal(rng, 3, UNITS))], "z")])


@pytest.mark.parametrize("merged", (True, False))
def test_lstms_of_both_directions_with_float_activations(merged: bool, oracle_of: Callable[[str], Oracle]) -> None:
    rng, b = np.random.default_rng(6), Builder()

    def side(name: str) -> tuple[list[Tensor | None], list[Tensor]]:
        w, r = (
            [b.constant(f"{name}_{k}_{g}", normal(rng, UNITS, n)) for g in "ifco"]
            for k, n in (("w", INPUTS), ("r", UNITS))
        )
        biases = [b.constant(f"{name}_b_{g}", normal(rng, UNITS)) for g in "ifco"]
        states = [b.tensor(f"{name} {state}", (BATCH, UNITS), is_variable=True) for state in ("h", "cell")]
        return [*w, *r, None, None, None, *biases, None, None], states

    (forward, states), (backward, others) = side("forward"), side("backward")
    inputs = [b.input("x", (TIMES, BATCH, INPUTS)), *forward, *backward, *states, *others, *[None] * 9]
    made = [Made("y")] if merged else [Made("y"), Made("z")]
    options = {"fused_activation_function": "TANH", "merge_outputs": merged, "time_major": True}
    model = b.model(add_all(b, "BIDIRECTIONAL_SEQUENCE_LSTM", inputs, made, **options))
    small = pq.quantize(model, "dynamic", min_weight_elements=UNITS * INPUTS)
    assert {t.dtype.name for t in small.main.nodes[0].inputs if t and len(t.shape) == 2 and t.is_constant} == {"int8"}
    feeds = feeds_of(model, 8, seed=1)
    assert decibels(model, runs_as_oracles(small, feeds, oracle_of, 1e-5), feeds) > 30
    again = pq.dequantize(small)
    assert {t.dtype.name for t in again.main.nodes[0].inputs if t} == {"float32"}


@pytest.mark.parametrize("op", ("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "SVDF"))
def test_other_cells_with_float_activations(op: str, oracle_of: Callable[[str], Oracle]) -> None:
    model = svdf("NONE") if op == "SVDF" else cell(op)
    small = pq.quantize(model, "dynamic", min_weight_elements=20)
    (node, *_) = small.main.nodes
    assert [t.dtype.name for t in node.inputs[:4] if t] == ["float32", "int8", "int8", "float32"]
    feeds = feeds_of(model, 8, seed=1)
    assert decibels(model, runs_as_oracles(small, feeds, oracle_of, 1e-5), feeds) > 25


@pytest.mark.parametrize("scheme, weights", (("float16", "float16"), ("weight_only_wi8_afp32", "int8")))
def test_weights_that_are_cast(scheme: str, weights: str, oracle_of: Callable[[str], Oracle]) -> None:
    for model in (lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", False, False, False, True), svdf("NONE"), cell("RNN")):
        small = pq.quantize(model, scheme, min_weight_elements=1, per_channel=False)
        assert {t.dtype.name for n in small.main.nodes if n.op == "DEQUANTIZE" for t in n.inputs if t} == {weights}
        feeds = feeds_of(model, 8, seed=1)
        assert decibels(model, runs_as_oracles(small, feeds, oracle_of, 1e-5), feeds) > 30


def test_kernels_without_integers_are_named() -> None:
    model = lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", False, False, False, False)
    made = assign(model, "int16x8", feeds_of(model, 4))
    reason = "TFLite has no int16 kernel for UNIDIRECTIONAL_SEQUENCE_LSTM of this form"
    assert made.kept_float == [("UNIDIRECTIONAL_SEQUENCE_LSTM 'y'", reason)]
    narrow = assign(model, [pq.Rule(weights="int4", activations="int8")], feeds_of(model, 4))
    reason = "no kernel of UNIDIRECTIONAL_SEQUENCE_LSTM takes int4 weights with int8 activations"
    assert narrow.kept_float[0][1] == reason
    rnn = assign(cell("RNN"), "int8", feeds_of(cell("RNN"), 4))
    assert rnn.kept_float == [("RNN 'y'", "TFLite has no int8 kernel for RNN")]


def test_embeddings_are_of_their_tables_scale(oracle_of: Callable[[str], Oracle]) -> None:
    b, rng = Builder(), np.random.default_rng(6)
    rows = add(
        b,
        "EMBEDDING_LOOKUP",
        [b.input("at", (3,), "int32"), b.constant("table", normal(rng, 20, 7))],
        "rows",
        "float32",
    )
    model = b.model([layer(b, rows, "y", normal(rng, 5, 7))])
    feeds = [[np.int32([i, i + 1, i + 2])] for i in range(18)]
    small = pq.quantize(model, "int8", data=feeds)
    table = small.main.nodes[0].inputs[1]
    assert table is not None and table.quantization == small.main.nodes[0].outputs[0].quantization
    assert [n.op for n in small.main.nodes] == ["EMBEDDING_LOOKUP", "FULLY_CONNECTED", "DEQUANTIZE"]
    assert decibels(model, runs_as_oracles(small, feeds, oracle_of), feeds) > 30
    again = pq.dequantize(small)
    assert {t.dtype.name for n in again.main.nodes for t in n.outputs} == {"float32"}


@pytest.mark.parametrize("scheme", ("dynamic", "dynamic_wi8_afp32"))
def test_embeddings_with_a_table_of_integers(scheme: str, oracle_of: Callable[[str], Oracle]) -> None:
    """One scale, or in newer runtimes one for each row."""
    b, table = Builder(), normal(np.random.default_rng(6), 20, 7)
    model = b.model(
        [add(b, "EMBEDDING_LOOKUP", [b.input("at", (3,), "int32"), b.constant("table", table)], "y", "float32")]
    )
    small = pq.quantize(model, scheme, min_weight_elements=1)
    stored = small.main.nodes[0].inputs[1]
    assert stored is not None and stored.dtype.name == "int8" and stored.quantization is not None
    assert stored.quantization.scale.size == (1 if scheme == "dynamic" else 20)
    at = np.int32([4, 0, 19])
    oracle = oracle_of("ai-edge-litert")
    oracle.load(small)
    (theirs,) = oracle.run([at]).values()
    assert np.array_equal(pq.compile(small, numerics="litert")(at), theirs)
    assert np.abs(theirs - table[at]).max() < np.abs(table).max() / 127
    again = pq.dequantize(small)
    assert np.array_equal(pq.compile(again)(at), theirs) and again.main.nodes[0].inputs[1].dtype.name == "float32"


def handle(b: Builder, name: str) -> Tensor:
    made = b.tensor(f"handle of {name}", (), "resource")
    b.node("VAR_HANDLE", [], [made], Record("VarHandleOptions", shared_name=name))
    return made


def assign_to(b: Builder, name: str, value: Tensor) -> None:
    b.node("ASSIGN_VARIABLE", [handle(b, name), value], [], Record("AssignVariableOptions"))


def stream() -> Model:
    """The last four features and a running mean go on in variables, which begin with values of their own."""
    rng, b, once = np.random.default_rng(8), Builder(), Builder("once")
    assign_to(once, "last", once.constant("first", normal(rng, 1, 4, UNITS)))
    assign_to(once, "mean", once.constant("zero", normal(rng, 1, UNITS)))
    b.node("CALL_ONCE", [], [], Record("CallOnceOptions"))
    x = b.input("x", (1, 2, INPUTS))
    last = add(b, "READ_VARIABLE", [handle(b, "last")], "old", "float32")
    last.shape = (1, 4, UNITS)
    mean = add(b, "READ_VARIABLE", [handle(b, "mean")], "old mean", "float32")
    mean.shape = (1, UNITS)
    weights = b.constant("w", normal(rng, UNITS, INPUTS))
    new = add(b, "FULLY_CONNECTED", [x, weights, None], "new", keep_num_dims=True, fused_activation_function="RELU")
    every = add(b, "CONCATENATION", [last, new], "every", axis=1)
    ends = [
        b.constant(name, np.int32(ends)) for name, ends in (("a", [0, 2, 0]), ("b", [1, 6, UNITS]), ("c", [1, 1, 1]))
    ]
    assign_to(b, "last", add(b, "STRIDED_SLICE", [every, *ends], "kept"))
    now = add(b, "MEAN", [every, b.constant("axis", np.int32([1]))], "now")
    parts = [
        add(b, "MUL", [t, b.constant(f"share of {t.name}", np.float32([share]))], f"{t.name} in part")
        for t, share in ((mean, 0.75), (now, 0.25))
    ]
    mean = add(b, "ADD", parts, "new mean")
    assign_to(b, "mean", mean)
    y = add(b, "FULLY_CONNECTED", [mean, b.constant("dense", normal(rng, 3, UNITS)), None], "y")
    model = b.model([y])
    model.subgraphs.append(once.model([]).main)
    model.main.nodes[0].subgraphs["init_subgraph_index"] = model.subgraphs[1]
    return model


def test_variables_have_one_scale(oracle_of: Callable[[str], Oracle]) -> None:
    model = stream()
    made = assign(model, "int8", feeds_of(model, 60))
    small = apply(made)
    assert not made.kept_float
    assert [n.op for n in small.main.nodes if n.op.endswith("QUANTIZE")] == ["QUANTIZE", "DEQUANTIZE"]
    reads = [n.outputs[0].quantization for n in small.main.nodes if n.op == "READ_VARIABLE"]
    for graph in small.subgraphs:
        assigned = [n.inputs[1] for n in graph.nodes if n.op == "ASSIGN_VARIABLE"]
        assert sorted(map(str, (t.quantization for t in assigned if t))) == sorted(map(str, reads))
    feeds = feeds_of(model, 100, seed=1)
    found = runs_as_oracles(small, feeds, oracle_of)
    assert decibels(model, found, feeds) > 25
    again = pq.dequantize(small)
    assert {t.dtype.name for s in again.subgraphs for n in s.nodes for t in n.outputs} == {"float32", "resource"}
    assert decibels(again, found, feeds) > 25
    third = pq.quantize(again, "int8", data=feeds_of(model, 60))
    assert decibels(model, runs_as_oracles(third, feeds, oracle_of), feeds) > 25


def test_a_fixed_scale_enters_a_variable_by_a_copy_unless_all_are_fixed(oracle_of: Callable[[str], Oracle]) -> None:
    """What is read meets greater values, and is of their scale."""
    b, once = Builder(), Builder("once")
    assign_to(once, "gate", once.constant("first", np.float32([[5.0, -3.0]])))
    b.node("CALL_ONCE", [], [], Record("CallOnceOptions"))
    x = b.input("x", (1, 2))
    old = add(b, "READ_VARIABLE", [handle(b, "gate")], "old", "float32")
    old.shape = (1, 2)
    both = add(b, "CONCATENATION", [old, x], "both", axis=1)
    assign_to(b, "gate", add(b, "LOGISTIC", [x], "gate"))
    model = b.model([both])
    model.subgraphs.append(once.model([]).main)
    model.main.nodes[0].subgraphs["init_subgraph_index"] = model.subgraphs[1]
    feeds = [[8 * arrays[0]] for arrays in feeds_of(model, 30)]
    small = pq.quantize(model, "int8", data=feeds)
    assert decibels(model, runs_as_oracles(small, feeds, oracle_of), feeds) > 30


def test_a_variable_with_a_float_user_stays_float(oracle_of: Callable[[str], Oracle]) -> None:
    model = stream()
    made = assign(model, "int8", feeds_of(model, 60), keep_float=["old mean$"])
    reason = "not all that reads or assigns its variable can be quantized alike"
    left = "the recipe leaves it"
    assert made.kept_float == [
        ("READ_VARIABLE 'old mean'", left),
        ("ASSIGN_VARIABLE", reason),
        ("ASSIGN_VARIABLE", reason),
    ]
    feeds = feeds_of(model, 50, seed=1)
    assert decibels(model, runs_as_oracles(apply(made), feeds, oracle_of, 5e-2), feeds) > 20


def test_states_go_on_within_one_iterable_and_begin_anew_in_each() -> None:
    model, feeds = stream(), feeds_of(stream(), 12)
    whole, first, second = (pq.calibrate(model, part) for part in (feeds, feeds[:6], feeds[6:]))
    (mean,) = (t for t in model.main.tensors if t.name == "new mean")
    session = pq.compile(model, keep=[mean]).session()
    values = [session.run(*arrays)[mean] for arrays in feeds]
    assert (whole[mean].low, whole[mean].high) == (np.min(values), np.max(values))
    session.reset()
    values = [session.run(*arrays)[mean] for arrays in feeds[6:]]
    assert (
        (second[mean].low, second[mean].high) == (np.min(values), np.max(values)) != (first[mean].low, first[mean].high)
    )


def layer(b: Builder, x: Tensor, name: str, weights: np.ndarray) -> Tensor:
    return add(b, "FULLY_CONNECTED", [x, b.constant(f"{name}/w", weights), None], name)


def flows() -> Model:
    """A loop of four rounds, and a choice between two layers by the sign of a mean."""
    rng, b = np.random.default_rng(9), Builder()
    condition, body, positive, negative = (Builder(name) for name in ("condition", "body", "positive", "negative"))
    i, seen = condition.input("i", (), "float32"), condition.input("v", (2, UNITS))
    more = condition.model([add(condition, "LESS", [i, condition.constant("rounds", np.float32(4))], "more", "bool")])
    more.main.tensors.append(seen) if seen not in more.main.tensors else None
    i, v = body.input("i", (), "float32"), body.input("v", (2, UNITS))
    turned = add(body, "TANH", [layer(body, v, "turned", normal(rng, UNITS, UNITS))], "bounded")
    rounds = body.model([add(body, "ADD", [i, body.constant("one", np.float32(1))], "next"), turned])
    ways = [
        way.model([layer(way, way.input("v", (2, UNITS)), "y", normal(rng, 3, UNITS))]) for way in (positive, negative)
    ]
    x = b.input("x", (2, INPUTS))
    first = layer(b, x, "first", normal(rng, UNITS, INPUTS))
    ends = [b.tensor("count", ()), b.tensor("last", (2, UNITS))]
    loop = b.node("WHILE", [b.constant("zero", np.float32(0)), first], ends, Record("WhileOptions"))
    total = add(b, "MEAN", [x, b.constant("axes", np.int32([0, 1]))], "total")
    sign = add(b, "GREATER", [total, b.constant("none", np.float32(0))], "sign", "bool")
    y = b.tensor("y", (2, 3))
    choice = b.node("IF", [sign, ends[1]], [y], Record("IfOptions"))
    model = b.model([layer(b, y, "z", normal(rng, 3, 3))])
    model.subgraphs += [m.main for m in (more, rounds, *ways)]
    loop.subgraphs = dict(zip(("cond_subgraph_index", "body_subgraph_index"), model.subgraphs[1:3], strict=True))
    choice.subgraphs = dict(zip(("then_subgraph_index", "else_subgraph_index"), model.subgraphs[3:], strict=True))
    return model


def test_subgraphs_of_control_flow_are_quantized_inside(oracle_of: Callable[[str], Oracle]) -> None:
    model = flows()
    made = assign(model, "int8", feeds_of(model, 40))
    small = apply(made)
    assert {label for label, _ in made.kept_float} == {"WHILE 'count'", "IF 'y'", "LESS 'more'", "ADD 'next'"}
    assert [{t.dtype.name for t in (*s.inputs, *s.outputs)} for s in small.subgraphs] == [
        {"float32"}, {"float32", "bool"}, *[{"float32"}] * 3,
    ]  # fmt: skip
    assert kinds(small)["FULLY_CONNECTED"] == {"int8", "int32"} and kinds(small)["TANH"] == {"int8"}
    feeds = feeds_of(model, 20, seed=1)
    assert decibels(model, runs_as_oracles(small, feeds, oracle_of), feeds) > 20
    again = pq.dequantize(small)
    assert kinds(again)["FULLY_CONNECTED"] == {"float32"} and "QUANTIZE" not in kinds(again)
    assert decibels(model, runs_as_oracles(again, feeds, oracle_of, 1e-5), feeds) > 30


def test_weights_in_subgraphs_of_control_flow(oracle_of: Callable[[str], Oracle]) -> None:
    model = flows()
    feeds = feeds_of(model, 20, seed=1)
    for scheme in ("dynamic", "float16"):
        small = pq.quantize(model, scheme, min_weight_elements=1, per_channel=False)
        assert decibels(model, runs_as_oracles(small, feeds, oracle_of, 1e-5), feeds) > 25


def two_signatures() -> Model:
    """One layer of the same weights behind each, of inputs of other ranges."""
    rng, weights = np.random.default_rng(10), normal(np.random.default_rng(11), UNITS, INPUTS)
    models = []
    for key, scale in (("narrow", 1.0), ("wide", 20.0)):
        b = Builder(key)
        x = b.input(f"{key} x", (1, INPUTS))
        scaled = add(b, "MUL", [x, b.constant("scale", np.float32([scale]))], f"{key} scaled")
        made = b.model([layer(b, layer(b, scaled, f"{key} first", weights), f"{key} y", normal(rng, 3, UNITS))])
        made.signatures = [Signature(key, made.main, [("x", x)], [("y", made.main.outputs[0])])]
        models.append(made)
    model, other = models
    for node, twin in zip(other.main.nodes[1:2], model.main.nodes[1:2], strict=True):
        node.inputs[1].buffer = twin.inputs[1].buffer  # type: ignore[union-attr]
    model.subgraphs += other.subgraphs
    model.signatures += other.signatures
    return model


@pytest.mark.parametrize("ends", ("float32", "int8"))
def test_signatures_have_data_of_their_own(ends: str, oracle_of: Callable[[str], Oracle]) -> None:
    model, rng = two_signatures(), np.random.default_rng(0)
    data = [
        (key, {"x": rng.normal(0, 1, (1, INPUTS)).astype(np.float32)}) for key in ("narrow", "wide") for _ in range(40)
    ]
    small = pq.quantize(model, "int8", data=data, input_type=ends, output_type=ends)
    assert kinds(small)["FULLY_CONNECTED"] == {"int8", "int32"}
    shared = [s.nodes[-2 if ends == "int8" else -3].inputs[1] for s in small.subgraphs]
    assert shared[0] is not None and shared[1] is not None and shared[0].buffer is shared[1].buffer
    assert {t.dtype.name for s in small.subgraphs for t in (*s.inputs, *s.outputs)} == {ends}
    for signature in small.signatures:
        ((_, x),), ((_, y),) = signature.inputs, signature.outputs
        assert x in signature.subgraph.inputs and y in signature.subgraph.outputs
    if ends == "int8":
        return
    for graph, twin in zip(model.subgraphs, small.subgraphs, strict=True):
        plans = [pq.compile(m, subgraph=g) for m, g in ((model, graph), (small, twin))]
        values = [[plan(sample["x"]) for _, sample in data[:20]] for plan in plans]
        error = np.square(np.subtract(*values)).sum() / np.square(values[0]).sum()
        assert error < 10**-2.5
    (narrow, wide) = (pq.calibrate(model, data)[s.outputs[0]].high for s in model.subgraphs)
    assert wide > 5 * narrow


def test_a_signature_without_data_stays_float(oracle_of: Callable[[str], Oracle]) -> None:
    model = two_signatures()
    made = assign(model, "int8", feeds_of(model, 20))
    reason = "outside the main subgraph, and its values were not observed"
    labels = ("MUL 'wide scaled'", "FULLY_CONNECTED 'wide first'", "FULLY_CONNECTED 'wide y'")
    assert made.kept_float == [(label, reason) for label in labels]
    small = apply(made)
    narrow, wide = (pq.compile(small, subgraph=graph) for graph in small.subgraphs)
    assert {t.dtype.name for t in wide.steps[0].inputs if t} == {"float32"}
    runs_as_oracles(small, feeds_of(model, 5), oracle_of)
    assert narrow.steps[0].op == "QUANTIZE"


def test_gates_that_integers_cut_off_are_noted() -> None:
    model = lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", False, False, False, False)
    assert not assign(model, "int8", feeds_of(model, 8)).notes
    notes = assign(model, "int8", [[20 * array for array in arrays] for arrays in feeds_of(model, 8)]).notes
    assert len(notes) == 4 and all("goes beyond 8, where kernels of integers cut it off" in note for note in notes)


RECURRENT = ("tflm_examples/trained_lstm_int8", "tflm_examples/keyword_scrambled", "edgetpu_pairs/keras_lstm_mnist_ptq")


@pytest.mark.parametrize("name", RECURRENT)
def test_quantized_cells_become_float_and_integers_again(
    name: str, data_folder: Path, oracle_of: Callable[[str], Oracle]
) -> None:
    """Images for the models that learned some; the weights of the other one are scrambled."""
    model, rng = pq.open(data_folder / f"models/{name}.tflite"), np.random.default_rng(0)
    again = pq.dequantize(model)
    assert {t.dtype.name for n in again.main.nodes for t in n.outputs} == {"float32"}
    source = model.main.inputs[0]
    images = [(rng.random(source.shape) * (rng.random(source.shape) < 0.3)).astype(np.float32) for _ in range(60)]
    small = pq.quantize(again, "int8", data=images[:40])
    assert all("float32" not in kinds(small)[n.op] for n in small.main.nodes if not n.op.endswith("QUANTIZE"))
    found = runs_as_oracles(small, [[image] for image in images[40:]], oracle_of)
    assert name.endswith("scrambled") or decibels(again, found, [[image] for image in images[40:]]) > 25


def test_cells_of_another_signature() -> None:
    """They are observed as those of the main subgraph; its own values go on as they are."""
    model, other = cell("RNN"), lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", False, False, True, True)
    ends = [(key, m.main.inputs, m.main.outputs) for key, m in (("first", model), ("second", other))]
    model.subgraphs += other.subgraphs
    model.signatures = [
        Signature(key, graph, [("x", x[0])], [("y", y[0])])
        for graph, (key, x, y) in zip(model.subgraphs, ends, strict=True)
    ]
    feeds = [
        (key, {"x": arrays[0]}) for key, m in (("first", cell("RNN")), ("second", other)) for arrays in feeds_of(m, 24)
    ]
    made = assign(model, "int8", feeds)
    assert made.kept_float == [("RNN 'y'", "TFLite has no int8 kernel for RNN")]
    alone = pq.quantize(other, "int8", data=[arrays for _, arrays in feeds[24:]])
    (of_both, of_one) = (s.nodes[1].inputs for s in (apply(made).subgraphs[1], alone.main))
    assert [t and t.quantization for t in of_both] == [t and t.quantization for t in of_one]


def test_long_memories_do_not_overflow(oracle_of: Callable[[str], Oracle]) -> None:
    """Of a state that is the same and greatest all the time, all of which a unit sums."""
    b, ones = Builder(), np.ones((4, 40), np.float32)
    x, state = b.input("x", (1, 1)), b.tensor("state", (1, 160), is_variable=True)
    weights = [b.constant("feature", ones[:, :1]), b.constant("time", ones), b.constant("bias", np.float32([-70, 70]))]
    y = add(b, "SVDF", [x, *weights, state], "y", rank=2, fused_activation_function="RELU")
    model = b.model([y])
    feeds = [[np.float32([[1]])]] * 60
    small = pq.quantize(model, "int8", data=feeds)
    assert decibels(model, runs_as_oracles(small, feeds, oracle_of), feeds) > 40


CONVERTED = ("lstm_calibrated2", "svdf_calibrated", "unidirectional_sequence_lstm_calibrated")


@pytest.mark.parametrize("name", CONVERTED)
def test_scales_are_those_of_tensorflows_converter(name: str, data_folder: Path) -> None:
    """From the ranges that its test models have, but for what its kernels would cut off or let overflow."""
    folder = data_folder / "models/single_ops/litert"
    before, after = (
        pq.open(folder / f"tflite__converter__quantization__lite__testdata__{stem}.tflite")
        for stem in (name, name.replace("calibrated", "quantized"))
    )
    known = {t: t.quantization.extra for t in before.main.tensors if t.quantization is not None}
    ranges = {t: pq.Range(float(e["min"][0]), float(e["max"][0])) for t, e in known.items() if "min" in e}
    ours, theirs = (
        next(n for n in m.main.nodes if not n.op.endswith("QUANTIZE"))
        for m in (apply(solve(before, SCHEMES["int8"], ranges)), after)
    )
    better = {"SVDF": (2, 3)}.get(ours.op, (17,))
    for i, (a, b) in enumerate(zip((*ours.inputs, *ours.outputs), (*theirs.inputs, *theirs.outputs), strict=True)):
        if a is None or b is None or i in better:
            assert (a is None) == (b is None)
            continue
        assert a.dtype == b.dtype and a.quantization == b.quantization, i
        if a.is_constant:
            assert np.abs(np.subtract(a.data, b.data, dtype=np.int64)).max() <= 1


@pytest.mark.parametrize("make", (stream, flows, lambda: svdf("RELU")), ids=("stream", "flows", "svdf"))
def test_ranges_are_searched_in_models_with_states_and_subgraphs(
    make: Callable[[], Model], oracle_of: Callable[[str], Oracle]
) -> None:
    model = make()
    small = pq.quantize(model, "int8", data=feeds_of(model, 24), accuracy="best")
    feeds = feeds_of(model, 12, seed=1)
    assert decibels(model, runs_as_oracles(small, feeds, oracle_of), feeds) > 18


def test_statistics_of_small_weights_serve_the_float_model() -> None:
    """By the names of tensors, as their order is another."""
    small = pq.quantize(
        lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", False, False, True, True), "dynamic", min_weight_elements=1
    )
    feeds = feeds_of(small, 12)
    made, direct = (assign(small, "int8", data) for data in (collect(small, feeds), feeds))
    assert not made.kept_float and len(made.produced) == len(direct.produced) > 6
