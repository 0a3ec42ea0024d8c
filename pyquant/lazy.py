"""Public names of a package that are imported when they are first asked for, as most programs need few of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Lazy(ModuleType):
    """_homes: the module that holds each name. A submodule that is called like one of them does not take its place."""

    _homes: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        if name in self._homes:
            value = getattr(import_module(self._homes[name]), name)
        elif not name.startswith("_") and find_spec(f"{self.__name__}.{name}"):
            value = import_module(f"{self.__name__}.{name}")
        else:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._homes or not isinstance(value, ModuleType):  # importing a submodule sets it
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._homes})


def lazy(package: str, homes: Mapping[str, str]) -> None:
    """Give a package that is being imported the names that modules hold, separated by spaces, and its submodules."""
    module = sys.modules[package]
    module.__dict__["_homes"] = {name: home for home, names in homes.items() for name in names.split()}
    module.__class__ = _Lazy
