"""What can be done to a model so that the Edge TPU compiler maps more of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pyquant.compress import decode_sparse, decompress_lut
from pyquant.dtypes import FLOAT32
from pyquant.edgetpu.predict import Prediction, check, foremost
from pyquant.errors import PyQuantError
from pyquant.graph import Model, Node
from pyquant.rewrite import batch, compat, io_type
from pyquant.rewrite.links import call_of
from pyquant.table import short
from pyquant.targets.edgetpu import EDGETPU

ENDS = ("int8", "uint8")  # types of inputs and outputs that it maps


@dataclass(frozen=True)
class Fixed:
    """A model, what was done to it, what was tried and cannot be done, and what is predicted of it now."""

    model: Model
    done: tuple[str, ...]
    failed: tuple[str, ...]
    prediction: Prediction

    def __str__(self) -> str:
        return "\n".join([*(f"done: {text}" for text in self.done), *(f"not done: {text}" for text in self.failed)])


def fix(model: Model) -> Fixed:
    """A copy of a quantized model of which the Edge TPU compiler maps as much as rewriting can get it to.

    Constants are stored as the compiler reads them, unknown sizes become those that the file starts from, op versions
    the lowest that do. Activations become operators of their own where they must, LEAKY_RELU, HARD_SWISH and SQUEEZE
    become others, a mean over very many positions is split, and a matrix of weights gets one scale. One sample goes in
    and out at a time, and inputs and outputs become integers. Codes differ by what LEAKY_RELU, HARD_SWISH, means in
    parts and weights of one scale round anew; all else leaves them as they were.

    >>> fix(pq.open("model_int8.tflite")).model.save("model_for_edgetpu.tflite")  # doctest: +SKIP
    """
    done: list[str] = []
    failed: list[str] = []
    for what, change in _changes(model):
        try:
            made = change(model)
        except PyQuantError as error:
            failed.append(f"{what}: {error}")
            continue
        before, after = _problems(model), _problems(made)
        if after.total() < before.total():
            done += [f"{what}: {count} x {problem}" for problem, count in (before - after).items()]
            model = made
    return Fixed(model, tuple(done), tuple(failed), check(model))


Change = Callable[[Model], Model]


def _changes(model: Model) -> Iterator[tuple[str, Change]]:
    """What to try with a model, in order."""
    yield "stored dense", decode_sparse
    yield "stored without lookup tables", decompress_lut
    yield "rewritten", lambda given: compat(given, EDGETPU, strict=False)
    yield "rewritten, rounded anew", _rounded
    if any(len(t.shape) > 3 and t.shape[0] > 1 for t in model.main.inputs):
        yield "one sample at a time", lambda given: batch(given, 1)
    for node in filter(_casts, model.main.nodes):
        x, y = node.inputs[0], node.outputs[0]
        if x is not None and x in model.main.inputs and x.dtype is FLOAT32:
            yield f"input {short(x.name)!r} of integers", _with_end("input_type", x.name)
        if y in model.main.outputs and y.dtype is FLOAT32:
            yield f"output {short(y.name)!r} of integers", _with_end("output_type", y.name)


def _rounded(model: Model) -> Model:
    """With lowerings that round anew, where these let more operators be mapped."""
    made = compat(model, EDGETPU, strict=False, exact=False)
    return made if check(made).mapped > check(model).mapped else model


def _casts(node: Node) -> bool:
    call = call_of(node)
    return call is not None and call.operator.cast


def _with_end(end: str, name: str) -> Change:
    """Let an input or output be of that type which takes the fewest casts."""

    def change(model: Model) -> Model:
        made = [io_type(model, **{end: {name: kind}}) for kind in ENDS]
        return min(made, key=lambda one: len(one.main.nodes))

    return change


def _problems(model: Model) -> Counter[str]:
    """Of tensors by rule, of operators by the reason that counts."""
    found = Counter(f"tensors: {p.rule}" for p in EDGETPU.problems(model) if p.node is None)
    for problem in filter(None, map(foremost, model.main.nodes)):
        what = problem.reason if problem.gap is None else f"the compiler {problem.gap.reason}"
        found[f"{problem.node.op if problem.node else ''}: {what}"] += 1
    return found
