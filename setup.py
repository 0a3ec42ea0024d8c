"""The C extensions; everything else is in pyproject.toml."""

import runpy

from setuptools import Extension, setup

FLAGS = runpy.run_path("pyquant/native/build.py")
DECODE = Extension(
    "pyquant.wire._decode",
    ["csrc/wire/decode.c"],
    extra_compile_args=FLAGS["FLAGS"] + FLAGS["STRICT"] + FLAGS["CHECKS"],
    extra_link_args=FLAGS["CHECKS"][:1],
    py_limited_api=True,
)
# The extensions keep to Python's stable interface, so that one wheel serves Python 3.10 and later.
setup(
    cffi_modules=["pyquant/native/build.py:ffi"],
    ext_modules=[DECODE],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
