"""The same scripts with tflite_runtime's Interpreter, in a process of its own, and with ours."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyquant as pq
from pyquant.interpreter import Interpreter, OpResolverType, load_delegate
from pyquant.ops.build import add
from pyquant.validate import RUNTIMES

KWS = "models/mlperf_tiny/**/kws_ref_model.tflite"
WORDS = "models/single_ops/**/*__string_input_model.tflite"


def classification(interpreter_class: Any, path: str) -> Any:
    interpreter = interpreter_class(
        model_path=path, num_threads=2, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = source["quantization"]
    image = np.linspace(-1, 1, int(np.prod(source["shape"]))).reshape(source["shape"])
    interpreter.set_tensor(source["index"], np.clip(image / scale + zero_point, -128, 127).astype(source["dtype"]))
    interpreter.invoke()
    interpreter.invoke()  # inputs keep their values
    scores = np.squeeze(interpreter.get_tensor(target["index"]))
    return [scores.tolist(), np.argsort(-scores)[:3].tolist(), [plain(d) for d in interpreter.get_tensor_details()]]


def raw_access(interpreter_class: Any, path: str) -> Any:
    with open(path, "rb") as file:
        interpreter = interpreter_class(model_content=file.read(), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    outputs = []
    for value in (3, -7):
        interpreter.tensor(source)()[...] = value
        interpreter.invoke()
        outputs.append(interpreter.tensor(target)().tolist())
    return [outputs, interpreter.get_signature_list()]


def resized(interpreter_class: Any, path: str) -> Any:
    interpreter = interpreter_class(path)
    source = interpreter.get_input_details()[0]
    shape = [3, *source["shape"][1:].tolist()]
    interpreter.resize_tensor_input(source["index"], shape)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    interpreter.set_tensor(source["index"], rng.integers(-128, 128, shape).astype(source["dtype"]))
    interpreter.invoke()
    target = interpreter.get_output_details()[0]
    return [target["shape"].tolist(), interpreter.get_tensor(target["index"]).tolist()]


def mistakes(interpreter_class: Any, path: str) -> Any:
    """The kinds of errors that scripts may catch."""
    interpreter = interpreter_class(path)
    found = [kind(interpreter.invoke)]
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    index, shape, dtype = source["index"], source["shape"], source["dtype"]
    found += [kind(lambda: interpreter.set_tensor(index, np.zeros((2, 2), dtype)))]
    found += [kind(lambda: interpreter.set_tensor(index, np.zeros(shape, np.float64)))]
    found += [kind(lambda: interpreter.set_tensor(9999, np.zeros(shape, dtype)))]
    found += [kind(lambda: interpreter.get_tensor(9999)), kind(lambda: interpreter.get_signature_runner("nope"))]
    interpreter.resize_tensor_input(index, [3, *shape[1:]])
    found += [interpreter.get_input_details()[0]["shape"].tolist(), kind(interpreter.invoke)]
    found += [kind(lambda: interpreter.set_tensor(index, np.zeros([3, *shape[1:]], dtype)))]
    found += [kind(lambda: interpreter.get_tensor(index, 9))]
    found += [
        kind(interpreter_class),
        kind(lambda: interpreter_class("/nope.tflite")),
        kind(lambda: interpreter_class(model_content=b"xx")),
    ]
    return found


def text(interpreter_class: Any, path: str) -> Any:
    """Strings go in as arrays of bytes, of text or of objects, and come out as objects."""
    interpreter = interpreter_class(path)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    words, found = [["a", "\u00e9", ""]], [plain(source), plain(target)]
    for array in (np.array(words), np.char.encode(words, "utf-8"), np.array([[b"a\0", b"\0", "b"]], object)):
        interpreter.set_tensor(source["index"], array)
        interpreter.invoke()
        made = interpreter.get_tensor(target["index"])
        found.append([str(made.dtype), made.shape, [word.hex() for word in made.ravel()]])
    wrong = (np.array([[1, 2, 3]]), np.array([[1, 2, 3]], object), np.array(["a", "b", "c"]))
    return found + [kind(lambda array=array: interpreter.set_tensor(source["index"], array)) for array in wrong]


def kind(work: Any) -> str:
    try:
        work()
    except Exception as error:
        return next(k.__name__ for k in (ValueError, RuntimeError, TypeError, Exception) if isinstance(error, k))
    return "none"


def plain(detail: Any) -> Any:
    if isinstance(detail, dict):
        return {key: plain(value) for key, value in detail.items()}
    if isinstance(detail, np.ndarray):
        return [str(detail.dtype), detail.tolist()]
    return detail.__name__ if isinstance(detail, type) else list(detail) if isinstance(detail, tuple) else detail


USES = {**dict.fromkeys((classification, raw_access, resized, mistakes), KWS), text: WORDS}


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_scripts_run_alike(use: Any, data_folder: Path) -> None:
    """The script runs as it is, once with each module's Interpreter."""
    python = os.environ.get(RUNTIMES["tflite-runtime"].variable, sys.executable)
    path = str(next(data_folder.glob(USES[use])))
    functions = "\n".join(inspect.getsource(f) for f in (use, plain, kind))
    imports = "import json\nfrom typing import Any\nimport numpy as np\n"
    imports += "from tflite_runtime.interpreter import Interpreter, OpResolverType\n"
    script = f"{imports}{functions}\nprint('RESULT' + json.dumps({use.__name__}(Interpreter, {path!r})))"
    run = subprocess.run([python, "-c", script], capture_output=True, text=True)
    if "No module named 'tflite_runtime'" in run.stderr:
        pytest.skip("tflite-runtime is not installed")
    assert run.returncode == 0, run.stderr
    theirs = json.loads(run.stdout.split("RESULT")[1])
    ours = json.loads(json.dumps(use(Interpreter, path)))
    assert ours == theirs


def test_signatures_and_states(tmp_path: Path) -> None:
    b = pq.Builder()
    x, total = b.input("value", (1, 2)), b.tensor("total", (1, 2), is_variable=True)
    weights = [
        b.constant("w", np.eye(2, dtype=np.float32)),
        b.constant("r", np.eye(2, dtype=np.float32)),
        b.constant("b", np.zeros(2, np.float32)),
    ]
    y = add(b, "RNN", [x, *weights, total], "sum", fused_activation_function="NONE")
    model = pq.add_signature(b.model([y]), "serve")
    model.save(tmp_path / "sum.tflite")
    interpreter = Interpreter(str(tmp_path / "sum.tflite"))
    run = interpreter.get_signature_runner("serve")
    assert interpreter.get_signature_list() == {"serve": {"inputs": ["value"], "outputs": ["sum"]}}
    one = np.ones((1, 2), np.float32)
    assert [run(value=one)["sum"][0, 0] for _ in range(3)] == [1, 2, 3]
    interpreter.reset_all_variables()
    assert run(value=one)["sum"][0, 0] == 1
    with pytest.raises(ValueError, match=r"found \['wrong'\], expected \['value'\]"):
        run(wrong=one)


def test_delegates_are_refused() -> None:
    with pytest.raises(ValueError, match="without delegates"):
        load_delegate("libedgetpu.so.1")
