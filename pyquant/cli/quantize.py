"""`pyquant quantize`: a float model to a smaller one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

import pyquant as pq
from pyquant.calibrate import METHODS
from pyquant.cli.console import (
    Source,
    check_outputs,
    data_options,
    force_option,
    json_option,
    model_argument,
    print_json,
)
from pyquant.quantize import NAMED, SCHEMES, Recipe, apply, load_recipe
from pyquant.targets import ALIASES, TARGETS, get
from pyquant.targets.edgetpu import EDGETPU

OLDER = "tflite-runtime-2.14"  # what of the written file it does not take is told
TYPES = click.Choice(["float32", "int8", "uint8", "int16"])


@click.command("quantize")
@model_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new file.  [default: MODEL_<scheme>.tflite]")
@click.option("--scheme", type=click.Choice(list(SCHEMES)), help="[default: int8]")
@click.option("--recipe", metavar="NAME|FILE", help="Rules in place of a scheme: litert-quantizer's name or JSON file.")
@click.option("--calibration", type=click.Choice(list(METHODS)), help="[default: mse; min_max in int16]")
@click.option("--accuracy", type=click.Choice(["fast", "best"]), default="fast", show_default=True)
@data_options
@click.option("--input-type", type=TYPES, help="[default: float32, or as the recipe says]")
@click.option("--output-type", type=TYPES, help="[default: float32, or as the recipe says]")
@click.option("--per-tensor", is_flag=True, help="One scale for each weight tensor, not one for each channel.")
@click.option("--newer-axes", is_flag=True, default=None, help="A scale for each output of FULLY_CONNECTED, too.")
@click.option("--newer-kernels", is_flag=True, default=None, help="Integer kernels that tflite-runtime 2.14 lacks.")
@click.option("--one-scale", is_flag=True, default=None, help="Concatenate in integers, though parts lose levels.")
@click.option("--target", type=click.Choice([*TARGETS, *ALIASES]), help="Write what this runtime or compiler takes.")
@click.option("--anyway", is_flag=True, help="Write the file although the target does not take all of it.")
@click.option("--keep-float", metavar="REGEX", multiple=True, help="Leave operators in float by their output's name.")
@force_option
@json_option
def command(
    model: Path,
    output: Path | None,
    scheme: str | None,
    recipe: str | None,
    calibration: str | None,
    source: Source,
    per_tensor: bool,
    target: str | None,
    anyway: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Quantize a float model. int8 and int16x8 need --data with representative samples."""
    if scheme and recipe:
        raise click.UsageError("--recipe stands in place of --scheme")
    name = scheme or "int8" if recipe is None else Path(recipe).stem
    wanted = name if recipe is None else _recipe(recipe)
    written = output or model.with_name(f"{model.stem}_{name}.tflite")
    check_outputs(force, written)
    opened = pq.open(model)
    samples = source.feeds(opened, "calibrating")
    options["per_channel"] = False if per_tensor else None
    decisions = pq.assign(opened, wanted, data=samples, calibration=calibration, target=target, **options)
    made = apply(decisions)
    made = made if target is None else pq.compat(made, target, strict=False)
    problems = get(target or OLDER).problems(made)
    refusals = [str(problem) for problem in problems if problem.fatal]
    if target and refusals and not anyway:
        more = f", and {len(refusals) - 1} more" if len(refusals) > 1 else ""
        raise click.ClickException(f"{refusals[0]}{more}: {target} would refuse the file; --anyway writes it")
    before, size = model.stat().st_size, made.save(written, overwrite=force)
    if as_json:
        found = {"file": str(written), "bytes": size, "bytes_before": before, **decisions.to_dict()}
        print_json(found | {"problems": {target or OLDER: [str(problem) for problem in problems]}})
    else:
        click.echo(str(decisions))
        for (reason, remedy), count in Counter((p.reason, p.remedy) for p in problems).items():
            click.echo(f"note: {count} x {reason}" + (f"; {remedy}" if remedy else ""))
        if target == EDGETPU.name:
            prediction = pq.edgetpu.check(made)
            count = len(prediction.operators)
            click.echo(f"{prediction.mapped} of {count} operators would be mapped to the Edge TPU (predicted)")
        click.echo(f"{written}: {size} bytes, {100 * size / before:.1f} % of {before}")


def _recipe(name: str) -> Recipe:
    """Of that name, or in that file."""
    if name in NAMED:
        return NAMED[name]
    if not Path(name).is_file():
        raise click.UsageError(f"--recipe {name}: no such file, and not one of {', '.join(NAMED)}")
    return load_recipe(name)
