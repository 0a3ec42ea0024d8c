"""One recipe that chains what makes a model smaller: prune, then cluster, then quantize, then encode."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pyquant.calibrate import samples
from pyquant.compress import cluster, compress_lut, encode_sparse, prune, prune_channels
from pyquant.errors import FileError, PyQuantError, RecipeError
from pyquant.graph import Model
from pyquant.quantize import quantize
from pyquant.rewrite import fold, fuse

Step = Mapping[str, Any]

# step -> function of a model and options; one with an option `data` gets the samples
PASSES: dict[str, Callable[..., Model]] = {
    function.__name__: function
    for function in (fold, fuse, prune, prune_channels, cluster, quantize, encode_sparse, compress_lut)
}


def pipeline(model: Model, steps: Iterable[Step], data: Any = None) -> Model:
    """A model that went through `steps`, one after the other; the argument stays as it is.

    A step is {"step": "prune", "sparsity": 0.5, ...}: one of PASSES with options as that function takes them. data:
    samples, in any form that `pyquant.calibrate.samples` takes, for every step that can use some, unless it says
    "data": null. Raises RecipeError, before anything is done, for a step or an option that there is not, and as the
    steps do.
    """
    wanted = [_checked(step, f"step {i}") for i, step in enumerate(steps)]
    feeds = None if data is None else [list(sample.values()) for sample in samples(data, model)]
    for i, (function, options) in enumerate(wanted):
        if feeds is not None and _takes(function, "data"):
            options = {"data": feeds, **options}
        where = f"step {i}, {function.__name__}"
        try:
            model = function(model, **options)
        except PyQuantError as error:
            raise type(error)(f"{where}: {error}") from error
        except (TypeError, ValueError) as error:  # values of a type that the option does not have
            raise RecipeError(f"{where}: {error}") from error
    return model


def load_steps(path: str | Path) -> list[Step]:
    """The steps in a JSON file: a list, or {"steps": a list}. Raises FileError, RecipeError."""
    try:
        found = json.loads(Path(path).read_text())
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise RecipeError(f"{path} is no JSON: {error}") from error
    steps = found.get("steps") if isinstance(found, dict) else found
    if not isinstance(steps, list):
        raise RecipeError(f'{path}: found {json.dumps(found)[:40]}, expected a list of steps, or {{"steps": [...]}}')
    for i, step in enumerate(steps):
        _checked(step, f"{path}: step {i}")
    return steps


def _checked(step: Any, where: str) -> tuple[Callable[..., Model], dict[str, Any]]:
    """The function of a step and its options."""
    if not isinstance(step, Mapping) or step.get("step") not in PASSES:
        found = step.get("step") if isinstance(step, Mapping) else step
        raise RecipeError(f'{where}: found {found!r}, expected {{"step": one of {", ".join(PASSES)}, ...}}')
    function, options = PASSES[step["step"]], {name: value for name, value in step.items() if name != "step"}
    parameters = list(inspect.signature(function).parameters.values())[1:]
    known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    unknown = [] if len(known) < len(parameters) else [name for name in options if name not in known]
    if unknown:
        raise RecipeError(f"{where}, {function.__name__}: found option {unknown[0]!r}, expected {', '.join(known)}")
    missing = [p.name for p in parameters if p.default is p.empty and p.name in known and p.name not in options]
    if missing:
        raise RecipeError(f"{where}, {function.__name__}: option {missing[0]!r} is missing")
    return function, options


def _takes(function: Callable[..., Model], name: str) -> bool:
    return name in inspect.signature(function).parameters
