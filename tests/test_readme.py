"""The README is true: its tables are the registry's, and its examples run, in order, beside the demo's files.

`python tests/test_readme.py` rewrites the tables.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pyquant as pq
from pyquant.see.operators import HEADER, QUANTIZABLE_HEADER, operators, quantizable

README = Path(__file__).parent.parent / "README.md"
# What `pyquant ops` prints, and with --quantizable.
TABLES = {
    "operators": (HEADER, [support.row for support in operators()]),
    "quantizable operators": (QUANTIZABLE_HEADER, [one.row for one in quantizable()]),
}


def marks(name: str) -> tuple[str, str]:
    return f"<!-- {name} -->\n", f"<!-- end of {name} -->"


def table(name: str) -> str:
    header, rows = TABLES[name]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, ["---"] * len(header), *rows))


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_the_registry(name: str) -> None:
    start, end = marks(name)
    assert start + table(name) + end in README.read_text()


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    subprocess.run([sys.executable, "-m", "pyquant", "demo"], cwd=folder, check=True, capture_output=True)
    return folder


def test_the_demos_figures_are_todays(demo_folder: Path) -> None:
    rows = re.findall(r"^(\w+) +(\d+) +\d+ +[\d.]+ % ", README.read_text(), re.MULTILINE)
    assert len(rows) == 5
    for name, size in rows:
        assert (demo_folder / "pyquant-demo" / f"digits_{name}.tflite").stat().st_size == int(size), name


def test_python_examples_run(demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo_folder)
    names: dict[str, object] = {}
    for example in re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(example, str(README), "exec"), names)


def test_edgetpu_examples_run(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These need compiled files: they run in a folder that has the published pairs."""
    for path in (data_folder / "models" / "edgetpu_pairs").glob("*.tflite"):
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"pq": pq}
    for example in re.findall(r"^```py\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(example, str(README), "exec"), names)


def test_shell_examples_run(demo_folder: Path) -> None:
    section = README.read_text().split("## The command line")[1].split("\n## ")[0]
    for line in re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0].splitlines():
        command, _, comment = line.partition("#")
        done = subprocess.run([sys.executable, "-m", *command.split()], cwd=demo_folder, capture_output=True, text=True)
        assert done.returncode == ("exit code 1" in comment), f"{line}\n{done.stdout}\n{done.stderr}"


if __name__ == "__main__":
    for name in TABLES:
        start, end = marks(name)
        before, _, rest = README.read_text().partition(start)
        README.write_text(before + start + table(name) + end + rest.partition(end)[2])
