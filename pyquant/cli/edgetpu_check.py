"""`pyquant edgetpu check`: what the Edge TPU compiler would make of a model."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant import edgetpu
from pyquant.cli.console import (
    check_outputs,
    force_option,
    json_option,
    model_argument,
    print_json,
    save_edited,
    terminal_width,
)


def show_rules(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(edgetpu.rules(terminal_width()))
        ctx.exit()


@click.command("check")
@model_argument
@click.option("--min-mapped", type=click.FloatRange(0, 1), metavar="SHARE", help="Fail below: 0.95, say.")
@click.option("--operators", "each", is_flag=True, help="List each operator with the bytes of its constants.")
@click.option("--rules", is_flag=True, is_eager=True, expose_value=False, callback=show_rules, help="List the rules.")
@click.option("--fix", is_flag=True, help="Write a file with everything mended that can be: needs -o.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new file, with --fix.")
@force_option
@json_option
def command(
    model: Path, min_mapped: float | None, each: bool, fix: bool, output: Path | None, force: bool, as_json: bool
) -> None:
    """Predict which operators the Edge TPU compiler maps, and why not the others. Exit code 1 below --min-mapped."""
    if fix != (output is not None):
        raise click.UsageError("--fix and -o go together")
    opened, shown = pq.open(model), model
    mended: dict[str, object] = {}
    if output is None:
        prediction = edgetpu.check(opened)
    else:
        check_outputs(force, output)
        fixed, shown = edgetpu.fix(opened), output
        prediction, mended = fixed.prediction, {"done": fixed.done, "failed": fixed.failed}
        save_edited(opened, fixed.model, output, force, quiet=as_json)
        if not as_json:
            click.echo("".join(f"{line}\n" for line in str(fixed).splitlines()))
    if as_json:
        print_json({"file": str(shown), **mended, **prediction.to_dict()})
    else:
        parts = [edgetpu.log(prediction, str(shown), shown.stat().st_size)]
        parts += [edgetpu.operators(prediction, terminal_width())] if each else []
        parts += [edgetpu.reasons(prediction, terminal_width())]
        click.echo("\n\n".join(part for part in parts if part))
    if min_mapped is not None and prediction.share < min_mapped:
        if not as_json:
            click.echo(f"\nFAILED: {prediction.share:.1%} of the operators would be mapped, below {min_mapped:.1%}")
        raise SystemExit(1)
