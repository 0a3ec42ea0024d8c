"""What to quantize to, as data: a Recipe, and the named schemes that TFLite's model optimization page describes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from pyquant.errors import RecipeError


@dataclass(frozen=True)
class Recipe:
    """A quantization request.

    activations None leaves activations in float. Weights below `min_weight_elements` stay float where activations do.
    keep_float: regular expressions; a node whose first output's name matches one is left in float.
    newer_axes: per-axis weights also where only runtimes newer than tflite-runtime 2.14 take them (FULLY_CONNECTED).
    """

    name: str
    weights: str  # element type of weights: float16 or int8
    activations: str | None = None  # int8 or int16
    bias: str | None = None  # int32 or int64, with quantized activations
    input_type: str = "float32"
    output_type: str = "float32"
    per_channel: bool = True
    newer_axes: bool = False
    min_weight_elements: int = 0
    keep_float: tuple[str, ...] = ()

    @property
    def is_static(self) -> bool:
        """True where activations are quantized, which needs calibration data."""
        return self.activations is not None

    def boundary_types(self) -> tuple[str, ...]:
        """The types that this recipe's model inputs and outputs may have."""
        return {"int8": ("float32", "int8", "uint8"), "int16": ("float32", "int16")}.get(
            self.activations or "", ("float32",)
        )


SCHEMES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("float16", weights="float16", min_weight_elements=64),
        Recipe("dynamic", weights="int8", min_weight_elements=1024),
        Recipe("int8", weights="int8", activations="int8", bias="int32"),
        Recipe("int16x8", weights="int8", activations="int16", bias="int64"),
    )
}


def recipe(scheme: str | Recipe, **changes: Any) -> Recipe:
    """A scheme by name, with fields changed; None leaves a field as it is. Raises RecipeError for what cannot be.

    >>> recipe("int8", input_type="uint8").input_type
    'uint8'
    """
    if isinstance(scheme, str):
        if scheme not in SCHEMES:
            raise RecipeError(f"scheme {scheme!r} is not one of {', '.join(SCHEMES)}")
        scheme = SCHEMES[scheme]
    made = replace(scheme, **{name: value for name, value in changes.items() if value is not None})
    for field in ("input_type", "output_type"):
        found, allowed = getattr(made, field), made.boundary_types()
        if found not in allowed:
            raise RecipeError(f"scheme {made.name}: {field} {found!r} is not one of {', '.join(allowed)}")
    for pattern in made.keep_float:
        try:
            re.compile(pattern)
        except re.error as error:
            raise RecipeError(f"keep_float {pattern!r} is not a regular expression: {error}") from None
    return made
