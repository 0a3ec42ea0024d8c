"""Every form of data arrives as the same samples, and what does not fit is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyquant as pq
from pyquant.calibrate.data import fit, random_samples
from pyquant.graph import Signature

rng = np.random.default_rng(3)
ROWS = rng.uniform(-1, 1, (5, 2, 3)).astype(np.float32)
SCRIPT = """
import numpy as np
def representative_dataset():
    for row in np.load({path!r}):
        yield [row]
"""


def model(*inputs: pq.Tensor) -> pq.Model:
    made = pq.Model([pq.Subgraph("main", list(inputs), list(inputs))])
    made.signatures.append(Signature("serving_default", made.main, [(f"arg{i}", t) for i, t in enumerate(inputs)], []))
    return made


def tensor(
    name: str, shape: tuple[int, ...], dtype: str = "float32", scale: Any = None, zero_point: int = 0
) -> pq.Tensor:
    b = pq.Builder()
    return b.input(name, shape, dtype, None if scale is None else pq.Quantization.of(scale, zero_point))


ONE = model(tensor("x", (1, 2, 3)))
TWO = model(tensor("x", (1, 2, 3)), tensor("n", (2,), "int32"))
IMAGE = model(tensor("pixels", (1, 4, 6, 3)))


def written(name: str, save: Any) -> Any:
    def form(folder: Path) -> str:
        save(folder / name)
        return str(folder / name)

    return form


def script(folder: Path) -> str:
    np.save(folder / "rows.npy", ROWS)
    (folder / "data.py").write_text(SCRIPT.format(path=str(folder / "rows.npy")))
    return str(folder / "data.py")


FORMS = {
    "array": lambda _: ROWS,
    "array with batch axis": lambda _: ROWS[:, None],
    "float64": lambda _: ROWS.astype(np.float64),
    "list of arrays": lambda _: list(ROWS),
    "list of lists": lambda _: [[row] for row in ROWS],
    "generator": lambda _: (row for row in ROWS),
    "function": lambda _: lambda: ([row] for row in ROWS),
    "dicts by tensor name": lambda _: [{"x": row} for row in ROWS],
    "dicts by signature name": lambda _: [{"arg0": row} for row in ROWS],
    "signature key": lambda _: [("serving_default", {"arg0": row}) for row in ROWS],
    "dict of arrays": lambda _: {"x": ROWS},
    "npy": written("rows.npy", lambda path: np.save(path, ROWS)),
    "npz": written("rows.npz", lambda path: np.savez(path, x=ROWS)),
    "npz of one unnamed": written("rows.npz", lambda path: np.savez(path, ROWS)),
    "npz with key": lambda folder: written("r.npz", lambda path: np.savez(path, a=ROWS, b=[1]))(folder) + ":a",
    "script": script,
}


@pytest.mark.parametrize("shape", [(), (1, 2), (2, 0)], ids=str)
def test_samples_have_the_shape_of_the_input(shape: tuple[int, ...]) -> None:
    for kind, value in (("float32", np.ones(shape)), ("string", np.full(shape, "a"))):
        assert fit(value, tensor("x", shape, kind)).shape == shape


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_same_samples(form: Any, tmp_path: Path) -> None:
    found = [list(sample.values()) for sample in pq.samples(form(tmp_path), ONE)]
    assert len(found) == len(ROWS)
    for (array,), row in zip(found, ROWS, strict=True):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, row[None])


def test_several_inputs_by_order_and_name() -> None:
    by_order = list(pq.samples([(ROWS[0], [1, 2])], TWO))
    by_name = list(pq.samples([{"n": [1, 2], "x": ROWS[0]}], TWO))
    for (sample,) in (by_order, by_name):
        assert [t.name for t in sample] == ["x", "n"]
        assert [a.dtype.name for a in sample.values()] == ["float32", "int32"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "no samples"),
        (7, "must be an array"),
        (np.float32(1), "must be an array"),
        (np.zeros((5, 3, 3), np.float32), r"sample 0: input 'x' takes shape \(1, 2, 3\), found \(3, 3\)"),
        ([[ROWS[0], ROWS[0]]], "sample 0: expected 1 arrays .* found 2"),
        ([{"y": ROWS[0]}], r"unknown \['y'\], missing \['x'\]"),
        ([("other", {"x": ROWS[0]})], "signature 'other' is not one of"),
        ([np.array(["a"])], "takes float32 numbers, found"),
        ([np.full((2, 3), 1e300)], "past its range"),
        ({"x": ROWS, "arg0": ROWS[:2]}, "must be the same for every input"),
        ({"x": ROWS, "labels": ROWS}, r"named \['x', 'labels'\], the inputs"),
        ("nowhere.npy", "no such file"),
        (__file__, "defines no function representative_dataset"),
    ],
)
def test_what_does_not_fit_is_refused(data: Any, message: str) -> None:
    with pytest.raises(pq.DataError, match=message):
        list(pq.samples(data, ONE))


@pytest.mark.parametrize("name", ["broken.npy", "broken.npz", "data.txt"])
def test_broken_files_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"not an array")
    with pytest.raises(pq.DataError, match=name):
        list(pq.samples(tmp_path / name, ONE))


def test_real_values_become_codes() -> None:
    """By the input's scale, half away from zero, clipped; an array of the input's own type is codes already."""
    q = tensor("q", (4,), "int8", scale=0.5, zero_point=3)
    assert fit([0.0, 0.25, -0.25, 100.0], q).tolist() == [3, 4, 2, 127]
    assert fit(np.int64([0, 1, 2, -100]), q).tolist() == [3, 5, 7, -128]
    assert fit(np.int8([0, 1, 2, -100]), q).tolist() == [0, 1, 2, -100]
    with pytest.raises(pq.DataError, match="NaN"):
        fit([np.nan] * 4, q)


def test_plain_integers_must_be_whole_and_fit() -> None:
    n = tensor("n", (2,), "int32")
    assert fit([1.0, -2.0], n).tolist() == [1, -2]
    for values in ([0.5, 1], [2**40, 0]):
        with pytest.raises(pq.DataError, match="whole numbers"):
            fit(values, n)


@pytest.mark.parametrize(("sample", "target"), [((), (1, 1)), ((3,), (1, 1, 3)), ((1, 3), (3,))])
def test_axes_of_one_in_front_do_not_matter(sample: tuple[int, ...], target: tuple[int, ...]) -> None:
    assert fit(np.zeros(sample, np.float32), tensor("x", target)).shape == target


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    for name, value in (("b.png", 0), ("a.png", 255)):
        image.fromarray(np.full((8, 12, 3), value, np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_images_are_scaled_and_normalized_in_order_of_name(photos: Path) -> None:
    first, second = (next(iter(s.values())) for s in pq.samples(pq.Images(photos, 127.5, [127.5] * 3), IMAGE))
    assert first.shape == (1, 4, 6, 3)
    assert (first.max(), second.min()) == (1.0, -1.0)


def test_images_for_a_float_input_need_a_normalization(photos: Path) -> None:
    with pytest.raises(pq.DataError, match="state mean and std"):
        list(pq.samples(photos, IMAGE))


@pytest.mark.parametrize(("dtype", "codes"), [("uint8", [255, 0]), ("int8", [127, -128])])
def test_images_for_a_quantized_input_are_stored_pixels(photos: Path, dtype: str, codes: list[int]) -> None:
    quantized = model(tensor("pixels", (1, 4, 6, 3), dtype, scale=1 / 255, zero_point=0))
    assert [int(next(iter(s.values())).flat[0]) for s in pq.samples(photos, quantized)] == codes


def test_images_need_an_image_input_and_images(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(pq.DataError, match="needs one input of shape"):
        list(pq.samples(photos, ONE))
    with pytest.raises(pq.DataError, match="holds no images"):
        list(pq.samples(pq.Images(tmp_path_factory.mktemp("empty"), 0, 255), IMAGE))


@pytest.mark.parametrize(
    ("folder", "mean", "std", "message"),
    [
        (".", [0, 0], 255, "mean: found .0, 0., expected a finite number, or 3 of them"),
        (".", float("nan"), 255, "mean: found nan, expected a finite"),
        (".", 0, [1, 0, 1], "std: found .1, 0, 1., expected what pixels can be divided by"),
        ("a.png", 0, 255, "a folder of images, which it is not"),
    ],
)
def test_a_normalization_that_cannot_be(photos: Path, folder: str, mean: Any, std: Any, message: str) -> None:
    with pytest.raises(pq.DataError, match=message):
        list(pq.samples(pq.Images(photos / folder, mean, std), IMAGE))


def test_random_samples_are_the_same_each_time() -> None:
    first, second = list(random_samples(TWO, 3)), list(random_samples(TWO, 3))
    for a, b in zip(first, second, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
