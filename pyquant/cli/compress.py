"""`pyquant compress`: a recipe of steps, one after the other."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.advise import PASSES, load_steps, pipeline
from pyquant.cli.console import (
    Source,
    check_outputs,
    data_options,
    force_option,
    json_option,
    model_argument,
    print_json,
)

STEPS = f"JSON: a list of steps such as {{'step': 'prune', 'sparsity': 0.5}}; steps are {', '.join(PASSES)}."


@click.command("compress")
@model_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new file.  [default: MODEL_<recipe>.tflite]")
@click.option("--recipe", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help=STEPS)
@data_options
@force_option
@json_option
def command(
    model: Path,
    output: Path | None,
    recipe: Path,
    source: Source,
    force: bool,
    as_json: bool,
) -> None:
    """Prune, cluster, quantize and encode a model by one recipe of steps."""
    target = output or model.with_name(f"{model.stem}_{recipe.stem}.tflite")
    check_outputs(force, target)
    steps, opened = load_steps(recipe), pq.open(model)
    made = pipeline(opened, steps, source.feeds(opened, "reading samples"))
    before, size = model.stat().st_size, made.save(target, overwrite=force)
    if as_json:
        print_json({"file": str(target), "bytes": size, "bytes_before": before, "steps": steps})
    else:
        click.echo(f"{target}: {size} bytes, {100 * size / before:.1f} % of {before}")
