"""Recorded tensors: a folder that lets anyone's kernels be checked where no runtime is at hand.

`golden.json` tells the model's SHA-256, who computed, in which numerics, how many samples, and each tensor's index,
name, type and shape; `00000.npz` and so on hold a sample each: `input_0` … in input order, and `tensor_17` for the
tensor of index 17 in the main subgraph.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.errors import DataError, FileError
from pyquant.graph import Model, Tensor, dump
from pyquant.ops import NUMERICS
from pyquant.run.feeds import storable
from pyquant.validate.peers import Peer

DESCRIPTION = "golden.json"


def is_recording(folder: Path) -> bool:
    """Whether it holds one already. Raises DataError for what can hold none: a file, a folder of other things."""
    if (folder / DESCRIPTION).exists():
        return True
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise DataError(f"{folder} holds no recording: expected one, or a new folder")
    return False


@contextmanager
def recording(
    model: Model, peer: Peer, folder: Path
) -> Iterator[Callable[[Sequence[np.ndarray], Mapping[Tensor, np.ndarray]], None]]:
    """What records a sample: its inputs and the peer's tensors. The folder appears when all is written, or never."""
    if any(partner is not None for partner in peer.tensors.values()):
        raise DataError(f"{folder}: only a runtime or a numerics can be recorded, not another model")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot write {folder}: {error.strerror}") from error
    indices = {t: i for i, t in enumerate(model.main.tensors)}
    count = 0
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".golden-") as name:
        made = Path(name) / "made"
        made.mkdir()

        def write(arrays: Sequence[np.ndarray], tensors: Mapping[Tensor, np.ndarray]) -> None:
            nonlocal count
            inputs = {f"input_{i}": storable(array) for i, array in enumerate(arrays)}
            named = {f"tensor_{indices[t]}": storable(array) for t, array in tensors.items()}
            np.savez_compressed(made / f"{count:05}.npz", **inputs, **named)  # type: ignore[arg-type]
            count += 1

        yield write
        described = [
            {"index": indices[t], "name": t.name, "type": t.dtype.name, "shape": list(t.shape)} for t in peer.tensors
        ]
        about = {"model": _hash(model), "by": peer.name, "numerics": peer.numerics, "samples": count}
        (made / DESCRIPTION).write_text(json.dumps({**about, "tensors": described}, indent=1) + "\n")
        made.replace(folder)


@contextmanager
def of_recording(model: Model, folder: Path) -> Iterator[Peer]:
    """What a folder holds. Raises DataError where it is not a recording, or one of another model."""
    about = _description(folder)
    if about["model"] != _hash(model):
        raise DataError(f"{folder}: it was recorded from another model than this one")
    tensors, current = model.main.tensors, dict[str, np.ndarray]()

    def feeds() -> Iterator[list[np.ndarray]]:
        for i in range(about["samples"]):
            current.clear()
            current.update(_arrays(folder / f"{i:05}.npz"))
            missing = [f"input_{j}" for j in range(len(model.main.inputs)) if f"input_{j}" not in current]
            if missing:
                raise DataError(f"{folder}: sample {i} lacks {', '.join(missing)}")
            yield [current[f"input_{j}"] for j in range(len(model.main.inputs))]

    def values(_: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
        return {tensors[i]: current[f"tensor_{i}"] for i in recorded if f"tensor_{i}" in current}

    recorded = [i for i in about["tensors"] if i < len(tensors)]
    visible = dict.fromkeys(tensors[i] for i in recorded)
    yield Peer(f"{folder}, recorded from {about['by']}", about["numerics"], visible, values, feeds=feeds())


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text())
        return {
            **{key: str(found[key]) for key in ("model", "by")},
            "numerics": NUMERICS[NUMERICS.index(found["numerics"])],
            "samples": int(found["samples"]),
            "tensors": [int(tensor["index"]) for tensor in found["tensors"]],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected the description of recorded tensors: {error}") from None


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected a sample's arrays: {error}") from None


def _hash(model: Model) -> str:
    return hashlib.sha256(dump(model)).hexdigest()
