"""What becomes of one file: opened, compiled, run; now and then also printed, saved and interpreted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pyquant.edgetpu import inspect
from pyquant.edgetpu.package import is_compiled
from pyquant.errors import PyQuantError
from pyquant.graph import Subgraph, associated_files, dump, load
from pyquant.native import isas
from pyquant.run import Limits, compile, interpret

NOWHERE = Path("no such folder")  # of external buffers
RARE = 8  # of so many files one goes the rarer ways


def trial(data: bytes, limits: Limits, number: int) -> str:
    """ "ran", or where the file was refused and with which of our errors. Whatever else is raised is a fault.

    number: of the file; it chooses the subgraph and its inputs, the instruction set and the threads.
    """
    stage = "open"
    try:
        model = load(data, NOWHERE)
        if number % RARE == 0:
            stage = "save"
            str(model)
            associated_files(model)
            saved = dump(model)
            try:
                load(saved)
            except PyQuantError as error:
                raise AssertionError("what was opened and saved does not open") from error
        if any(is_compiled(node) for subgraph in model.subgraphs for node in subgraph.nodes):
            stage = "inspect"
            inspect(model)
        stage = "compile"
        graph = model.subgraphs[number % len(model.subgraphs)] if model.subgraphs else model.main
        isa, threads = isas()[number // 2 % len(isas())], 1 + (number % RARE == 2)
        plan = compile(model, threads, isa, subgraph=graph, limits=limits)
        stage = "run"
        feeds = inputs(graph, number)
        plan(*feeds)
        if number % RARE == 1:
            stage = "interpret"
            interpret(model, feeds, subgraph=graph, limits=limits)
    except PyQuantError as error:
        return f"{stage}: {type(error).__name__}"
    return "ran"


def inputs(graph: Subgraph, number: int) -> list[np.ndarray]:
    """Random bits in the types of the inputs; mostly small numbers where they are floats."""
    rng = np.random.default_rng(number)
    arrays = []
    for tensor in graph.inputs:
        kind = tensor.dtype.numpy
        assert kind is not None
        if kind.kind in "fc" and number % RARE:
            array = rng.normal(size=tensor.shape).astype(kind)
        elif kind.hasobject:
            array = np.array([rng.bytes(i % 4) for i in range(tensor.size)], kind).reshape(tensor.shape)
        elif kind.kind == "b":
            array = rng.integers(2, size=tensor.shape).astype(kind)
        else:
            array = np.frombuffer(rng.bytes(tensor.size * kind.itemsize), kind).reshape(tensor.shape)
        arrays.append(array)
    return arrays
