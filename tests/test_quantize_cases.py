"""Every operator that can be quantized, under every scheme: its rows as files, in runtimes, against ours and float."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from cases.case import Case
from test_ops import FUSED, NUMERICS, ROWS, check

import pyquant as pq
from pyquant.dtypes import FLOAT32
from pyquant.errors import OracleError, RecipeError
from pyquant.graph import Model, Tensor
from pyquant.graph.real import real, real_values
from pyquant.ops import OPERATORS
from pyquant.ops.checked import CHECKED
from pyquant.ops.versions import FIRST_VERSION
from pyquant.quantize import Assignments, Rule, apply
from pyquant.see.operators import quantizable
from pyquant.validate import RUNTIMES, Oracle

SCHEMES = {
    "int8": Rule(weights="int8", activations="int8"),
    "int16x8": Rule(weights="int8", activations="int16"),
    "int4x8": Rule(weights="int4", activations="int8"),
    "dynamic": Rule(weights="int8"),
    "dynamic per tensor": Rule(weights="int8", granularity="tensor"),
    "dynamic int4": Rule(weights="int4"),
    "dynamic int2": Rule(weights="int2"),
    "weights int8": Rule(weights="int8", cast_weights=True),
    "weights int4": Rule(weights="int4", cast_weights=True),
    "float16": Rule(weights="float16", cast_weights=True),
    "bfloat16": Rule(weights="bfloat16", cast_weights=True),
}
# Steps of the output by which integer kernels may be off: half of one for rounding, and for multipliers of 31 bits as
# much at most; those of int16 kernels have 16 bits, which the largest codes tell.
ROUNDING = {"int8": 1.001, "int16": 2.001}
TIMES = {"REDUCE_PROD": 2}  # as often, as it rounds after each factor
# Steps of the input that kernels do not tell apart: tables of int16 have a line for 128 codes in a row; RESIZE_BILINEAR
# has coordinates of 10 bits, whose error grows with the image.
REACH = {(op, "int16"): 128.0 for op in ("EXP", "GELU", "LOG", "RSQRT")}
COORDINATES = {"RESIZE_BILINEAR": 2.0**-10}
TAIL = 2.0**-14  # that SOFTMAX of int16 makes of what is far below the greatest input: e^-10 in 16 bits
CLOSE = 1e-6  # of sums of floats, and of optimized kernels that dequantize: less than a step of any code
CLOSE_OF = {"TRANSPOSE_CONV": 4e-6}  # as measured: its hybrid kernels add up floats
FUSED_OF = {"FULLY_CONNECTED": 2 * FUSED}  # a row clamps sums to less than they are
# Steps of the output by which optimized kernels differ from the formula, where no reference kernel is right.
APART = {"SUM-int8": 1, "SUM-int16x8": 1, "DEPTHWISE_CONV_2D-int4x8": 1}

POSITIVE = ("DIV", "FLOOR_DIV", "RSQRT", "SQRT")  # whose kernels refuse codes of other values


def rows_of(op: str) -> list[Case]:
    """The float rows of which a runtime makes what ours does."""
    return [case for case in ROWS.values() if case.op == op and case.oracles and is_float(case)]


def is_float(case: Case) -> bool:
    kinds = {value.dtype for value in case.inputs if value is not None}
    scaled = any(value is not None and (value.variable or value.scale is not None) for value in case.inputs)
    return "float32" in kinds and not scaled


def feeds_of(case: Case) -> list[np.ndarray]:
    """What a row is fed; where that has NaN or infinity, for which there are no codes, what is left of it in bounds."""
    feeds = case.feeds()
    if all(np.isfinite(feed).all() for feed in feeds if feed.dtype == np.float32):
        return feeds
    low = 0.5 if case.op in POSITIVE else -8.0
    return [np.float32(np.clip(np.nan_to_num(x), low, 8)) if x.dtype == np.float32 else x for x in feeds]


def is_quantizable(op: str) -> bool:
    """Those with states have tests of their own."""
    operator = OPERATORS[op]
    real = any(slot.role == "activation" for slot in operator.inputs)
    return operator.ranged and not operator.cast and not operator.stateful and real


EVERY = {
    f"{op}-{scheme}": (op, scheme)
    for op in sorted(OPERATORS)
    if is_quantizable(op) and rows_of(op)
    for scheme in SCHEMES
    if OPERATORS[op].weighted or scheme in ("int8", "int16x8")
}


# Of the schemes that the table of quantizable operators has, how it calls them, and whom it names.
NAMED = {"int8": "int8", "int16x8": "int16x8", "dynamic": "dynamic range", "weights int8": "weight only"}
CLAIMED = {one.operator: one.by for one in quantizable()}


@pytest.mark.parametrize("name", EVERY)
def test_files_run_and_are_near_float(name: str, oracle_of: Callable[[str], Oracle]) -> None:
    op, scheme = EVERY[name]
    rule, made = SCHEMES[scheme], 0
    for case in rows_of(op):
        decided, feeds = decide(case, rule), feeds_of(case)
        if isinstance(decided, str):
            continue
        (kind,), small, made = decided.kinds.values(), apply(decided), made + 1
        runs_as_ours(case, kind, rule, small, feeds, APART.get(name, 0), oracle_of)
        if rule.is_static:
            near_float(case, case.model(), small, feeds)
    if scheme in NAMED:
        assert bool(made) == (op in CLAIMED and "pyquant" in CLAIMED[op][NAMED[scheme]])
    if not made:
        pytest.skip("it stays float")


# Why single rows stay float.
WHYS = {
    "they have no elements": r"has no elements",
    "one scale would leave few levels to a part": r"levels under one scale",
    "no kernel takes their form": r"no runtime computes \w+ of this form of",
    "no kernel takes their scales": r"needs scale \S+, and kernels take those below",
}


def test_rows_that_stay_float_are_told() -> None:
    found = Counter[str]()
    for op, scheme in EVERY.values():
        every = [decide(case, SCHEMES[scheme]) for case in rows_of(op)]
        reasons = [each for each in every if isinstance(each, str)]
        if len(reasons) < len(every):
            found.update(next(why for why, told in WHYS.items() if re.search(told, reason)) for reason in reasons)
    pytest.skip("rows that stay float: " + ", ".join(f"{n} as {why}" for why, n in found.items()))


def decide(case: Case, rule: Rule) -> Assignments | str:
    """How a row is quantized, or why it stays float."""
    feeds = feeds_of(case)
    try:
        made = pq.assign(case.model(), [rule], data=[feeds], newer_kernels=True)
    except RecipeError as refusal:
        return str(refusal).partition("converts no operator of this model: ")[2]
    if "hybrid" in made.kinds.values() and not all(feed.size for feed in feeds):
        return "it has no elements, of which no runtime takes any with weights of other types"
    return made


def runs_as_ours(
    case: Case,
    kind: str,
    rule: Rule,
    small: Model,
    feeds: list[np.ndarray],
    apart: int,
    oracle_of: Callable[[str], Oracle],
) -> None:
    """One runtime at least loads the file as it is and equals ours, up to some steps; others may refuse it."""
    lowered = small.copy()
    for node in lowered.main.nodes:  # versions only gate, and the registry of reference kernels lags behind
        node.opcode.version = FIRST_VERSION.get(node.op, 1)
    refusals = []
    for runtime, resolver in runtimes(case, kind, rule):
        oracle = oracle_of(runtime)
        try:
            oracle.load(small, "optimized")
            oracle.load(lowered, resolver)
            theirs = list(oracle.run(feeds).values())
        except OracleError as refusal:
            refusals.append(str(refusal))
            continue
        values = pq.interpret(small, feeds, NUMERICS[runtime])
        ours = [values[tensor] for tensor in small.main.outputs]
        exact = rule.is_static and resolver == "reference"
        if apart:
            (made,) = (node.outputs[0] for node in small.main.nodes if node.op == case.op)
            most = (apart + (made.dtype.hi or 0) * 2.0**-23) * float(made.scale)  # of codes as float32
            assert all(np.abs(a - b).max(initial=0) <= most for a, b in zip(ours, theirs, strict=True))
        else:
            check(ours, theirs, 0 if exact else max(case.tolerance, CLOSE_OF.get(case.op, CLOSE)))
        planned = pq.compile(small, numerics=NUMERICS[runtime])(*feeds)
        in_float = 0 if rule.is_static else max(case.tolerance, FUSED_OF.get(case.op, FUSED))
        check([planned] if isinstance(planned, np.ndarray) else planned, ours, in_float)
    assert len(refusals) < len(runtimes(case, kind, rule)), refusals


def runtimes(case: Case, kind: str, rule: Rule) -> list[tuple[str, str]]:
    """Who runs an operator in a kind, and by which kernels: as its rows were compared."""
    few = rule.weights in ("int4", "int2", "bfloat16")  # of which tflite-runtime 2.14 makes nonsense, or refuses it
    told = next(by for by, kinds in CHECKED[case.op].items() if kind in kinds.split())
    if few and case.op == "DEPTHWISE_CONV_2D" and rule.is_static:
        told = "both optimized"
    resolver = "optimized" if "optimized" in told else "reference"
    names = [name for name in RUNTIMES if "both" in told or name in told]
    alike = [name for name in names if any(one.startswith(name) for one in case.oracles)] or names
    return [(name, resolver) for name in alike if not few or name == "ai-edge-litert"]


def near_float(case: Case, model: Model, small: Model, feeds: list[np.ndarray]) -> None:
    """The output lies among what float makes of inputs within a step of those that the codes stand for."""
    values = pq.interpret(small, feeds, keep="all")
    (after,) = (node for node in small.main.nodes if node.op == case.op)
    (before,) = model.main.nodes
    given: dict[Tensor, np.ndarray] = dict(zip(model.main.inputs, feeds, strict=True))
    steps: dict[Tensor, float] = {}
    for i, new in enumerate(after.inputs):
        old = before.inputs[i] if i < len(before.inputs) else None
        if old is None and new is not None:  # a bias that corrects what rounding does to means
            old = Tensor(new.name, new.shape, FLOAT32)
            old.data = np.zeros(new.shape, np.float32)
            before.inputs[i : i + 1] = [old]
            model.main.tensors.append(old)
        if old is None or new is None or old.dtype is not FLOAT32:
            continue
        if old.is_constant:
            old.data = real_values(new).astype(np.float32).reshape(old.shape)
        elif new.quantization is not None:
            given[old] = real(values[new], new.quantization).astype(np.float32)
            reach = REACH.get((case.op, new.dtype.name), 1.0)
            if case.op in COORDINATES:
                reach += COORDINATES[case.op] * max(after.outputs[0].shape) * 2**new.dtype.bits
            steps[old] = float(new.quantization.scale[0]) * reach
    trials = [
        {t: x + np.float32(sign.get(t, 0) * steps[t]) if t in steps else x for t, x in given.items()}
        for sign in signs(list(steps))
    ]
    every = [pq.interpret(model, list(trial.values())) for trial in trials]
    for old, new in zip(before.outputs, after.outputs, strict=True):
        made = np.stack([found[old].astype(np.float64) for found in every])
        bounded = np.isfinite(made).all(axis=0)
        low, high = np.where(bounded, made.min(axis=0), -np.inf), np.where(bounded, made.max(axis=0), np.inf)
        if case.op in ("EQUAL", "NOT_EQUAL"):  # inputs may have the same code that are not the same
            a, b = steps
            near = np.abs(given[a] - given[b]) <= steps[a] + steps[b]
            low, high = np.where(near, 0, low), np.where(near, 1, high)
        found, slack = values[new].astype(np.float64), 0.0
        if new.is_quantized and new.quantization is not None:
            found, step = real(values[new], new.quantization), float(new.quantization.scale[0])
            zero = int(new.quantization.zero_point[0])
            slack = step * ROUNDING[new.dtype.name] * TIMES.get(case.op, 1)
            if (case.op, new.dtype.name) == ("SOFTMAX", "int16"):
                slack += TAIL * new.shape[-1]
            ends = [(end - zero) * step for end in (new.dtype.lo or 0, new.dtype.hi or 0)]
            low, high = np.clip(low, *ends), np.clip(high, *ends)
        beyond = np.maximum(low - found, found - high) - slack
        assert beyond.max(initial=0) <= 0, f"{case.id}: {beyond.max() / (slack or 1):.3g} times what is allowed"


def signs(tensors: list[Tensor]) -> list[dict[Tensor, int]]:
    """None moved, and each combination of inputs moved up or down; of many inputs all at once."""
    if len(tensors) > 2:
        return [{}, *(dict.fromkeys(tensors, sign) for sign in (-1, 1))]
    return [{}, *(dict(zip(tensors, each, strict=True)) for each in product((-1, 1), repeat=len(tensors)))]
