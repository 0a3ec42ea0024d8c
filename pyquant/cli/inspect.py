"""`pyquant inspect`: what is in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pyquant as pq
from pyquant.cli.console import json_option, model_argument, print_json
from pyquant.graph import Model, Subgraph, Tensor


@click.command("inspect")
@model_argument
@json_option
def command(model: Path, as_json: bool) -> None:
    """Show a model's inputs, outputs, operators and tensors."""
    opened = pq.open(model)
    if as_json:
        print_json({"file": str(model), "bytes": model.stat().st_size, **described(opened)})
    else:
        click.echo(str(opened))


def described(model: Model) -> dict[str, Any]:
    """The model as plain data. Tensors stand by their index in the file."""
    return {
        "description": model.description,
        "subgraphs": [_subgraph(s) for s in model.subgraphs],
        "signatures": [
            {
                "key": s.key,
                "subgraph": model.subgraphs.index(s.subgraph),
                "inputs": {name: s.subgraph.tensors.index(t) for name, t in s.inputs},
                "outputs": {name: s.subgraph.tensors.index(t) for name, t in s.outputs},
            }
            for s in model.signatures
        ],
        "metadata": {name: 0 if buffer.data is None else buffer.data.size for name, buffer in model.metadata},
    }


def _subgraph(subgraph: Subgraph) -> dict[str, Any]:
    index = {tensor: i for i, tensor in enumerate(subgraph.tensors)}
    return {
        "name": subgraph.name,
        "inputs": [index[t] for t in subgraph.inputs],
        "outputs": [index[t] for t in subgraph.outputs],
        "tensors": [_tensor(t) for t in subgraph.tensors],
        "nodes": [
            {
                "op": node.op,
                "version": node.opcode.version,
                "inputs": [None if t is None else index[t] for t in node.inputs],
                "outputs": [index[t] for t in node.outputs],
            }
            for node in subgraph.nodes
        ],
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.name}
    if tensor.is_constant and tensor.buffer is not None and tensor.buffer.data is not None:
        found["constant_bytes"] = tensor.buffer.data.size
    if tensor.is_quantized and tensor.quantization is not None:
        quantization = tensor.quantization
        found["scale"] = quantization.scale.tolist()
        found["zero_point"] = quantization.zero_point.tolist()
        if quantization.per_axis:
            found["axis"] = quantization.axis
    return found
