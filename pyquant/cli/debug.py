"""`pyquant debug`: where a quantized model loses accuracy."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

import pyquant as pq
from pyquant.calibrate import collect
from pyquant.cli.console import (
    Source,
    check_outputs,
    data_options,
    force_option,
    json_option,
    print_json,
    print_table,
    write_text,
)
from pyquant.quantize import Rule, apply, recipe
from pyquant.quantize.mixed import widest, with_wide
from pyquant.quantize.search import Judge, search
from pyquant.see.debug import debug, table

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
WIDE = {"int16": Rule(weights="int8", activations="int16"), "float": Rule()}
ROWS = 20


@click.command("debug")
@click.argument("model", type=FILE)
@click.argument("quantized", type=FILE)
@data_options
@click.option("--all", "everything", is_flag=True, help=f"Show more than the {ROWS} worst operators.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write a line for each operator.")
@click.option("--overlay", "overlay_file", type=click.Path(path_type=Path), help="Write node data for Model Explorer.")
@click.option("--try", "most", type=click.IntRange(1), help="Quantize again, with so many operators in more bits.")
@click.option("--wide", type=click.Choice(list(WIDE)), default="int16", show_default=True, help="What those are in.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file that --try makes.")
@force_option
@json_option
def command(
    model: Path,
    quantized: Path,
    source: Source,
    everything: bool,
    csv_file: Path | None,
    overlay_file: Path | None,
    most: int | None,
    wide: str,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Compare a quantized model with its float one, operator by operator: own error, accumulated, of constants.

    --try chooses the operators which in more bits help most, the rest in int8, and tells what that gains.
    """
    if output is not None and most is None:
        raise click.UsageError("-o is the file that --try makes, which is missing")
    check_outputs(force, csv_file, overlay_file, output)
    before, after = pq.open(model), pq.open(quantized)
    samples = source.feeds(before, "comparing")
    if samples is None:
        raise click.UsageError("--data names no samples")
    arrays = list(samples)
    errors = debug(before, after, arrays)
    tried = {} if most is None else _try(before, arrays, most, wide, output, force)
    if csv_file is not None:
        write_text(csv_file, errors.to_csv(), force)
    if overlay_file is not None:
        write_text(overlay_file, json.dumps(errors.overlay()), force)
    if as_json:
        print_json({**errors.to_dict(), "tried": tried})
        return
    header, rows = table(errors, None if everything else ROWS)
    print_table(header, rows, words=3)
    if tried:
        click.echo(f"\n{most} operators in {wide}: {tried['before']:.2f} dB -> {tried['after']:.2f} dB at the outputs")
        click.echo("\n".join(f"  {label}" for label in tried["wide"]))


def _try(model: pq.Model, arrays: list[Any], most: int, wide: str, output: Path | None, force: bool) -> dict[str, Any]:
    request, seen = recipe("int8", newer_axes=True, newer_kernels=True), collect(model, arrays)
    usual, in_16_bits = seen.usual_ranges(model)
    judge = Judge(model, request, seen, arrays, in_16_bits)
    chosen = widest(judge, seen, WIDE[wide], most)
    mixed = with_wide(request, chosen, WIDE[wide])
    ranges = search(judge, seen, mixed)
    before, after = -10 * math.log10(judge.noise(usual)), -10 * math.log10(judge.noise(ranges, mixed))
    if output is not None:
        apply(judge.decide(ranges, mixed)).save(output, overwrite=force)
    return {"before": before, "after": after, "wide": [node.label for node in chosen]}
