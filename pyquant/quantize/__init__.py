"""Quantization in stages: recipe (data) -> solve (decide) -> Assignments -> apply (edit)."""

from pyquant.quantize.api import assign, quantize
from pyquant.quantize.apply import apply
from pyquant.quantize.assignments import Assignments, Encoding
from pyquant.quantize.dequantize import dequantize, real_again
from pyquant.quantize.recipe import NAMED, SCHEMES, Recipe, Rule, recipe
from pyquant.quantize.recipe_json import dumps as dump_recipe
from pyquant.quantize.recipe_json import load as load_recipe
from pyquant.quantize.retype import RETYPES, reassign, retype
from pyquant.quantize.solve import solve

__all__ = [
    "NAMED",
    "RETYPES",
    "SCHEMES",
    "Assignments",
    "Encoding",
    "Recipe",
    "Rule",
    "apply",
    "assign",
    "dequantize",
    "dump_recipe",
    "load_recipe",
    "quantize",
    "real_again",
    "reassign",
    "recipe",
    "retype",
    "solve",
]
