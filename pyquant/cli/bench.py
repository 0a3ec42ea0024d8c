"""`pyquant bench`: how long a run takes, beside other runtimes in turns, and where the time goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

import pyquant as pq
from pyquant.calibrate.data import random_samples
from pyquant.cli.console import (
    check_outputs,
    force_option,
    isa_option,
    json_option,
    print_json,
    print_table,
    progress,
    terminal_width,
    threads_option,
    write_text,
)
from pyquant.errors import PyQuantError
from pyquant.run import Profile
from pyquant.validate import RUNTIMES
from pyquant.validate.latency import Latency, Timed, latency

TIMES = ("first", "avg", "min", "max", "median", "std", "p5", "p95")  # columns, of Statistics
HEADER = ["model", "runtime", "init ms", *TIMES, "ratio", "arena bytes", "peak MB"]
output_option = click.Path(dir_okay=False, path_type=Path)


@click.command("bench")
@click.argument("models", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--num-runs", type=click.IntRange(1), default=50, show_default=True, help="Runs that count.")
@click.option("--warmup-runs", type=click.IntRange(0), default=5, show_default=True, help="Runs before, uncounted.")
@threads_option
@isa_option
@click.option(
    "--against",
    type=click.Choice(list(RUNTIMES)),
    multiple=True,
    help="Time this runtime too, its runs in turns with ours, with its default kernels. May be given twice.",
)
@click.option("--profile", is_flag=True, help="Show the time and the costs of each step, the slowest first.")
@click.option("--csv", "csv_path", type=output_option, help="Write the profile as CSV.")
@click.option("--trace", "trace_path", type=output_option, help="Write it for chrome://tracing or Perfetto.")
@force_option
@json_option
def command(
    models: tuple[Path, ...],
    num_runs: int,
    warmup_runs: int,
    threads: int,
    isa: str | None,
    against: tuple[str, ...],
    profile: bool,
    csv_path: Path | None,
    trace_path: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Time models on random inputs. Times are in milliseconds; a ratio above 1: pyquant is faster."""
    profile_wanted = profile or csv_path is not None or trace_path is not None
    if (csv_path or trace_path) and len(models) > 1:
        raise click.UsageError("--csv and --trace hold the profile of one model")
    check_outputs(force, csv_path, trace_path)

    def timed() -> Iterator[tuple[Path, Latency]]:
        for path in models:
            try:
                yield path, latency(path, against, threads, isa, num_runs, warmup_runs)
            except PyQuantError as error:
                if str(path) in str(error):
                    raise
                raise type(error)(f"{path}: {error}") from error

    against = tuple(dict.fromkeys(against))
    found = list(progress(timed(), "timing"))
    profiles = {path: profiled(path, threads, isa, num_runs) for path in models} if profile_wanted else {}
    for made in profiles.values():
        if csv_path is not None:
            write_text(csv_path, made.csv(), force)
        if trace_path is not None:
            write_text(trace_path, json.dumps(made.trace()), force)
    if as_json:
        steps = {path: [timing.to_dict() for timing in made] for path, made in profiles.items()}
        print_json([{"file": str(path), **row.to_dict(), "steps": steps.get(path)} for path, row in found])
        return
    print_table(HEADER, [cells for path, row in found for cells in rows(path, row)], words=2)
    for path, made in profiles.items() if profile else ():
        click.echo(f"\n{path}\n{made.text(terminal_width())}")


def rows(path: Path, found: Latency) -> Iterator[list[str]]:
    yield [*cells(path, found.ours), "", str(found.arena_bytes), f"{found.peak_bytes / 1e6:.1f}"]
    for peer in found.peers:
        yield [*cells(path, peer), f"{found.ratio(peer):.2f}", "", ""]


def cells(path: Path, timed: Timed) -> list[str]:
    times = [timed.init, *(getattr(timed.runs, name) for name in TIMES)]
    return [path.name, timed.runtime, *(f"{seconds * 1e3:.3f}" for seconds in times)]


def profiled(path: Path, threads: int, isa: str | None, runs: int) -> Profile:
    model = pq.open(path)
    return pq.compile(model, threads=threads, isa=isa).profile(*next(random_samples(model, 1)), runs=runs)
