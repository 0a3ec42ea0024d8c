"""Numbers by node as a JSON overlay for Model Explorer, which colours the graph of the same `.tflite` by them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pyquant.graph import Model, Node, Subgraph
from pyquant.see.describe import Description

# From the least value to the greatest.
GRADIENT = ((0.0, "#ffffff"), (0.1, "#fff3b0"), (0.4, "#fd8d3c"), (1.0, "#bd0026"))
COSTS = ("macs", "parameters", "weight_bytes", "read_bytes", "written_bytes")


def overlay(model: Model, values: Mapping[Node, float]) -> dict[str, Any]:
    """The node data of a model: one number for each node that has one and is finite.

    Subgraphs stand by the name, and nodes by a key, that the viewer's reader of `.tflite` files gives them
    (google-ai-edge/model-explorer, node_data_builder.py and direct_flatbuffer_to_json_graph_convert.cc).
    """
    graphs = {}
    for index, subgraph in enumerate(model.subgraphs):
        keys = _keys(subgraph)
        results = {
            key: {"value": values[node]} for node, key in keys.items() if math.isfinite(values.get(node, math.nan))
        }
        gradient = [{"stop": stop, "bgColor": color} for stop, color in GRADIENT]
        graphs[_graph_id(model, index)] = {"results": results, "gradient": gradient}
    return graphs


def cost_overlay(description: Description, cost: str = "macs") -> dict[str, Any]:
    """The overlay of one of COSTS. Nodes whose cost is not known have no number."""
    rows = [row for rows in description.nodes.values() for row in rows]
    costs = {row.node: getattr(row.cost, cost) for row in rows}
    return overlay(description.model, {node: value for node, value in costs.items() if value is not None})


def _graph_id(model: Model, index: int) -> str:
    """The subgraph's name, else its first signature's, else main or subgraph_<index>."""
    subgraph = model.subgraphs[index]
    key = next((s.key for s in model.signatures if s.subgraph is subgraph), "")
    return subgraph.name or key or ("main" if index == 0 else f"subgraph_{index}")


def _keys(subgraph: Subgraph) -> dict[Node, str]:
    """The first output's name where no other tensor has it, for names hold in every reader; else the node's index."""
    uses = Counter(tensor.name for tensor in subgraph.tensors)
    names = [node.outputs[0].name if node.outputs else "" for node in subgraph.nodes]
    return {
        node: name if name and uses[name] == 1 else str(index)
        for index, (node, name) in enumerate(zip(subgraph.nodes, names, strict=True))
    }
