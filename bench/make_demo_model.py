"""Makes the demo's files: trains a small CNN on scikit-learn's digits in plain NumPy and writes it as a `.tflite`.

`python bench/make_demo_model.py` rewrites digits.tflite and digits.npz in pyquant/demo/.
The digits: UCI Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, CC BY 4.0), from scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from pyquant.graph import Builder, Model
from pyquant.ops.build import add

SEED = 7
EPOCHS, BATCH, RATE = 120, 32, 3e-3
TEST, CALIBRATION = 500, 100  # images held out for the test; training images shipped for calibration
CHANNELS = (1, 16, 32)
CLASSES = 10
FOLDER = Path(__file__).parents[1] / "pyquant" / "demo"

Parameters = dict[str, np.ndarray]
# A layer gives its output and the function from the output's gradient to the input's, which also fills `gradients`.
Backward = Callable[[np.ndarray], np.ndarray]


def conv_relu(x: np.ndarray, p: Parameters, gradients: Parameters, name: str) -> tuple[np.ndarray, Backward]:
    """3x3 convolution, SAME, and RELU. x: (N, H, W, C), filter: (O, 3, 3, C) -> (N, H, W, O)."""
    w, b = p[f"{name}/w"], p[f"{name}/b"]
    n, height, width, channels = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # (N, H, W, C, 3, 3)
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(n * height * width, 9 * channels)
    y = np.maximum(columns @ w.reshape(len(w), -1).T + b, 0).reshape(n, height, width, -1)

    def backward(dy: np.ndarray) -> np.ndarray:
        flat = (dy * (y > 0)).reshape(-1, len(w))
        gradients[f"{name}/w"], gradients[f"{name}/b"] = (flat.T @ columns).reshape(w.shape), flat.sum(0)
        taps = (flat @ w.reshape(len(w), -1)).reshape(n, height, width, 3, 3, channels)
        dx = np.zeros_like(padded)
        for ky in range(3):
            for kx in range(3):
                dx[:, ky : ky + height, kx : kx + width] += taps[:, :, :, ky, kx]
        return dx[:, 1:-1, 1:-1]

    return y, backward


def max_pool(x: np.ndarray) -> tuple[np.ndarray, Backward]:
    """2x2 maximum, stride 2. x: (N, H, W, C) -> (N, H/2, W/2, C)."""
    n, height, width, channels = x.shape
    blocks = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    y = blocks.max((2, 4))
    winners = blocks == y[:, :, None, :, None]

    def backward(dy: np.ndarray) -> np.ndarray:
        share = winners / winners.sum((2, 4), keepdims=True)
        return (share * dy[:, :, None, :, None]).reshape(x.shape).astype(x.dtype)

    return y, backward


def dense(x: np.ndarray, p: Parameters, gradients: Parameters) -> tuple[np.ndarray, Backward]:
    """x: (N, H, W, C) -> logits (N, 10)."""
    flat, w = x.reshape(len(x), -1), p["dense/w"]

    def backward(dy: np.ndarray) -> np.ndarray:
        gradients["dense/w"], gradients["dense/b"] = dy.T @ flat, dy.sum(0)
        return (dy @ w).reshape(x.shape)

    return flat @ w.T + p["dense/b"], backward


def forward(x: np.ndarray, p: Parameters, gradients: Parameters) -> tuple[np.ndarray, list[Backward]]:
    """The network up to its logits, and the layers' backward functions in forward order."""
    x, first = conv_relu(x, p, gradients, "conv1")
    x, second = max_pool(x)
    x, third = conv_relu(x, p, gradients, "conv2")
    x, fourth = max_pool(x)
    x, fifth = dense(x, p, gradients)
    return x, [first, second, third, fourth, fifth]


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def initial(rng: np.random.Generator) -> Parameters:
    """He initialization: normal weights of variance 2 / fan in, zero biases."""
    c0, c1, c2 = CHANNELS
    shapes = {"conv1": (c1, 3, 3, c0), "conv2": (c2, 3, 3, c1), "dense": (CLASSES, 2 * 2 * c2)}
    p: Parameters = {}
    for name, shape in shapes.items():
        p[f"{name}/w"] = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        p[f"{name}/b"] = np.zeros(shape[0], np.float32)
    return p


def train(x: np.ndarray, labels: np.ndarray) -> Parameters:
    """Minimize cross-entropy with Adam and a falling rate; each batch is shifted by up to one pixel."""
    rng = np.random.default_rng(SEED)
    p = initial(rng)
    mean = {k: np.zeros_like(v) for k, v in p.items()}
    square = {k: np.zeros_like(v) for k, v in p.items()}
    steps, step = EPOCHS * (len(x) // BATCH), 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            shifted = np.roll(x[rows], rng.integers(-1, 2, 2), (1, 2))
            gradients: Parameters = {}
            logits, layers = forward(shifted, p, gradients)
            delta = (softmax(logits) - np.eye(CLASSES, dtype=np.float32)[labels[rows]]) / BATCH
            for backward in reversed(layers):
                delta = backward(delta)
            step += 1
            rate = RATE * (1 - step / steps)
            for k, g in gradients.items():
                mean[k] = 0.9 * mean[k] + 0.1 * g
                square[k] = 0.999 * square[k] + 0.001 * g * g
                p[k] -= rate * (mean[k] / (1 - 0.9**step)) / (np.sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
    return p


def to_model(p: Parameters) -> Model:
    """The trained network as a model: (1, 8, 8, 1) pixels in 0..1 -> (1, 10) probabilities."""
    b = Builder()
    x = b.input("image", (1, 8, 8, 1))
    window = {"padding": "VALID", "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}
    for name in ("conv1", "conv2"):
        w, bias = b.constant(f"{name}/weights", p[f"{name}/w"]), b.constant(f"{name}/bias", p[f"{name}/b"])
        activation = {"fused_activation_function": "RELU", "stride_h": 1, "stride_w": 1}
        x = add(b, "CONV_2D", [x, w, bias], f"{name}/relu", **activation)
        x = add(b, "MAX_POOL_2D", [x], f"{name}/pool", **window)
    flat = b.constant("flat_shape", np.int32([1, -1]))
    x = add(b, "RESHAPE", [x, flat], "flat")
    w, bias = b.constant("dense/weights", p["dense/w"]), b.constant("dense/bias", p["dense/b"])
    x = add(b, "FULLY_CONNECTED", [x, w, bias], "logits")
    return b.model([add(b, "SOFTMAX", [x], "probabilities", beta=1.0)], description="digits")


def main() -> None:
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.images))
    pixels = digits.images[order].astype(np.uint8)  # 0..16
    labels = digits.target[order].astype(np.uint8)
    x = (pixels / 16).astype(np.float32)[..., None]
    p = train(x[TEST:], labels[TEST:])
    logits, _ = forward(x[:TEST], p, {})
    print(f"test accuracy {np.mean(logits.argmax(1) == labels[:TEST]):.4f} on {TEST} images")
    FOLDER.mkdir(parents=True, exist_ok=True)
    size = to_model(p).save(FOLDER / "digits.tflite", overwrite=True)
    calibration = pixels[TEST : TEST + CALIBRATION]
    np.savez_compressed(FOLDER / "digits.npz", test=pixels[:TEST], labels=labels[:TEST], calibration=calibration)
    print(f"digits.tflite {size} bytes, digits.npz {(FOLDER / 'digits.npz').stat().st_size} bytes")


if __name__ == "__main__":
    main()
