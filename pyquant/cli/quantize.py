"""`pyquant quantize`: a float model to a smaller one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pyquant as pq
from pyquant.cli.console import (
    data_options,
    feeds,
    force_option,
    json_option,
    model_argument,
    print_json,
    refuse_existing,
)
from pyquant.quantize import SCHEMES, apply

TYPES = click.Choice(["float32", "int8", "uint8", "int16"])


@click.command("quantize")
@model_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new file.  [default: MODEL_<scheme>.tflite]")
@click.option("--scheme", type=click.Choice(list(SCHEMES)), default="int8", show_default=True)
@data_options
@click.option("--input-type", type=TYPES, default="float32", show_default=True)
@click.option("--output-type", type=TYPES, default="float32", show_default=True)
@click.option("--per-tensor", is_flag=True, help="One scale for each weight tensor, not one for each channel.")
@click.option("--keep-float", metavar="REGEX", multiple=True, help="Leave operators in float by their output's name.")
@force_option
@json_option
def command(
    model: Path,
    output: Path | None,
    scheme: str,
    data: str | None,
    mean: list[float] | None,
    std: list[float] | None,
    limit: int | None,
    per_tensor: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Quantize a float model. int8 and int16x8 need --data with representative samples."""
    target = output or model.with_name(f"{model.stem}_{scheme}.tflite")
    refuse_existing(target, force)
    opened = pq.open(model)
    samples = feeds(opened, data, mean, std, limit, "calibrating")
    decisions = pq.assign(opened, scheme, data=samples, per_channel=not per_tensor, **options)
    size, before = apply(decisions).save(target, overwrite=force), model.stat().st_size
    if as_json:
        print_json({"file": str(target), "bytes": size, "bytes_before": before, **decisions.to_dict()})
    else:
        click.echo(str(decisions))
        click.echo(f"{target}: {size} bytes, {100 * size / before:.1f} % of {before}")
