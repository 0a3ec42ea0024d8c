"""Strings in plans: fed in every form, kept beside the arena, compared with the runtimes, refused elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyquant as pq
from pyquant.errors import DataError, GraphError, RangeError, ShapeError, UnsupportedOp
from pyquant.graph import Buffer
from pyquant.ops.build import add
from pyquant.run import Limits
from pyquant.validate import RUNTIMES, Oracle
from pyquant.wire import Record

WORDS = np.array([b"", b"a\0", b"\xff", "\u00e9".encode()], object)


def picking() -> pq.Model:
    """Picks of four words, and whether each of them is the word "a"."""
    b = pq.Builder()
    x, at = b.input("words", (4,), "string"), b.input("at", (3,), "int32")
    picked = add(b, "GATHER", [x, at], "picked")
    same = add(b, "EQUAL", [picked, b.constant("a", np.array(["a"]), "string")], "same", "bool")
    return b.model([add(b, "RESHAPE", [picked, b.constant("shape", np.int32([3, 1]))], "column"), same])


def single(op: str, *inputs: Any, made: str = "string", **options: Any) -> pq.Model:
    """One operator; an input is an array, or (shape, type) of one that is fed."""
    b = pq.Builder()
    given = [
        b.input(f"x{i}", *x)
        if isinstance(x, tuple)
        else b.constant(f"c{i}", x, "string" if x.dtype.hasobject else None)
        for i, x in enumerate(inputs)
    ]
    return b.model([add(b, op, given, "y", made, **options)])


@pytest.mark.parametrize(
    "words",
    [
        np.array([b"ab", b"", b"c", b"a"]),
        np.array(["ab", "", "c", "a"]),
        np.array([b"ab", "", "c", b"a"], object),
        ["ab", b"", "c", "a"],
    ],
    ids=["bytes", "text", "objects", "list"],
)
def test_every_form_of_strings_is_taken(words: Any) -> None:
    column, same = pq.compile(picking())(words, np.int32([0, 3, 1]))
    assert column.dtype == object and column.tolist() == [[b"ab"], [b"a"], [b""]]
    assert same.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "words, error",
    [
        (np.arange(4), "found an element of type int, expected bytes or str"),
        ([b"a", "b", None, b"c"], "found an element of type NoneType"),
        (WORDS[:3], r"found shape \(3,\), expected \(4,\)"),
    ],
    ids=["numbers", "none", "shape"],
)
def test_other_inputs_are_refused(words: Any, error: str) -> None:
    with pytest.raises(ShapeError if "shape" in error else DataError, match=f"'words': {error}"):
        pq.compile(picking())(words, np.int32([0, 0, 0]))
    with pytest.raises(DataError, match="'at': found element type object, expected int32"):
        pq.compile(picking())(WORDS, np.array([b"a"] * 3, object))


def test_a_session_keeps_strings() -> None:
    model = picking()
    plan = pq.compile(model, keep="all")
    session = plan.session()
    found = session.run(WORDS, np.int32([1, 2, 3]))
    assert {t.name: value.ravel().tolist() for t, value in found.items()} == {
        "words": WORDS.tolist(),
        "at": [1, 2, 3],
        "picked": WORDS[1:].tolist(),
        "column": WORDS[1:].tolist(),
        "same": [False] * 3,
    }
    assert plan.arena_bytes == 2 * 64, "strings lie beside the arena, numbers in it"
    assert plan.session().value(model.main.inputs[0]).tolist() == [b""] * 4, "before anything is written"
    assert len(plan.profile(runs=1)) == 3


def test_shapes_that_only_a_run_knows() -> None:
    plan = pq.compile(single("RESHAPE", ((4,), "string"), ((2,), "int32")))
    assert plan(WORDS, np.int32([2, -1])).tolist() == WORDS.reshape(2, 2).tolist()


def test_constants_are_folded() -> None:
    plan = pq.compile(single("TILE", WORDS, np.int32([2])))
    assert [step.kernel for step in plan.steps] == ["constant"]
    assert plan().tolist() == [*WORDS, *WORDS]


def test_a_branch_on_strings() -> None:
    def body(name: str, at: int) -> pq.Subgraph:
        b = pq.Builder(name)
        x = b.input("words", (4,), "string")
        return b.model([add(b, "GATHER", [x, b.constant("at", np.int32([at]))], "word")]).main

    b = pq.Builder()
    condition, x = b.input("condition", (), "bool"), b.input("words", (4,), "string")
    word = b.tensor("word", (1,), "string")
    node = b.node("IF", [condition, x], [word], Record("IfOptions"))
    model = b.model([word])
    node.subgraphs = {"then_subgraph_index": body("yes", 3), "else_subgraph_index": body("no", 1)}
    model.subgraphs += node.subgraphs.values()
    plan = pq.compile(model)
    assert [plan(np.bool_(yes), WORDS).tolist() for yes in (True, False)] == [[WORDS[3]], [WORDS[1]]]


@pytest.mark.parametrize(
    "model, error, message",
    [
        (lambda: single("ADD", WORDS, WORDS), UnsupportedOp, r"\(string, string\) -> \(string\): no kernel and no ref"),
        (
            lambda: single("MUL", np.int32([2]), WORDS, made="int32"),
            GraphError,
            "are int32 and string, expected one type",
        ),
        (lambda: single("EQUAL", WORDS, np.int32([2]), made="bool"), GraphError, "are string and int32, expected one"),
        (
            lambda: single("PACK", np.int32([2]), WORDS[:1], made="int32", values_count=2),
            UnsupportedOp,
            r"\(int32, string\) -> \(int32\): no kernel",
        ),
        (lambda: single("CONCATENATION", WORDS, WORDS), UnsupportedOp, r"\(string, string\)"),
        (
            lambda: single("GATHER", np.int32([2]), WORDS, made="int32"),
            GraphError,
            "'indices' is string, expected whole",
        ),
        (lambda: single("GATHER", WORDS, np.int32([0]), made="int8"), GraphError, "'y' is int8, expected string"),
        (lambda: single("GATHER", WORDS, np.int32([4])), RangeError, "an index is outside the 4 elements"),
    ],
    ids=["add", "mul", "equal", "pack", "concatenation", "indices", "output", "range"],
)
def test_other_operators_refuse_strings(model: Callable[[], pq.Model], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        pq.compile(model())


def test_a_broken_buffer_is_named() -> None:
    model = single("EQUAL", WORDS, ((4,), "string"), made="bool")
    model.main.nodes[0].inputs[0].buffer = Buffer(np.full(9, 200, np.uint8))
    with pytest.raises(GraphError, match=r"tensor 'c0': found .* strings in 9 bytes, expected 4"):
        pq.compile(model)


def test_memory_is_counted_before_it_is_taken() -> None:
    long = np.array([b"a" * 1000] * 4, object)
    folded = single("TILE", long, np.int32([1000]))
    pq.compile(folded, limits=Limits(1 << 24, 10**9))
    with pytest.raises(RangeError, match="the limit is 4000000"):
        pq.compile(folded, limits=Limits(4_000_000, 10**9))
    with pytest.raises(RangeError, match="bytes, the limit is 2000"):
        pq.compile(single("TILE", ((4,), "string"), np.int32([100])), limits=Limits(2000, 10**9))


def test_variables_start_empty() -> None:
    b = pq.Builder()
    state = b.tensor("state", (2,), "string", is_variable=True)
    assert (
        pq.compile(b.model([add(b, "TILE", [state, b.constant("times", np.int32([2]))], "y")]))().tolist() == [b""] * 4
    )


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_strings_are_validated(runtime: str, oracle_of: Callable[[str], Oracle], tmp_path: Path) -> None:
    oracle_of(runtime)
    data = [(np.array([b"", b"a", b"\xff", b"b"], object), np.int32([i, 3, 1])) for i in range(3)]
    report = pq.validate(picking(), runtime, data, golden=tmp_path / "golden")
    assert report.ok and [t.elements for t in report.tensors] == [9, 9, 9], str(report)
    assert pq.validate(picking(), golden=tmp_path / "golden").ok
    other = picking()
    other.main.nodes[2].inputs[1].data = np.int32([3, 1])
    other.main.nodes[1].inputs[1].data = np.array(["b"], object)
    assert not pq.validate(picking(), other, data, min_sqnr=100).ok


def test_what_a_file_of_arrays_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a string ends in a NUL byte"):
        pq.validate(picking(), "litert", [(WORDS, np.int32([1, 1, 1]))], golden=tmp_path / "golden")


def test_more_strings_than_the_limit_are_refused() -> None:
    b = pq.Builder()
    x = b.input("words", (2**30,), "string")
    with pytest.raises(RangeError, match="the limit is"):
        pq.compile(b.model([x]))
