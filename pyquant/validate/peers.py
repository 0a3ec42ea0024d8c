"""What a model is compared with: a runtime, another model, another arithmetic, or recorded values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from pyquant.calibrate.data import fit
from pyquant.errors import DataError
from pyquant.graph import Model, Tensor
from pyquant.graph import open as open_model
from pyquant.run.compile import compile
from pyquant.validate.oracle import Oracle
from pyquant.validate.tally import real


@dataclass(frozen=True)
class Peer:
    """What a model is compared with.

    tensors: those of ours that the peer can tell, each with the peer's own tensor where real values must be compared.
    values: a sample's inputs -> the peer's value for each of our tensors.
    """

    name: str
    numerics: str
    tensors: Mapping[Tensor, Tensor | None]
    values: Callable[[Sequence[np.ndarray]], dict[Tensor, np.ndarray]]
    notes: tuple[str, ...] = ()
    feeds: Iterable[Sequence[np.ndarray]] | None = None  # where the peer knows only these inputs


@contextmanager
def of_runtime(model: Model, runtime: str, resolver: str, threads: int) -> Iterator[Peer]:
    """A runtime in a process of its own."""
    shown = model if resolver == "default" else every_tensor_shown(model)
    tensors = model.main.tensors  # in the same order as those of `shown`
    visible = [tensors[shown.main.tensors.index(t)] for t in shown.main.outputs]
    with Oracle(runtime, fallback=True) as oracle:
        oracle.load(shown, resolver, threads)

        def values(arrays: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
            return {tensors[i]: array for i, array in oracle.run(arrays).items()}

        name, notes = f"{oracle.runtime.name} {oracle.version}", (oracle.note,) if oracle.note else ()
        yield Peer(f"{name}, {resolver} kernels", oracle.runtime.numerics, dict.fromkeys(visible), values, notes)


def every_tensor_shown(model: Model) -> Model:
    """A copy that has every computed tensor as an output.

    Asking a runtime to preserve all tensors is not enough: in tflite-runtime 2.14, ADD and SOFTMAX overwrite an input.
    """
    shown = model.copy()
    main = shown.main
    main.outputs = list(dict.fromkeys([*main.outputs, *computed(shown)]))
    return shown


@contextmanager
def of_model(model: Model, against: str | os.PathLike[str] | Model, threads: int, isa: str | None) -> Iterator[Peer]:
    """Another model, run by our own kernels."""
    other = against if isinstance(against, Model) else open_model(against)
    if len(model.main.inputs) != len(other.main.inputs) or len(model.main.outputs) != len(other.main.outputs):
        raise DataError("the models have different numbers of inputs or outputs")
    partners = _partners(model, other)
    plan = compile(other, keep=list(partners.values()), threads=threads, isa=isa, exact_floats=True)

    def values(arrays: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
        pairs = zip(arrays, model.main.inputs, other.main.inputs, strict=True)
        theirs = plan.run(*(fit(real(array, ours), tensor) for array, ours, tensor in pairs))
        return {ours: theirs[partner] for ours, partner in partners.items()}

    yield Peer("another model" if other is against else str(against), "tflite", partners, values)


def _partners(model: Model, other: Model) -> dict[Tensor, Tensor]:
    """The tensor of the other model that each computed tensor of ours is compared with: of its name and shape."""
    theirs = {(t.name, t.shape): t for t in computed(other)}
    named = {t: theirs[t.name, t.shape] for t in computed(model) if (t.name, t.shape) in theirs}
    return named | dict(zip(model.main.outputs, other.main.outputs, strict=True))


@contextmanager
def of_numerics(model: Model, numerics: str, threads: int, isa: str | None) -> Iterator[Peer]:
    """The same model by our own kernels in another arithmetic."""
    tensors = computed(model)
    plan = compile(model, keep=tensors, numerics=numerics, threads=threads, isa=isa, exact_floats=True)

    def values(arrays: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
        found = plan.run(*arrays)
        return {t: found[t] for t in tensors}

    yield Peer(f"numerics {numerics}", "tflite", dict.fromkeys(tensors), values)


def computed(model: Model) -> list[Tensor]:
    """The computed tensors of numbers and strings, in execution order."""
    return [t for node in model.main.nodes for t in node.outputs if t.dtype.numpy is not None]
