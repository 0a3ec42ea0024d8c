"""What the verbs share: their common options, tables, progress and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
import numpy as np
from rich.console import Console
from rich.progress import track

from pyquant.calibrate import Images, samples
from pyquant.graph import Model
from pyquant.ops import NUMERICS
from pyquant.table import Column, lines
from pyquant.wire.file import check_target, write

model_argument = click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
output_option = click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The new file.")
force_option = click.option("--force", is_flag=True, help="Overwrite what exists.")
threads_option = click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
isa_option = click.option("--isa", metavar="NAME", help="Best instruction set to use, such as scalar.")
numerics_option = click.option("--numerics", type=click.Choice(NUMERICS), help="Arithmetic where they differ.")


def numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> list[float] | None:
    """One number, or one per channel: 127.5 or 123.7,116.3,103.5."""
    try:
        return None if value is None else [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a number, or numbers with commas between") from None


class Source(NamedTuple):
    """The samples that --data and what goes with it name."""

    data: str | None
    mean: list[float] | None
    std: list[float] | None
    limit: int | None

    def feeds(self, model: Model, label: str) -> Iterator[list[np.ndarray]] | None:
        """In input order, with a progress bar on a terminal; None without --data."""
        if self.data is None:
            if self.mean or self.std or self.limit:
                raise click.UsageError("--mean, --std and --limit go with --data, which is missing")
            return None
        source = self.data if self.mean is None and self.std is None else Images(self.data, self.mean, self.std)
        arrays = (list(sample.values()) for sample in islice(samples(source, model), self.limit))
        return progress(arrays, label)


def data_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--data and what goes with it, which the verb takes as `source`."""

    @wraps(function)
    def verb(
        data: str | None, mean: list[float] | None, std: list[float] | None, limit: int | None, **rest: Any
    ) -> Any:
        return function(source=Source(data, mean, std, limit), **rest)

    return _with(
        verb,
        click.option("--data", metavar="PATH", help=".npy, .npz, FILE.npz:NAME, folder of images, or Python script."),
        click.option("--mean", metavar="NUMBERS", callback=numbers, help="Images: see --std."),
        click.option("--std", metavar="NUMBERS", callback=numbers, help="Images: the value is (pixel - mean) / std."),
        click.option("--limit", type=click.IntRange(1), help="Take only so many samples."),
    )


def weight_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which weights are meant, as `pyquant.compress.weights` takes it."""
    return _with(
        function,
        click.option("--regex", default=".*", show_default=True, help="Operators, by the name of their first output."),
        click.option("--operation", default="*", show_default=True, help="Operators of that name: CONV_2D, ..."),
        click.option("--least", type=click.IntRange(0), default=0, show_default=True, help="Elements of a weight."),
    )


def _with(function: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


T = TypeVar("T")


def progress(items: Iterator[T], label: str) -> Iterator[T]:
    """The items, counted on stderr where that is a terminal."""
    console = Console(stderr=True)
    yield from track(items, label, console=console, transient=True, disable=not console.is_terminal)


def print_json(value: Any) -> None:
    """Print plain data. JSON has no NaN and no infinity: those become null."""
    click.echo(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def terminal_width() -> int | None:
    """The columns of the terminal; None where the output goes elsewhere, and nothing need be cut."""
    console = Console()
    return console.width if console.is_terminal else None


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> None:
    """A table whose first `words` columns are words, the rest numbers. A narrow terminal cuts the first column only."""
    columns = [Column(name, number=i >= words, cut=i == 0) for i, name in enumerate(header)]
    click.echo("\n".join(lines(columns, rows, terminal_width())))


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """OLD=NEW, ... as a mapping."""
    found: dict[str, str] = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not equals:
            raise click.UsageError(f"{text!r}: expected two names with = between")
        if found.setdefault(old, new) != new:
            raise click.UsageError(f"{old!r} is given as {found[old]!r} and as {new!r}")
    return found


def check_outputs(force: bool, *paths: Path | None) -> None:
    """Raise FileExists or FileError before the work begins rather than after it. None: no file is wanted."""
    wanted = [path for path in paths if path is not None]
    for i, path in enumerate(wanted):
        if path in wanted[:i]:
            raise click.UsageError(f"{path} is to be two files")
        check_target(path, force)


def write_text(path: Path, text: str, force: bool) -> None:
    """A text file, whole or not at all."""
    write(path, [text.encode()], overwrite=force)


def save_edited(before: Model, after: Model, path: Path, force: bool, quiet: bool = False) -> None:
    """Write the result of an edit and, unless quiet, tell what it did to operators and constants' bytes."""
    size = after.save(path, overwrite=force)
    if quiet:
        return
    (nodes, constants), (nodes_before, constants_before) = _contents(after), _contents(before)
    click.echo(
        f"{path}: {size} bytes, {nodes} operators (before: {nodes_before}), "
        f"{constants} bytes of constants (before: {constants_before})"
    )


def _contents(model: Model) -> tuple[int, int]:
    """Operators, and bytes of constants."""
    buffers = {t.buffer for s in model.subgraphs for t in s.tensors if t.buffer is not None}
    return sum(len(s.nodes) for s in model.subgraphs), sum(b.data.size for b in buffers if b.data is not None)
