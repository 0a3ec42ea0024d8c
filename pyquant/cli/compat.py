"""`pyquant compat`: a model that a target takes."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, json_option, model_argument, print_json, save_edited
from pyquant.targets import ALIASES, TARGETS, Problem, get


@click.command("compat")
@model_argument
@click.option("--target", type=click.Choice([*TARGETS, *ALIASES]), required=True, help="The runtime or compiler.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new file.  [default: none, only report]")
@click.option("--anyway", is_flag=True, help="Write the file although the target does not take all of it.")
@force_option
@json_option
def command(model: Path, target: str, output: Path | None, anyway: bool, force: bool, as_json: bool) -> None:
    """Lower op versions and newer features to what a target takes; outputs stay bit for bit.

    Lists what the target does not take even so, and fails where it would refuse the model.
    """
    check_outputs(force, output)
    opened = pq.open(model)
    made = pq.compat(opened, target, strict=False)
    problems = get(target).problems(made)
    refused = any(problem.fatal for problem in problems)
    written = output if anyway or not refused else None
    if as_json:
        if written is not None:
            made.save(written, overwrite=force)
        plain = [_plain(problem) for problem in problems]
        print_json(
            {"target": get(target).name, "takes": not refused, "file": written and str(written), "problems": plain}
        )
    else:
        for problem in problems:
            click.echo(problem)
        if written is not None:
            save_edited(opened, made, written, force)
    if refused and written is None:
        if output is not None:
            click.echo(f"{output} is not written; --anyway writes it", err=True)
        raise click.exceptions.Exit(1)


def _plain(problem: Problem) -> dict[str, object]:
    return {name: getattr(problem, name) for name in ("rule", "where", "reason", "remedy", "fatal")}
