"""`pyquant bench`: how long a run takes, beside another runtime in the same rounds, and where the time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pyquant as pq
from pyquant.cli.console import isa_option, json_option, print_json, print_table, progress, threads_option
from pyquant.table import short
from pyquant.validate import RUNTIMES
from pyquant.validate.latency import Latency, latency


@click.command("bench")
@click.argument("models", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--against", type=click.Choice(list(RUNTIMES)), help="Time this runtime too, with its default kernels.")
@threads_option
@isa_option
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True, help="Each times ours, then theirs.")
@click.option("--profile", is_flag=True, help="Show the time of each step.")
@json_option
def command(
    models: tuple[Path, ...],
    against: str | None,
    threads: int,
    isa: str | None,
    rounds: int,
    profile: bool,
    as_json: bool,
) -> None:
    """Time models on random inputs."""
    found = [(path, latency(pq.open(path), against, threads, isa, rounds)) for path in progress(iter(models), "timing")]
    steps = {str(path): profiled(path, threads, isa) for path in models} if profile else {}
    if as_json:
        print_json([{"file": str(path), **row.to_dict(), "steps": steps.get(str(path))} for path, row in found])
        return
    theirs = [f"{against} ms", "ratio"] if against else []
    print_table(["model", "pyquant ms", "arena bytes", *theirs], [cells(path, row) for path, row in found])
    for note in dict.fromkeys(row.note for _, row in found if row.note):
        click.echo(note)
    for name, rows in steps.items():
        click.echo(f"\n{name}")
        total = sum(row["seconds"] for row in rows) or 1.0
        shown = [
            (short(r["tensor"]), r["op"], r["kernel"], milliseconds(r["seconds"]), f"{100 * r['seconds'] / total:.1f}")
            for r in rows
        ]
        print_table(["tensor", "op", "kernel", "ms", "%"], shown, words=3)


def cells(path: Path, row: Latency) -> list[str]:
    own = [path.name, milliseconds(row.ours), str(row.arena_bytes)]
    return own if row.theirs is None else [*own, milliseconds(row.theirs), f"{row.theirs / row.ours:.2f}"]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"


def profiled(path: Path, threads: int, isa: str | None) -> list[dict[str, Any]]:
    """The median seconds of each step."""
    plan = pq.compile(pq.open(path), threads=threads, isa=isa)
    return [
        {"tensor": step.outputs[0].name if step.outputs else "", "op": step.op, "kernel": step.kernel, "seconds": s}
        for step, s in plan.profile()
    ]
