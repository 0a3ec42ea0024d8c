"""MobileNetV2 with random weights, and the faults that make other quantizers' files unusable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pyquant.graph import Builder, Model, Tensor
from pyquant.ops.build import add

# How much the first layer of a block expands, channels, blocks, and stride of the first block.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
DEAD, TINY = "block_6/expand", "block_9/project"


class _Layers:
    def __init__(self) -> None:
        self.b, self.rng = Builder(), np.random.default_rng(3)

    def conv(self, x: Tensor, channels: int, name: str, size: int = 1, stride: int = 1, relu: bool = True) -> Tensor:
        depth = x.shape[3]
        w = self.rng.normal(0, (2 / (size * size * depth)) ** 0.5, (channels, size, size, depth))
        return self._add("CONV_2D", x, w, channels, name, stride, relu)

    def depthwise(self, x: Tensor, name: str, stride: int) -> Tensor:
        channels = x.shape[3]
        w = self.rng.normal(0, 0.5, (1, 3, 3, channels))
        return self._add("DEPTHWISE_CONV_2D", x, w, channels, name, stride, True, depth_multiplier=1)

    def _add(
        self, op: str, x: Tensor, w: np.ndarray, channels: int, name: str, stride: int, relu: bool, **more: int
    ) -> Tensor:
        activation = "RELU6" if relu else "NONE"
        weight = self.b.constant(f"{name}/w", w.astype(np.float32))
        bias = self.b.constant(f"{name}/b", self.rng.normal(0, 0.1, channels).astype(np.float32))
        options = {"padding": "SAME", "stride_h": stride, "stride_w": stride, "fused_activation_function": activation}
        return add(self.b, op, [x, weight, bias], name, **options, **more)


def mobilenet_v2(width: float = 0.125, side: int = 32, classes: int = 10) -> Model:
    """Input (1, side, side, 3) in -1..1; the output has probabilities."""
    made = _Layers()

    def scaled(channels: int) -> int:
        return max(8, round(channels * width / 8) * 8)

    x = made.conv(made.b.input("x", (1, side, side, 3)), scaled(32), "stem", size=3, stride=2)
    number = 0
    for expansion, channels, blocks, first in STAGES:
        for i in range(blocks):
            name, before = f"block_{number}", x
            x = made.conv(x, x.shape[3] * expansion, f"{name}/expand") if expansion > 1 else x
            x = made.depthwise(x, f"{name}/depthwise", first if i == 0 else 1)
            x = made.conv(x, scaled(channels), f"{name}/project", relu=False)
            x = add(made.b, "ADD", [before, x], f"{name}/add") if i else x
            number += 1
    x = made.conv(x, max(scaled(1280), 32), "top")
    x = add(made.b, "MEAN", [x, made.b.constant("axes", np.int32([1, 2]))], "pooled")
    w = made.rng.normal(0, 0.03, (classes, x.shape[1])).astype(np.float32)
    bias = made.b.constant("logits/b", np.zeros(classes, np.float32))
    logits = add(made.b, "FULLY_CONNECTED", [x, made.b.constant("logits/w", w), bias], "logits")
    return made.b.model([add(made.b, "SOFTMAX", [logits], "y", beta=1.0)])


def dead(model: Model, layer: str = DEAD) -> Model:
    """A copy with a layer of which nothing but zeros comes."""
    return _changed(model, layer, lambda w, bias: (w * 0, bias * 0))


def tiny(model: Model, layer: str = TINY) -> Model:
    """A copy with a channel of weights so small that its bias overflows int32 in input scale x weight scale."""

    def shrink(w: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        w[0], bias[0] = 1e-9, 1.0
        return w, bias

    return _changed(model, layer, shrink)


Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _changed(model: Model, layer: str, change: Change) -> Model:
    copy = model.copy()
    (node,) = (n for n in copy.main.nodes if n.outputs[0].name == layer)
    w, bias = node.inputs[1:]
    assert w is not None and w.data is not None and bias is not None and bias.data is not None
    w.data, bias.data = change(w.data.copy(), bias.data.copy())
    return copy
