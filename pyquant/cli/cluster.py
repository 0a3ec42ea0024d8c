"""`pyquant cluster`: weights of few different values, whose file compresses well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pyquant as pq
from pyquant.cli.console import (
    Source,
    check_outputs,
    data_options,
    force_option,
    json_option,
    model_argument,
    output_option,
    print_json,
    print_table,
    weight_options,
)
from pyquant.compress import GRIDS, STARTS, losses


@click.command("cluster")
@model_argument
@output_option
@click.option("--clusters", type=click.IntRange(2, 1 << 16), default=16, show_default=True, help="Values at most.")
@click.option("--centroids", type=click.Choice(list(STARTS)), default="optimal", show_default=True)
@click.option("--per-channel", is_flag=True, help="So many values for each output, not for each weight tensor.")
@click.option("--grid", type=click.Choice(list(GRIDS)), help="Values that quantizing to these codes will not change.")
@click.option("--rate", type=click.FloatRange(0), default=0.0, show_default=True, help="What a bit may cost in noise.")
@click.option("--move-zero", is_flag=True, help="What is 0 need not stay 0.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the centroids that are drawn.")
@data_options
@weight_options
@force_option
@json_option
def command(
    model: Path,
    output: Path,
    source: Source,
    move_zero: bool,
    regex: str,
    operation: str,
    least: int,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Give each weight one of a few values. With --data by what the outputs on samples lose."""
    check_outputs(force, output)
    opened = pq.open(model)
    meant: dict[str, Any] = {"regex": regex, "operation": operation, "least": least}
    samples = source.feeds(opened, "observing")
    made = pq.cluster(opened, data=samples, keep_zero=not move_zero, **meant, **options)
    before, size = model.stat().st_size, made.save(output, overwrite=force)
    rows = losses(opened, made, **meant)
    if as_json:
        print_json({"file": str(output), "bytes": size, "bytes_before": before, "weights": [r._asdict() for r in rows]})
        return
    table = [
        [r.name, str(r.elements), str(r.distinct), f"{r.entropy:.2f}", str(r.zeros), f"{r.sqnr:.1f}"] for r in rows
    ]
    print_table(["weight", "elements", "values", "bits", "zeros", "SQNR dB"], table)
    bits = sum(r.entropy * r.elements for r in rows) / max(sum(r.elements for r in rows), 1)
    click.echo(f"{output}: {size} bytes; a code of each value alone takes {bits:.2f} bits for each weight")
