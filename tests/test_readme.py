"""The README is true: its operator table is the registry's, and its examples run, in order, beside the demo's files.

`python tests/test_readme.py` rewrites the table.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pyquant.see.operators import HEADER, operators

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- operators -->\n", "<!-- end of operators -->"


def operator_table() -> str:
    """The README's table, of what `pyquant ops` prints."""
    rows = [HEADER, ["---"] * len(HEADER), *(support.row for support in operators())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def test_operator_table_is_the_registry() -> None:
    assert START + operator_table() + END in README.read_text()


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


def test_shell_examples_run(demo_folder: Path) -> None:
    section = README.read_text().split("## The command line")[1].split("\n## ")[0]
    for line in re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0].splitlines():
        command, _, comment = line.partition("#")
        done = subprocess.run([sys.executable, "-m", *command.split()], cwd=demo_folder, capture_output=True, text=True)
        assert done.returncode == ("exit code 1" in comment), f"{line}\n{done.stdout}\n{done.stderr}"


if __name__ == "__main__":
    before, _, rest = README.read_text().partition(START)
    README.write_text(before + START + operator_table() + END + rest.partition(END)[2])
