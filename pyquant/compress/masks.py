"""Which elements of weights stay, by name: to look at, to keep in a file, and to prune alike again."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.calibrate.data import UNREADABLE
from pyquant.compress.values import zeros
from pyquant.compress.weights import Weight, weights
from pyquant.errors import DataError, GraphError, OptionError
from pyquant.graph import Model
from pyquant.wire import file

Masks = dict[str, np.ndarray]


def masks(model: Model, regex: str = ".*", operation: str = "*", least: int = 0) -> Masks:
    """Of each weight, True where it is not zero; for the last arguments see `weights`."""
    return {
        name: ~zeros(weight.tensor)
        for name, weight in by_name(weights(model, regex, operation, least, casts=True)).items()
    }


def by_name(found: list[Weight]) -> dict[str, Weight]:
    """Raises GraphError where two have one name."""
    named = {weight.tensor.name: weight for weight in found}
    if len(named) < len(found):
        names = [weight.tensor.name for weight in found]
        twice = next(name for name in names if names.count(name) > 1)
        raise GraphError(f"{names.count(twice)} weights are named {twice!r}: masks need a name for each")
    return named


def checked(given: Mapping[str, Any], found: Mapping[str, Weight]) -> Masks:
    """The masks as arrays. Raises OptionError for weights that are not there or of another shape, and other types."""
    made = {name: np.asarray(mask) for name, mask in given.items()}
    for name, mask in made.items():
        if name not in found:
            raise OptionError(f"masks: {name!r} is no weight that is meant; those are {', '.join(found)}")
        shape = found[name].tensor.shape
        if mask.dtype != np.bool_ or mask.shape != shape:
            raise OptionError(f"masks: of {name!r} expected bool {shape}, found {mask.dtype} {mask.shape}")
    return made


def save_masks(path: str | os.PathLike[str], given: Mapping[str, np.ndarray], overwrite: bool = False) -> None:
    """Write a file for `load_masks`, and for `numpy.load`: an array "names", and for each one "0", "1", ..."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {str(i): np.asarray(mask, bool) for i, mask in enumerate(given.values())}
    np.savez_compressed(buffer, names=np.array(list(given), np.str_), **arrays)
    file.write(path, [buffer.getvalue()], overwrite)


def load_masks(path: str | os.PathLike[str]) -> Masks:
    """Raises DataError for another file."""
    try:
        with np.load(Path(path), allow_pickle=False) as found:
            return {str(name): found[str(i)] for i, name in enumerate(found["names"])}
    except (*UNREADABLE, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} holds no masks: {error}") from None
