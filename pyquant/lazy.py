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
        home = self._homes.get(name, self.__name__)
        if home != self.__name__:
            value = getattr(import_module(home), name)
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


def lazy(package: str, homes: Mapping[str, str]) -> list[str]:
    """Give a package that is being imported the names that modules hold, separated by spaces, and its submodules.

    Returns all public names, those that the package has imported among them.
    """
    module = sys.modules[package]
    given = {name: value for name, value in vars(module).items() if value is not lazy and not name.startswith("_")}
    own = [name for name, value in given.items() if not isinstance(value, ModuleType)]
    module.__dict__["_homes"] = {name: home for home, names in homes.items() for name in names.split()}
    module.__class__ = _Lazy
    return sorted([*own, *module._homes])
