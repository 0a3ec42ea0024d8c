"""Turns sample data of every form into arrays that a model's inputs take."""

from __future__ import annotations

import runpy
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.dtypes import STRING
from pyquant.errors import DataError
from pyquant.fixed import round_half_away
from pyquant.graph import Model, Subgraph, Tensor
from pyquant.run.feeds import strings

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
SCRIPT_FUNCTION = "representative_dataset"
UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile)  # what NumPy raises for a bad file

# What a model's inputs take for one sample: its arrays, in input order.
Sample = dict[Tensor, np.ndarray]


@dataclass(frozen=True)
class Images:
    """A folder of images as data, in the order of their names; each is resized to the model's (height, width).

    A float input takes (pixel - mean) / std, pixels 0..255. A quantized input takes the same where mean or std is
    given, else the pixels as they are stored: 0..255 for uint8, -128..127 for int8. Needs Pillow.
    """

    folder: str | Path
    mean: float | Sequence[float] | None = None
    std: float | Sequence[float] | None = None


def samples(data: Any, model: Model, every: bool = False) -> Iterator[Sample]:
    """The samples of `data`, each fitted to the inputs of the model's main subgraph.

    data: a function that returns an iterable, an iterable, an array (first axis: samples), a dict of arrays by input
    name, Images, or the path of a `.npy` file, a `.npz` file (`file.npz:name` picks one array), a folder of images, or
    a Python script that defines `representative_dataset`.
    A sample: one array, a sequence of arrays in input order, a dict by input or signature name, or (signature key,
    dict). An array of the input's own type is taken as it is; any other holds real values, which a quantized input's
    scale quantizes. A missing batch axis is added. every: signatures may be of any subgraph, not of the main one alone.
    Raises DataError, also where there is no sample at all.
    """
    empty = True
    for i, sample in enumerate(_raw(data, model)):
        empty = False
        named = _by_tensor(sample, model, i, every)
        yield {tensor: fit(array, tensor, f"sample {i}") for tensor, array in named.items()}
    if empty:
        raise DataError("the data holds no samples")


def fit(array: Any, tensor: Tensor, where: str = "sample") -> np.ndarray:
    """One array in the shape and type of `tensor`. Raises DataError, naming `where`, for what does not fit."""
    what, text = f"{where}: input {tensor.name!r}", tensor.dtype is STRING
    values = strings(array, what) if text else np.asarray(array)
    if tensor.dtype.numpy is None or (values.dtype.kind not in "biuf" and not text):
        raise DataError(f"{what} takes {tensor.dtype} numbers, found elements of type {values.dtype}")
    if values.shape != tensor.shape:
        if _without_batch(values.shape) != _without_batch(tensor.shape):
            raise DataError(f"{what} takes shape {tensor.shape}, found {values.shape}")
        values = values.reshape(tensor.shape)
    return np.require(_converted(values, tensor, what), requirements="C")  # which leaves a scalar one


def random_samples(model: Model, count: int, seed: int = 0) -> Iterator[list[np.ndarray]]:
    """Arrays in input order: floats in -1..1, any code for quantized integers, 0 or 1 for other numbers."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield [_random(tensor, rng) for tensor in model.main.inputs]


def _random(tensor: Tensor, rng: np.random.Generator) -> np.ndarray:
    kind = tensor.dtype
    if not kind.bits or kind.numpy is None:
        raise DataError(f"input {tensor.name!r} takes {kind}: random samples cannot be made, give data")
    if kind.is_float:
        return rng.uniform(-1, 1, tensor.shape).astype(kind.numpy)
    low, high = (kind.lo, kind.hi) if tensor.is_quantized and kind.lo is not None and kind.hi is not None else (0, 1)
    return rng.integers(low, high, tensor.shape, endpoint=True).astype(kind.numpy)


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _converted(values: np.ndarray, tensor: Tensor, what: str) -> np.ndarray:
    kind = tensor.dtype
    assert kind.numpy is not None
    if values.dtype == kind.numpy:
        return values
    if kind.is_float:
        with np.errstate(over="ignore"):
            narrow = values.astype(kind.numpy)
        if np.any(np.isinf(narrow) & np.isfinite(values)):
            raise DataError(f"{what} takes {kind}, found a number past its range: {values[np.isinf(narrow)].flat[0]}")
        return narrow
    if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
        raise DataError(f"{what} takes {kind}, found NaN or infinity")
    lo, hi = (0, 1) if kind.lo is None or kind.hi is None else (kind.lo, kind.hi)
    if tensor.is_quantized and kind.is_quantized_integer:
        codes: np.ndarray = round_half_away(values.astype(np.float32) / tensor.scale).astype(np.float64)
        codes = np.clip(codes + tensor.zero_point, lo, hi)
        return codes.astype(kind.numpy)
    misfit = (values < lo) | (values > hi) | (values != np.trunc(values))
    if np.any(misfit):
        raise DataError(f"{what} takes {kind}, whole numbers {lo}..{hi}, found {values[misfit].flat[0]}")
    return values.astype(kind.numpy)


def _by_tensor(sample: Any, model: Model, i: int, every: bool) -> dict[Tensor, Any]:
    """Which input takes which array of a sample."""
    graph = model.main
    if isinstance(sample, tuple) and len(sample) == 2 and isinstance(sample[0], str):
        graphs = {s.key: s.subgraph for s in model.signatures if every or s.subgraph is model.main}
        if sample[0] not in graphs:
            whose = "the model's" if every else "the first subgraph's"
            raise DataError(f"sample {i}: signature {sample[0]!r} is not one of {whose}: {list(graphs)}")
        graph, sample = graphs[sample[0]], sample[1]
    inputs = graph.inputs
    if isinstance(sample, Mapping):
        names = _names(model, graph)
        unknown = [name for name in sample if name not in names]
        found = {names[name]: array for name, array in sample.items() if name in names}
        missing = [tensor.name for tensor in inputs if tensor not in found]
        if unknown or missing:
            expected = [tensor.name for tensor in inputs]
            raise DataError(f"sample {i}: expected inputs {expected}, unknown {unknown}, missing {missing}")
        return {tensor: found[tensor] for tensor in inputs}
    arrays = list(sample) if isinstance(sample, (list, tuple)) else [sample]
    if len(arrays) != len(inputs):
        raise DataError(f"sample {i}: expected {len(inputs)} arrays ({[t.name for t in inputs]}), found {len(arrays)}")
    return dict(zip(inputs, arrays, strict=True))


def _names(model: Model, graph: Subgraph) -> dict[str, Tensor]:
    """Every name that an input goes by: a signature's argument names, and above them tensor names."""
    names = {name: tensor for s in model.signatures if s.subgraph is graph for name, tensor in s.inputs}
    return names | {tensor.name: tensor for tensor in graph.inputs}


def _raw(data: Any, model: Model) -> Iterable[Any]:
    """The samples as given."""
    if isinstance(data, (str, Path)):
        data = _from_path(str(data))
    if isinstance(data, Images):
        return _images(data, model)
    if isinstance(data, Mapping):
        return _rows(data, model)
    if callable(data):
        data = data()
    if not isinstance(data, Iterable) or (isinstance(data, np.ndarray) and data.ndim == 0):
        raise DataError(f"data must be an array, an iterable, a function or a path, found {type(data).__name__}")
    return data


def _rows(columns: Mapping[str, Any], model: Model) -> Iterator[dict[str, Any]]:
    inputs = _names(model, model.main)
    if not set(columns) <= set(inputs):
        hint = "FILE.npz:NAME takes one array of a file"
        raise DataError(f"the arrays are named {list(columns)}, the inputs {list(inputs)}; {hint}")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"the first axis counts samples and must be the same for every input, found {lengths}")
    for i in range(min(lengths.values(), default=0)):
        yield {name: column[i] for name, column in columns.items()}


def _from_path(path: str) -> Any:
    file, _, key = path.partition(".npz:")
    if key:
        return _npz(file + ".npz", key)
    found = Path(path)
    if found.is_dir():
        return Images(found)
    if not found.exists():
        raise DataError(f"no such file or folder: {path}")
    if found.suffix not in LOADERS:
        raise DataError(f"{path}: expected a folder of images, or a file of type {', '.join(LOADERS)}")
    return LOADERS[found.suffix](path)


def _npy(path: str) -> np.ndarray:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except UNREADABLE as error:
        raise DataError(f"{path}: {error}") from None


def _npz(path: str, key: str | None = None) -> Any:
    """One array where the file holds one or `key` picks it, else a dict of all."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if key in (None, name)}
    except UNREADABLE as error:
        raise DataError(f"{path}: {error}") from None
    if not arrays:
        raise DataError(f"{path} holds no array {key or ''!r}")
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def _script(path: str) -> Callable[[], Any]:
    function = runpy.run_path(path).get(SCRIPT_FUNCTION)
    if not callable(function):
        raise DataError(f"{path} defines no function {SCRIPT_FUNCTION}")
    return function  # type: ignore[no-any-return]


LOADERS: dict[str, Callable[[str], Any]] = {".npy": _npy, ".npz": _npz, ".py": _script}


def _images(images: Images, model: Model) -> Iterator[np.ndarray]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise DataError("a folder of images needs Pillow: pip install pillow") from None
    tensor = _image_input(model, images)
    if not Path(images.folder).is_dir():
        raise DataError(f"{images.folder}: mean and std are of a folder of images, which it is not")
    files = sorted(p for p in Path(images.folder).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"{images.folder} holds no images ({', '.join(IMAGE_SUFFIXES)})")
    height, width, channels = tensor.shape[1:]
    for file in files:
        try:
            with Image.open(file) as image:
                colours = image.convert("L" if channels == 1 else "RGB")
                if colours.size != (width, height):
                    colours = colours.resize((width, height), Image.Resampling.BILINEAR)
                pixels = np.asarray(colours, np.uint8).reshape(tensor.shape)
        except (UnidentifiedImageError, OSError) as error:
            raise DataError(f"{file}: {error}") from None
        yield _normalized(pixels, images, tensor)


def _image_input(model: Model, images: Images) -> Tensor:
    """The model's one input, checked to be an image that `images` can fill."""
    shapes = [tensor.shape for tensor in model.main.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][0] != 1 or shapes[0][3] not in (1, 3):
        raise DataError(f"a folder of images needs one input of shape (1, height, width, 1 or 3), found {shapes}")
    tensor = model.main.inputs[0]
    if images.mean is None and images.std is None and tensor.dtype.name not in ("uint8", "int8"):
        raise DataError(
            f"{images.folder}: input {tensor.name!r} is {tensor.dtype}: state mean and std, for "
            "(pixel - mean) / std; 0 and 255 give 0..1, 127.5 and 127.5 give -1..1, 0 and 1 give 0..255"
        )
    return tensor


def _normalized(pixels: np.ndarray, images: Images, tensor: Tensor) -> np.ndarray:
    if images.mean is None and images.std is None:
        return pixels if tensor.dtype.name == "uint8" else (pixels.astype(np.int16) - 128).astype(np.int8)
    mean = _of_channels("mean", 0 if images.mean is None else images.mean, tensor.shape[3])
    std = _of_channels("std", 1 if images.std is None else images.std, tensor.shape[3])
    if not std.all():
        raise DataError(f"std: found {images.std}, expected what pixels can be divided by")
    return np.asarray((pixels - mean) / std)


def _of_channels(name: str, value: float | Sequence[float], channels: int) -> np.ndarray:
    found = np.asarray(value, np.float32)
    if found.shape not in ((), (1,), (channels,)) or not np.isfinite(found).all():
        expected = "finite number" if channels == 1 else f"finite number, or {channels} of them"
        raise DataError(f"{name}: found {value}, expected a {expected}")
    return found
