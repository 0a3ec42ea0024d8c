"""The C extension; everything else is in pyproject.toml."""

from setuptools import setup

# The extension keeps to Python's stable interface, so that one wheel serves Python 3.10 and later.
setup(cffi_modules=["pyquant/native/build.py:ffi"], options={"bdist_wheel": {"py_limited_api": "cp310"}})
