"""The layers of the package, read from its imports: they go down only, and only `native` sees the C extension."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import pyquant

PACKAGE = Path(pyquant.__file__).parent
# layer -> height; equal heights never import each other
HEIGHTS = {
    **dict.fromkeys(("errors", "lazy", "table"), 0),
    **dict.fromkeys(("dtypes", "native"), 1),
    **dict.fromkeys(("wire", "fixed"), 2),
    "graph": 3,
    "ops": 4,
    "targets": 5,
    "run": 6,
    "interpreter": 7,
    **dict.fromkeys(("calibrate", "rewrite"), 7),
    **dict.fromkeys(("quantize", "compress", "validate"), 8),
    **dict.fromkeys(("train", "edgetpu", "lint", "see", "export"), 9),
    "advise": 10,
    **dict.fromkeys(("cli", "report", "demo"), 11),
}
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem not in ("__init__", "__main__"))


def layer(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, `from a import b` as a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    mine = layer(path)
    assert mine in HEIGHTS, f"{path} is in no layer"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "pyquant" or len(parts) < 2 or parts[1] == mine:
            continue
        if HEIGHTS[mine] == HEIGHTS["cli"]:  # the command line uses the public names
            continue
        assert parts[1] in HEIGHTS, f"{path} imports {name}, which is in no layer"
        assert HEIGHTS[parts[1]] < HEIGHTS[mine], f"{path} ({mine}) imports {name}, which is not below it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_native_sees_the_extension(path: Path) -> None:
    if layer(path) != "native":
        assert not any("_pyquant" in n or n.split(".")[0] == "cffi" for n in imported(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_operator_names_are_compared_only_in_ops(path: Path) -> None:
    """What an operator means stands in its value; nobody else asks `if op == ...`."""
    if layer(path) in ("ops", "wire"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            text = ast.unparse(node)
            assert not (".op " in text or "operator.name" in text) or "'" not in text, f"{path}:{node.lineno}: {text}"


def test_init_files_only_name() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        bodies = [
            n for n in ast.parse(path.read_text()).body if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.For))
        ]
        assert not bodies, f"{path} holds code"


def test_public_names_are_imported_when_they_are_asked_for(tmp_path: Path) -> None:
    code = (
        "import sys, pyquant as pq; late = ('quantize', 'compress', 'edgetpu'); "
        "assert not any(f'pyquant.{name}' in sys.modules for name in late); import pyquant.quantize; "
        "assert all(callable(getattr(pq, name)) for name in ('quantize', 'calibrate', 'lint', 'validate')); "
        "assert pq.edgetpu.check and 'prune' in dir(pq) and not hasattr(pq, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)  # not the checkout, which is not built


def test_type_checkers_see_the_public_names() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    told = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    lists = [node.value for node in stub.body if isinstance(node, ast.Assign)]
    assert [sorted(ast.literal_eval(names)) for names in lists] == [pyquant.__all__]
    assert set(told) == set(pyquant.__all__)
    for name, module in told.items():
        assert getattr(pyquant, name) is getattr(importlib.import_module(str(module)), name), name
