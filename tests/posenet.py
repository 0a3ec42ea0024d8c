"""What follows PoseNet's three tensors: keypoints and their scores, as its custom operator finds them."""

from __future__ import annotations

import numpy as np

PARTS = 17
# Pairs of parts that are joined: nose 0, eyes 1 2, ears 3 4, shoulders 5 6, elbows 7 8, wrists 9 10, hips 11 12,
# knees 13 14, ankles 15 16. The first eight go down the left side, the others down the right one.
LEFT = [(0, 1), (1, 3), (0, 2), (2, 4), (0, 5), (5, 7), (7, 9), (5, 11), (11, 13), (13, 15)]
FORWARD = [*LEFT, (0, 6), (6, 8), (8, 10), (6, 12), (12, 14), (14, 16)]
EDGES = [*FORWARD, *((b, a) for a, b in FORWARD)]
STEPS = 5  # of refinement by short offsets
STRIDE, NMS_RADIUS, THRESHOLD, DETECTIONS = 16, 10, 0.2, 20

Point = tuple[np.float32, np.float32]
Candidate = tuple[np.float32, int, Point]  # its logit, its part


class Heap:
    """Candidates by logit. Which of two equal ones comes first is as in C++: its push goes up past lesser ones, its pop
    sends the hole down along the greater children, the right one of equals, and pushes the last candidate there.
    """

    def __init__(self, candidates: list[Candidate]) -> None:
        self.items: list[Candidate] = []
        for candidate in candidates:
            self.push(candidate)

    def push(self, candidate: Candidate) -> None:
        self.items.append(candidate)
        self._up(len(self.items) - 1, candidate)

    def pop(self) -> Candidate:
        items, hole = self.items, 0
        top, last = items[0], items.pop()
        while 2 * hole + 1 < len(items):
            child = 2 * hole + 2
            if child == len(items) or items[child][0] < items[child - 1][0]:
                child -= 1
            items[hole], hole = items[child], child
        if items:
            self._up(hole, last)
        return top

    def _up(self, hole: int, candidate: Candidate) -> None:
        while hole and self.items[(hole - 1) // 2][0] < candidate[0]:
            self.items[hole], hole = self.items[(hole - 1) // 2], (hole - 1) // 2
        self.items[hole] = candidate


Pose = dict[int, tuple[Point, np.float32]]  # where each part is, and its logit


def scores(heatmaps: np.ndarray, short: np.ndarray, mid: np.ndarray) -> np.ndarray:
    """The keypoints' logits, shape (poses, 17), of all poses whose mean score reaches the threshold, the best first.

    heatmaps: logits, shape (height, width, 17). short, mid: offsets in pixels, (height, width, 34) and (height, width,
    64). All float32.
    """
    short, mid = short * np.float32(1 / STRIDE), mid * np.float32(1 / STRIDE)
    found: list[Pose] = []
    roots = Heap(_roots(heatmaps, short))
    while roots.items and len(found) < DETECTIONS:
        _, part, point = roots.pop()
        if not any(_near(point, pose[part][0]) for pose in found):
            pose = _follow(heatmaps, short, mid, part, point)
            if _score(pose, []) >= THRESHOLD:
                found.append(pose)
    found.sort(key=lambda pose: _score(pose, []), reverse=True)
    rescored = [(_score(pose, found[:i]), pose) for i, pose in enumerate(found)]
    kept = sorted((entry for entry in rescored if entry[0] >= THRESHOLD), key=lambda entry: entry[0], reverse=True)
    return np.array([[pose[part][1] for part in range(PARTS)] for _, pose in kept])


def _near(a: Point, b: Point) -> bool:
    return bool((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 <= (NMS_RADIUS / STRIDE) ** 2)


def _score(pose: Pose, better: list[Pose]) -> float:
    """The mean of the parts' scores; 0 for a part that a better pose has there."""
    own = (part for part in pose if not any(_near(pose[part][0], other[part][0]) for other in better))
    return float(sum(1 / (1 + np.exp(-pose[part][1])) for part in own) / PARTS)


def _roots(heatmaps: np.ndarray, short: np.ndarray) -> list[Candidate]:
    """The greatest logits of their neighbourhoods, refined once."""
    height, width, _ = heatmaps.shape
    padded = np.pad(heatmaps, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    around = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    chosen = (heatmaps >= np.max(around, axis=0)) & (heatmaps >= np.log(THRESHOLD / (1 - THRESHOLD)))
    return [
        (heatmaps[y, x, k], k, _moved((np.float32(y), np.float32(x)), short[y, x, [k, PARTS + k]], heatmaps.shape))
        for y, x, k in np.argwhere(chosen)
    ]


def _follow(heatmaps: np.ndarray, short: np.ndarray, mid: np.ndarray, part: int, root: Point) -> Pose:
    """From a root along the edges, the best part first."""
    queue = Heap([(_sample(heatmaps, root, [part])[0], part, root)])
    pose: Pose = {}
    while queue.items:
        logit, part, point = queue.pop()
        if part in pose:
            continue
        pose[part] = point, logit
        for i, (parent, child) in enumerate(EDGES):
            if parent != part or child in pose:
                continue
            first = i if i <= len(FORWARD) else i + len(FORWARD)  # the decoder takes edge 16 for one of the first
            at = _moved(point, _sample(mid, point, [first, first + len(FORWARD)]), heatmaps.shape)
            for _ in range(STEPS):
                at = _moved(at, _sample(short, at, [child, PARTS + child]), heatmaps.shape)
            queue.push((_sample(heatmaps, at, [child])[0], child, at))
    return pose


def _moved(point: Point, offset: np.ndarray, shape: tuple[int, ...]) -> Point:
    y, x = (np.clip(at + by, np.float32(0), np.float32(n - 1)) for at, by, n in zip(point, offset, shape, strict=False))
    return y, x


def _sample(tensor: np.ndarray, point: Point, channels: list[int]) -> np.ndarray:
    """Bilinear, in float32."""
    (y, x), one = point, np.float32(1)
    top, left, bottom, right = int(y), int(x), int(np.ceil(y)), int(np.ceil(x))
    down, along = y - np.float32(top), x - np.float32(left)
    rows = [(one - along) * tensor[row, left, channels] + along * tensor[row, right, channels] for row in (top, bottom)]
    return (one - down) * rows[0] + down * rows[1]
