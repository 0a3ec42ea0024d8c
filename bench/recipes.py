"""litert-quantizer's recipes carried out here and there: the same types? as accurate? `python bench/recipes.py [NAME]`

Every float model of the data folder (or those whose path holds NAME) is quantized by each recipe on both sides, from
the same samples. Operators and the types of all that they take and make must be equal, and accuracy no worse: top-1
where the samples have labels, the cosine of pooled embeddings, else the signal to noise of the outputs beside the
float model's, both files in ai-edge-litert on samples that neither has seen. Exits with 1 where they are not, and
nothing below says why. litert_peer tells how to say where litert-quantizer is installed.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from accuracy import TASKS
from litert_peer import LitertQuantizer, PeerError, save_samples

import pyquant as pq
from pyquant.calibrate.data import fit, random_samples
from pyquant.graph import Node, OpCode
from pyquant.validate.oracle import Oracle
from pyquant.validate.tally import real

RECIPES = ("static_wi8_ai8", "static_wi8_ai16", "dynamic_wi8_afp32", "weight_only_wi8_afp32", "dynamic_wi4_afp32")
LABELLED = {  # model -> the task that has samples for it
    "kws_float32": "kws",
    "resnet_float32": "resnet",
    "pretrainedResnet": "resnet",
    "pretrainedResnet_large_float": "resnet",
    "efficientnet_lite0_float32": "efficientnet_lite0",
}
MOST_SAMPLES, MOST_ELEMENTS = 256, 1 << 22  # of random inputs; all samples together
DECIBEL, POINTS = 0.5, 0.5  # by which ours may be behind: what another rounding of a few codes makes
ALIKE = 60.0  # dB from which on two files are as good
# Differences that are no fault: (model, recipes that begin so) -> why.
REASONS = {("litert_test__simple_round_op", "static"): "which side of a step a number is on depends on its last code"}
POSITIVE = {"DIV", "RSQRT", "SQRT"}  # operators that have no result for some other numbers


class Feeds(NamedTuple):
    """Samples as arrays of real values in input order. labels: of the held-out ones, or None. texts: they are such."""

    calibration: list[list[np.ndarray]]
    held_out: list[list[np.ndarray]]
    labels: np.ndarray | None = None
    texts: bool = False


class Side(NamedTuple):
    model: pq.Model
    outputs: list[np.ndarray] | None  # real values by output, samples along the first axis; None: no runtime takes it


def float_models(folder: Path) -> Iterator[tuple[Path, pq.Model]]:
    """Those that hold float32 and nothing quantized, with a signature, which litert-quantizer needs."""
    for path in sorted(folder.rglob("*.tflite")):
        try:
            model = pq.open(path)
        except pq.PyQuantError:
            continue
        types = {t.dtype for subgraph in model.subgraphs for t in subgraph.tensors}
        if pq.dtypes.FLOAT32 in types and not any(t.is_quantized_integer or t.name == "float16" for t in types):
            yield path, _with_codes(model if model.signatures else pq.add_signature(model))


def _with_codes(model: pq.Model) -> pq.Model:
    """litert-quantizer takes the operators of files from before 2020, which have one byte for each, all for ADD."""
    model, codes = model.copy(), dict[OpCode, OpCode]()
    for node in (node for subgraph in model.subgraphs for node in subgraph.nodes):
        code = node.opcode
        node.opcode = codes.setdefault(code, OpCode(code.name, code.version, code.custom_code))
    return model


def feeds_for(model: pq.Model, name: str, data: Path) -> Feeds:
    if name in LABELLED:
        task = TASKS[LABELLED[name]](data)
        seen = {array.tobytes() for array in task.calibration}
        new = [i for i, array in enumerate(task.inputs) if array.tobytes() not in seen]
        return Feeds([[a] for a in task.calibration], [[task.inputs[i]] for i in new], task.labels[new])
    if name.startswith("minilm"):
        with np.load(data / "datasets" / "minilm_embeddings.npz") as arrays:
            return Feeds(
                *([[a.astype(np.float32)] for a in arrays[key]] for key in ("calibration", "test")), texts=True
            )
    count = min(max(MOST_ELEMENTS // max(sum(t.size for t in model.main.inputs), 1), 1), MOST_SAMPLES)
    feeds = Feeds(*(list(random_samples(model, count, seed)) for seed in (0, 1)))
    if any(node.op in POSITIVE for node in model.main.nodes):
        feeds = Feeds(*([[np.abs(a) + a.dtype.type(0.1) for a in s] for s in part] for part in feeds[:2]))
    return feeds


def run(model: pq.Model, feeds: Feeds, oracle: Oracle) -> Side:
    main = model.main
    try:
        oracle.load(model, "default")
        made = [oracle.run([fit(a, t) for a, t in zip(arrays, main.inputs, strict=True)]) for arrays in feeds.held_out]
    except pq.OracleError:
        return Side(model, None)
    places = [(t, main.tensors.index(t)) for t in main.outputs]
    return Side(model, [np.stack([real(outputs[i], t) for outputs in made]) for t, i in places])


def types(node: Node) -> str:
    """CONV_2D(int8, int8, int32) -> int8"""
    taken = ", ".join("-" if t is None else t.dtype.name for t in node.inputs)
    return f"{node.op}({taken}) -> {', '.join(t.dtype.name for t in node.outputs)}"


def differences(ours: pq.Model, theirs: pq.Model) -> list[str]:
    """What only one side has. Order does not count among operators of the same types."""
    found = []
    for a, b in itertools.zip_longest(ours.subgraphs, theirs.subgraphs):
        here, there = (Counter(types(node) for node in (s.nodes if s else ())) for s in (a, b))
        found += [f"ours {n} x {text}" for text, n in (here - there).items()]
        found += [f"theirs {n} x {text}" for text, n in (there - here).items()]
        if not found:  # then in the same order, between the casts
            pairs = ([types(n) for n in s.nodes if not pq.ops.get(n.op).cast] for s in (a, b))
            found += [f"ours {x}, theirs {y}" for x, y in zip(*pairs, strict=True) if x != y]
    ends = [[t.dtype.name for t in (*m.main.inputs, *m.main.outputs)] for m in (ours, theirs)]
    return found if ends[0] == ends[1] else [*found, f"inputs and outputs: ours {ends[0]}, theirs {ends[1]}"]


def only_requantized(found: Sequence[str]) -> bool:
    """Whether theirs has more casts from a type to itself, and nothing else differs."""
    return all(
        f.startswith("theirs") and f.endswith(("QUANTIZE(int8) -> int8", "QUANTIZE(int16) -> int16")) for f in found
    )


def quality(side: Side, expected: Side, feeds: Feeds) -> tuple[float, float | None]:
    """Signal to noise of the worst output in dB; top-1, or the mean cosine of pooled embeddings, in percent."""
    assert side.outputs is not None and expected.outputs is not None
    ratios = []
    for found, wanted in zip(side.outputs, expected.outputs, strict=True):
        finite = np.isfinite(wanted)
        noise = np.square((found - wanted)[finite]).sum() / max(np.square(wanted[finite]).sum(), 1e-30)
        ratios.append(min(-10 * math.log10(max(noise, 1e-30)), 150.0))
    score = None
    if feeds.texts:
        a, b = (s.outputs[0].mean(axis=-2).reshape(len(feeds.held_out), -1) for s in (side, expected))
        score = 100 * np.mean(np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))
    elif all(t.dtype.name == "bool" for t in expected.model.main.outputs):
        return 0.0, 100 * np.mean([np.mean(a == b) for a, b in zip(side.outputs, expected.outputs, strict=True)])
    elif feeds.labels is not None:
        score = 100 * np.mean(side.outputs[0].reshape(len(feeds.labels), -1).argmax(axis=1) == feeds.labels)
    return min(ratios, default=150.0), score


def compare(path: Path, model: pq.Model, data: Path, oracle: Oracle, peer: LitertQuantizer, folder: Path) -> bool:
    """A line for each recipe. Returns whether none is a fault."""
    good, float_file = True, folder / "float.tflite"
    feeds = feeds_for(model, path.stem, data)
    expected = run(model, feeds, oracle)
    if expected.outputs is None:
        print(f"{path.stem}: ai-edge-litert does not run the float model", flush=True)
        return True
    model.save(float_file, overwrite=True)
    save_samples(model, feeds.calibration, folder / "samples.npz")
    for recipe in RECIPES:
        verdict, fine = one(recipe, model, feeds, expected, oracle, peer, folder)
        reason = next(
            (why for (name, start), why in REASONS.items() if name == path.stem and recipe.startswith(start)), ""
        )
        fine = fine or bool(reason)
        good &= fine
        print(
            f"{path.stem[-44:]:<44} {recipe:<21} {'' if fine else 'FAULT '}{verdict}{reason and '; ' + reason}",
            flush=True,
        )
    return good


def one(
    recipe: str, model: pq.Model, feeds: Feeds, expected: Side, oracle: Oracle, peer: LitertQuantizer, folder: Path
) -> tuple[str, bool]:
    """What to say of one recipe, and whether it is as it should be."""
    try:
        peer.quantize(folder / "float.tflite", recipe, folder / "theirs.tflite", folder / "samples.npz")
    except PeerError as error:
        return f"litert-quantizer refuses it: {str(error)[:70]}", True
    theirs = pq.open(folder / "theirs.tflite")
    try:
        ours = pq.quantize(model, recipe, data=feeds.calibration if recipe.startswith("static") else None)
    except pq.RecipeError as error:
        same = not differences(model, theirs)
        return ("neither converts anything" if same else f"refused: {error}"), same
    except pq.PyQuantError as error:
        return f"refused: {error}", False
    found = differences(ours, theirs)
    a, b = run(ours, feeds, oracle), run(theirs, feeds, oracle)
    if a.outputs is None:
        return "the runtime does not take ours", False
    if b.outputs is None:
        return f"the runtime does not take theirs; {'; '.join(found) or 'same types'}", True
    text = "equal scales need no requantization" if only_requantized(found) else "; ".join(found)
    (here, score), (there, their_score) = (quality(side, expected, feeds) for side in (a, b))
    figures = f"{here:6.1f} dB, theirs {there:6.1f}"
    worse = here < there - DECIBEL and here < ALIKE
    if score is not None and their_score is not None:
        figures += f"; {'cosine' if feeds.texts else 'right'} {score:5.1f} %, theirs {their_score:5.1f}"
        worse = score < their_score - POINTS
    return f"{figures}  {text if found else 'same types'}", not worse and (not found or only_requantized(found))


def main(names: Sequence[str]) -> int:
    data, good = Path(os.environ.get("PYQUANT_DATA", "../shared/data")), True
    with LitertQuantizer() as peer, Oracle("ai-edge-litert") as oracle, tempfile.TemporaryDirectory() as folder:
        for path, model in float_models(data / "models"):
            if not names or any(name in str(path) for name in names):
                try:
                    good &= compare(path, model, data, oracle, peer, Path(folder))
                except pq.DataError as error:
                    print(f"{path.stem}: {error}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
