"""TFLite_Detection_PostProcess: from box encodings, class scores and anchors to the boxes that stand out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.graph import Tensor
from pyquant.ops.flex import flex_options
from pyquant.ops.operator import Call, Operator, Shape, Slot
from pyquant.ops.registry import register

DEFAULTS = {
    "max_detections": int,
    "max_classes_per_detection": int,
    "num_classes": int,
    "nms_score_threshold": float,
    "nms_iou_threshold": float,
    "y_scale": float,
    "x_scale": float,
    "h_scale": float,
    "w_scale": float,
    "detections_per_class": 100,
    "use_regular_nms": False,
}
MOST_SLOTS = 1_000_000

F = np.float32


def _options(call: Call) -> dict[str, Any]:
    options = flex_options(call, DEFAULTS)
    slots = options["max_detections"] * options["max_classes_per_detection"]
    if min(options["max_detections"], options["max_classes_per_detection"], options["num_classes"]) < 1:
        raise RangeError(f"{call.label}: detections, classes of one and classes must be at least 1: {options}")
    if slots > MOST_SLOTS or options["detections_per_class"] < 1 or not 0 < options["nms_iou_threshold"] <= 1:
        raise RangeError(f"{call.label}: {slots} places for detections, or thresholds, out of range: {options}")
    return options


def shape(call: Call, boxes: Shape, scores: Shape, anchors: Shape) -> list[Shape]:
    options = _options(call)
    count, classes = anchors[0] if anchors else 0, options["num_classes"]
    if len(scores) != 3 or boxes != (1, count, 4) or anchors != (count, 4) or scores[:2] != (1, count):
        raise ShapeError(f"{call.label}: boxes {boxes}, scores {scores} and anchors {anchors} do not go together")
    if scores[2] - classes not in (0, 1):
        raise ShapeError(f"{call.label}: scores {scores} are not of {classes} classes, with a background or without")
    places = options["max_detections"] * options["max_classes_per_detection"]
    return [(1, places, 4), (1, places), (1, places), (1,)]


def _real(x: np.ndarray, tensor: Tensor) -> np.ndarray:
    if x.dtype == F:
        return x
    if x.dtype != np.uint8:
        raise GraphError(f"tensor {tensor.name!r} is {tensor.dtype}, expected float32 or uint8")
    return ((x.astype(F) - F(tensor.zero_point)) * tensor.scale).astype(F)


def decode(options: dict[str, Any], boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """(N, 4) encodings and anchors, as y, x, h, w -> corners y0, x0, y1, x1; in double, then rounded."""
    e, a = boxes.astype(np.float64), anchors.astype(np.float64)
    y = e[:, 0] / F(options["y_scale"]) * a[:, 2] + a[:, 0]
    x = e[:, 1] / F(options["x_scale"]) * a[:, 3] + a[:, 1]
    half_h = 0.5 * np.exp(e[:, 2] / F(options["h_scale"])) * a[:, 2]
    half_w = 0.5 * np.exp(e[:, 3] / F(options["w_scale"])) * a[:, 3]
    return np.stack([y - half_h, x - half_w, y + half_h, x + half_w], 1).astype(F)


def suppress(options: dict[str, Any], corners: np.ndarray, scores: np.ndarray, most: int) -> list[int]:
    """The boxes that stay, best first: one goes where a better one covers too much of it. scores: (N,)"""
    kept = np.flatnonzero(scores >= F(options["nms_score_threshold"]))
    order = kept[np.argsort(-scores[kept], kind="stable")]
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    selected: list[int] = []
    while order.size and len(selected) < most:
        best, order = int(order[0]), order[1:]
        selected.append(best)
        low = np.maximum(corners[best, :2], corners[order, :2])
        high = np.minimum(corners[best, 2:], corners[order, 2:])
        shared = np.prod(np.maximum(high - low, F(0)), axis=1, dtype=F)
        union = area[best] + area[order] - shared
        overlap = np.where((area[best] <= 0) | (area[order] <= 0), F(0), shared / np.where(union == 0, F(1), union))
        order = order[~(overlap > F(options["nms_iou_threshold"]))]
    return selected


def detect(call: Call, boxes: np.ndarray, scores: np.ndarray, anchors: np.ndarray) -> tuple[np.ndarray, ...]:
    """-> boxes (1, places, 4), classes (1, places), scores (1, places), count (1,): all float32"""
    options = _options(call)
    corners = decode(options, _real(boxes, call["boxes"])[0], _real(anchors, call["anchors"]))
    of_class = _real(scores, call["scores"])[0][:, scores.shape[2] - options["num_classes"] :]
    way = _by_class if options["use_regular_nms"] else _by_box
    found, count = way(options, corners, of_class)
    places = options["max_detections"] * options["max_classes_per_detection"]
    out = np.zeros((1, places, 4), F), np.zeros((1, places), F), np.zeros((1, places), F)
    for place, box, label, score in found:
        out[0][0, place], out[1][0, place], out[2][0, place] = corners[box], label, score
    return (*out, np.array([count], F))


Found = tuple[list[tuple[int, int, int, float]], int]  # (place, box, class, score), and how many boxes


def _by_box(options: dict[str, Any], corners: np.ndarray, scores: np.ndarray) -> Found:
    """Boxes compete by their best class, and bring their best classes along."""
    each, most = options["max_classes_per_detection"], options["max_detections"]
    labels = np.argsort(-scores, axis=1, kind="stable")[:, : min(each, scores.shape[1])]
    selected = suppress(options, corners, scores.max(1), most)
    found = [
        (each * i + j, box, int(label), float(scores[box, label]))
        for i, box in enumerate(selected)
        for j, label in enumerate(labels[box])
    ]
    return found, len(selected)


def _by_class(options: dict[str, Any], corners: np.ndarray, scores: np.ndarray) -> Found:
    """Boxes compete within each class; the best of all classes stay, the earlier class first of equals."""
    most = options["max_detections"]
    best: list[tuple[float, int, int]] = []
    for label in range(scores.shape[1]):
        limit = min(options["detections_per_class"], most)
        own = [(float(scores[box, label]), box, label) for box in suppress(options, corners, scores[:, label], limit)]
        best = sorted([*best, *own], key=lambda one: -one[0])[:most]
    return [(i, box, label, score) for i, (score, box, label) in enumerate(best)], len(best)


def operations(call: Call) -> int:
    """At worst each box that stays is compared with all others."""
    options, count = _options(call), int(call["anchors"].shape[0])
    rounds = int(options["num_classes"]) if options["use_regular_nms"] else 1
    return 20 * rounds * count * min(int(options["max_detections"]), count) + int(math.log2(count + 2)) * count


DETECTION_POSTPROCESS = register(
    Operator(
        "TFLite_Detection_PostProcess",
        inputs=(Slot("boxes", role="any"), Slot("scores", role="any"), Slot("anchors", role="any")),
        outputs=tuple(Slot(name, role="any") for name in ("corners", "classes", "confidences", "count")),
        shape=shape,
        reference={"float32": detect, "uint8": detect},
        operations=operations,
        custom=True,
    )
)
