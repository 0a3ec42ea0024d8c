"""The command `pyquant` and its verbs."""

from __future__ import annotations

from typing import Any

import click

from pyquant.cli import (
    bench,
    cluster,
    compat,
    compress,
    cut,
    debug,
    demo,
    dequantize,
    diff,
    edgetpu,
    export_c,
    inspect,
    layout,
    lint,
    memory,
    names,
    ops,
    prune,
    prune_channels,
    quantize,
    retype,
    rewrite,
    run,
    size,
    strip,
    validate,
)
from pyquant.errors import PyQuantError


class Verbs(click.Group):
    """Turns an error of ours into one line on stderr and exit code 1; click itself exits with 2 for wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PyQuantError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pyquant")
def main() -> None:
    """Inspect, quantize, run and validate .tflite models without TensorFlow."""


for module in (
    inspect,
    diff,
    quantize,
    compress,
    cluster,
    dequantize,
    prune_channels,
    retype,
    compat,
    run,
    validate,
    ops,
    bench,
    memory,
    size,
    debug,
    demo,
    cut,
    names,
    strip,
    prune,
    rewrite,
    layout,
    lint,
    edgetpu,
    export_c,
):
    for command in getattr(module, "commands", None) or (module.command,):
        main.add_command(command)
