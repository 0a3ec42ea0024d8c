"""`pyquant rename`, `reorder`: what callers see of a model."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, model_argument, output_option, pairs, save_edited


@click.command("rename")
@model_argument
@click.option("--tensor", "tensors", multiple=True, metavar="OLD=NEW", help="A tensor, an input or output perhaps.")
@click.option("--argument", "arguments", multiple=True, metavar="OLD=NEW", help="A signature's argument or result.")
@click.option("--signature", "signatures", multiple=True, metavar="OLD=NEW", help="A signature.")
@click.option("--add-signature", "added", metavar="KEY", help="A new signature, with the names of inputs and outputs.")
@output_option
@force_option
def rename(
    model: Path,
    tensors: tuple[str, ...],
    arguments: tuple[str, ...],
    signatures: tuple[str, ...],
    added: str | None,
    output: Path,
    force: bool,
) -> None:
    """Rename tensors, signatures, and signatures' arguments. The options may be repeated."""
    check_outputs(force, output)
    opened = pq.open(model)
    made = pq.rename(opened, pairs(tensors), pairs(arguments), pairs(signatures))
    save_edited(opened, made if added is None else pq.add_signature(made, added), output, force)


@click.command("reorder")
@model_argument
@click.option("--inputs", metavar="A,B,...", help="The inputs in their new order.")
@click.option("--outputs", metavar="A,B,...", help="The outputs in their new order.")
@click.option("--signatures", metavar="A,B,...", help="The signatures in their new order.")
@output_option
@force_option
def reorder(
    model: Path, inputs: str | None, outputs: str | None, signatures: str | None, output: Path, force: bool
) -> None:
    """Give inputs, outputs and signatures, by name, another order."""
    check_outputs(force, output)
    opened = pq.open(model)
    orders = [None if names is None else names.split(",") for names in (inputs, outputs, signatures)]
    save_edited(opened, pq.reorder(opened, *orders), output, force)


commands = (rename, reorder)
