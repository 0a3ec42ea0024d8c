"""A float digit classifier and its test data, quantized in every way and measured."""

from pyquant.demo.digits import FORMATS, Result, make

__all__ = ["FORMATS", "Result", "make"]
