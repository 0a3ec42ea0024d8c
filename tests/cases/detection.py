"""Rows of TFLite_Detection_PostProcess."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from cases.case import Case, Value

RNG = np.random.default_rng(9)


def packed(options: dict[str, Any]) -> np.ndarray:
    builder = flexbuffers.Builder()
    builder.MapFromElements(options)
    return np.frombuffer(bytes(builder.Finish()), np.uint8)


def rows() -> Iterator[Case]:
    for kind in ("float32", "uint8"):
        for regular in (False, True):
            for i in range(20):
                boxes, classes = int(RNG.integers(1 if regular else 20, 40)), int(RNG.integers(1, 5))
                detections = int(RNG.integers(1, 12 if regular else 4))
                options = {
                    "max_detections": detections,
                    "max_classes_per_detection": 1 if regular else int(RNG.integers(1, classes + 1)),
                    "detections_per_class": int(RNG.integers(1, 20)),
                    "use_regular_nms": regular,
                    "nms_score_threshold": (0.0, 0.3)[i % 2],  # the fast way leaves places of nothing as they were
                    "nms_iou_threshold": float(RNG.uniform(0.1 if regular else 0.4, 0.9)),
                    "num_classes": classes,
                    "y_scale": 10.0,
                    "x_scale": 10.0,
                    "h_scale": 5.0,
                    "w_scale": 5.0,
                }
                q: tuple[Any, ...] = (None, 0) if kind == "float32" else (0.05, 128)
                scores = (None, 0) if kind == "float32" else (1 / 256, 0)
                inputs = (
                    Value(
                        (1, boxes, 4),
                        kind,
                        *q,
                        low=-2 if kind == "float32" else None,
                        high=2 if kind == "float32" else None,
                    ),
                    Value((1, boxes, classes + i % 2), kind, *scores, low=0, high=1 if kind == "float32" else 255),
                    Value(
                        (boxes, 4),
                        kind,
                        *((None, 0) if kind == "float32" else (0.004, 0)),
                        constant=True,
                        low=0.05 if kind == "float32" else 9,
                        high=1 if kind == "float32" else 255,
                    ),
                )
                given = {"custom_options": packed(options)}
                # of equal scores, which codes often have, 2.14 takes any class first
                oracles = ("ai-edge-litert",) if regular and kind == "uint8" else Case.oracles
                yield Case(
                    f"detection-{kind}_{'regular' if regular else 'fast'}-{i}",
                    "TFLite_Detection_PostProcess",
                    inputs,
                    Value(),
                    given,
                    5e-7,
                    oracles,
                    more_outputs=(Value(),) * 3,
                )


CASES = [*rows()]
