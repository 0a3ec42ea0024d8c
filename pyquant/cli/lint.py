"""`pyquant lint`: a file against the quantization specification and a target."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, json_option, model_argument, print_json, save_edited
from pyquant.lint import RULES
from pyquant.targets import ALIASES, TARGETS


def show_rules(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        for name, rule in RULES.items():
            click.echo(f"{name}: {rule.__doc__}")
        ctx.exit()


@click.command("lint")
@model_argument
@click.option("--target", type=click.Choice([*TARGETS, *ALIASES]), help="Also what this runtime or compiler takes.")
@click.option("--ignore", multiple=True, metavar="RULE", help="A rule not to apply.")
@click.option("--rules", is_flag=True, is_eager=True, expose_value=False, callback=show_rules, help="List the rules.")
@click.option("--fix", is_flag=True, help="Write a file with everything mended that changes no output: needs -o.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new file, with --fix.")
@force_option
@json_option
def command(
    model: Path,
    target: str | None,
    ignore: tuple[str, ...],
    fix: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Check a model against the quantization specification. Exit code 1 where there are errors or warnings."""
    if fix != (output is not None):
        raise click.UsageError("--fix and -o go together")
    opened = pq.open(model)
    check_outputs(force, output)
    if output is not None:
        mended = pq.repair(opened, target or "litert")
        save_edited(opened, mended, output, force, quiet=as_json)
        opened = mended
    found = pq.lint(opened, target, ignore)
    if as_json:
        print_json({"file": str(output or model), "findings": [finding.to_dict() for finding in found]})
    else:
        for finding in found:
            click.echo(finding)
    if any(finding.severity != "info" for finding in found):
        raise SystemExit(1)
