"""The interface of tflite_runtime.interpreter: names, details and kinds of errors, so that scripts run as they are.

What it computes is what TFLite's reference kernels compute, whatever resolver is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from operator import itemgetter
from typing import Any

import numpy as np

from pyquant.dtypes import STRING
from pyquant.errors import FileError, PyQuantError
from pyquant.graph import Model, Signature, Subgraph, Tensor
from pyquant.graph import open as open_model
from pyquant.graph.file import load
from pyquant.run.compile import compile
from pyquant.run.feeds import strings
from pyquant.run.plan import Plan, Session
from pyquant.run.resolve import constant_value


class OpResolverType(Enum):
    """Taken and ignored: there is one set of kernels, and it is exact."""

    AUTO = 0
    BUILTIN = 1
    BUILTIN_REF = 2
    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 3


class Delegate:
    """Delegates are not supported: making one raises ValueError."""

    def __init__(self, library: str, options: Mapping[str, str] | None = None) -> None:
        raise ValueError(f"delegate {library}: pyquant runs models itself, without delegates")


def load_delegate(library: str, options: Mapping[str, str] | None = None) -> Delegate:
    """Raises ValueError, as tflite_runtime does where a delegate cannot be loaded."""
    return Delegate(library, options)


class Interpreter:
    """Drop-in for tflite_runtime.interpreter.Interpreter.

    Takes a model by path or by content. Inputs keep their values from run to run, and variables go on. Values of other
    tensors than inputs and outputs are there with experimental_preserve_all_tensors.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str] | None = None,
        model_content: bytes | None = None,
        experimental_delegates: Sequence[Delegate] | None = None,
        num_threads: int | None = None,
        experimental_op_resolver_type: OpResolverType = OpResolverType.AUTO,
        experimental_preserve_all_tensors: bool = False,
        experimental_disable_delegate_clustering: bool = False,
        numerics: str = "tflite",
    ) -> None:
        if model_path is None and model_content is None:
            raise ValueError("model_path or model_content must be given")
        if model_path is not None and model_content is not None:
            raise ValueError("model_path and model_content are both given, expected one")
        if num_threads is not None and (not isinstance(num_threads, int) or num_threads < 1):
            raise ValueError(
                "num_threads should >= 1" if isinstance(num_threads, int) else "type of num_threads is int"
            )
        if experimental_delegates:
            raise ValueError("experimental_delegates: pyquant runs models itself, without delegates")
        try:
            self._model: Model = load(model_content) if model_path is None else open_model(model_path)
        except FileError as error:
            raise ValueError(str(error)) from error
        self._options: dict[str, Any] = {"threads": num_threads or 1, "numerics": numerics}
        self._keep_all = experimental_preserve_all_tensors
        self._main = _Runner(self._model, self._model.main, self._options, self._keep_all)

    def allocate_tensors(self) -> None:
        """Compile for the shapes that the inputs have now. Raises RuntimeError where the model cannot run."""
        self._main.allocate()

    def invoke(self) -> None:
        """Run on what the inputs hold. Raises RuntimeError before allocate_tensors, and where a run fails."""
        self._main.invoke()

    def set_tensor(self, tensor_index: int, value: np.ndarray) -> None:
        """Copy a value into an input. Raises ValueError for another shape or type."""
        self._main.set(tensor_index, value)

    def get_tensor(self, tensor_index: int, subgraph_index: int = 0) -> np.ndarray:
        """A copy of a tensor's value; of other subgraphs only constants have one. Raises ValueError for one without."""
        if not 0 <= subgraph_index < len(self._model.subgraphs):
            raise ValueError(f"no subgraph has index {subgraph_index}: there are {len(self._model.subgraphs)}")
        return self._runner(self._model.subgraphs[subgraph_index]).value(tensor_index).copy()

    def tensor(self, tensor_index: int) -> Callable[[], np.ndarray]:
        """A function that gives the memory of a tensor, to be read and written in place."""
        return lambda: self._main.value(tensor_index)

    def resize_tensor_input(self, input_index: int, tensor_size: Sequence[int], strict: bool = False) -> None:
        """Give an input another shape; allocate_tensors applies it. strict: only where the file leaves sizes open."""
        self._main.resize(input_index, tuple(int(n) for n in tensor_size), strict)

    def reset_all_variables(self) -> None:
        """Set variables to their initial state. Raises RuntimeError before allocate_tensors."""
        self._main.session().reset()

    def get_input_details(self) -> list[dict[str, Any]]:
        return [self._main.details(t) for t in self._model.main.inputs]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [self._main.details(t) for t in self._model.main.outputs]

    def get_tensor_details(self) -> list[dict[str, Any]]:
        """Of all tensors that have a name."""
        return [self._main.details(t) for t in self._model.main.tensors if t.name]

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]:
        """{key: {"inputs": names, "outputs": names}}"""
        return {
            s.key: {"inputs": sorted(name for name, _ in s.inputs), "outputs": sorted(name for name, _ in s.outputs)}
            for s in self._model.signatures
        }

    def get_signature_runner(self, signature_key: str | None = None) -> SignatureRunner:
        """What runs a signature. Raises ValueError for a key that the model does not have."""
        signatures = self._model.signatures
        if signature_key is None and len(signatures) != 1:
            raise ValueError(f"the model has {len(signatures)} signatures; without a key there must be one")
        found = [s for s in signatures if signature_key in (None, s.key)]
        if not found:
            keys = ", ".join(repr(s.key) for s in signatures)
            raise ValueError(f"no signature is {signature_key!r}; the model has {keys or 'none'}")
        return SignatureRunner(found[0], self._runner(found[0].subgraph))

    def _runner(self, graph: Subgraph) -> _Runner:
        if graph is self._model.main:
            return self._main
        return _Runner(self._model, graph, self._options, self._keep_all)


class SignatureRunner:
    """Runs a signature: `runner(name=array, ...)` -> {output name: array}. Inputs may come in other shapes."""

    def __init__(self, signature: Signature, runner: _Runner) -> None:
        self._signature, self._runner = signature, runner

    def __call__(self, **kwargs: Any) -> dict[str, np.ndarray]:
        inputs = dict(self._signature.inputs)
        if set(kwargs) != set(inputs):
            found = f"found {sorted(kwargs)}, expected {sorted(inputs)}"
            raise ValueError(f"signature {self._signature.key!r}: inputs by name: {found}")
        arrays = {name: np.asarray(value) for name, value in kwargs.items()}
        for name, array in arrays.items():
            self._runner.resize(self._runner.index(inputs[name]), array.shape, strict=False)
        self._runner.allocate()
        for name, array in arrays.items():
            self._runner.set(self._runner.index(inputs[name]), array)
        self._runner.invoke()
        return {name: self._runner.value(self._runner.index(t)).copy() for name, t in self._signature.outputs}

    def get_input_details(self) -> dict[str, dict[str, Any]]:
        return {name: self._runner.details(t) for name, t in sorted(self._signature.inputs, key=itemgetter(0))}

    def get_output_details(self) -> dict[str, dict[str, Any]]:
        return {name: self._runner.details(t) for name, t in sorted(self._signature.outputs, key=itemgetter(0))}


class _Runner:
    """A subgraph with the shapes that its inputs have now, and its session once it is allocated."""

    def __init__(self, model: Model, graph: Subgraph, options: Mapping[str, Any], keep_all: bool) -> None:
        self._model, self._graph, self._options, self._keep_all = model, graph, options, keep_all
        self._indices = {t: i for i, t in enumerate(graph.tensors)}
        self._shapes = {t: t.shape for t in graph.inputs}
        self._planned: dict[Tensor, tuple[int, ...]] | None = None  # the shapes that the plan is for
        self._plan: Plan | None = None
        self._session: Session | None = None

    def index(self, tensor: Tensor) -> int:
        return self._indices[tensor]

    def allocate(self) -> None:
        if self._planned == self._shapes:
            return
        changed: dict[str | Tensor, tuple[int, ...]] = {
            t: shape for t, shape in self._shapes.items() if shape != t.shape
        }
        keep = "all" if self._keep_all else self._graph.inputs
        try:
            self._plan = compile(self._model, keep=keep, subgraph=self._graph, shapes=changed, **self._options)
            self._session = self._plan.session()
        except PyQuantError as error:
            self._planned = self._session = None
            raise RuntimeError(str(error)) from error
        self._planned = dict(self._shapes)

    def session(self) -> Session:
        if self._session is None or self._planned != self._shapes:
            raise RuntimeError("the model is not ready: call allocate_tensors() first")
        return self._session

    def invoke(self) -> None:
        session = self.session()
        try:
            session.invoke()
        except PyQuantError as error:
            raise RuntimeError(str(error)) from error

    def set(self, index: int, value: Any) -> None:
        tensor = self._tensor(index)
        kind = tensor.dtype.numpy
        where = f"cannot set input {index} {tensor.name!r}"
        array = strings(value, where) if tensor.dtype is STRING else np.asarray(value)
        if array.dtype != kind:
            raise ValueError(f"{where}: found type {array.dtype.name}, expected {tensor.dtype.name}")
        if tensor not in self._shapes:
            raise ValueError(f"cannot set tensor {index} {tensor.name!r}: it is not an input")
        if array.shape != self._shapes[tensor]:
            raise ValueError(f"{where}: found shape {array.shape}, expected {self._shapes[tensor]}")
        if self._session is None or self._planned != self._shapes:
            raise ValueError(f"{where}: call allocate_tensors() first")
        self._session.value(tensor)[...] = array

    def value(self, index: int) -> np.ndarray:
        tensor = self._tensor(index)
        if tensor.is_constant:
            found = constant_value(tensor)
            assert found is not None
            return found
        if self._session is None or self._plan is None or self._planned != self._shapes:
            raise ValueError(f"tensor {tensor.name!r} has no value yet: call allocate_tensors() first")
        if tensor not in self._plan.kept and tensor not in self._graph.outputs:
            raise ValueError(f"tensor {tensor.name!r} keeps no value without experimental_preserve_all_tensors=True")
        return self._session.value(tensor)

    def resize(self, index: int, shape: tuple[int, ...], strict: bool) -> None:
        tensor = self._tensor(index)
        if tensor not in self._shapes:
            raise ValueError(f"Tensor {tensor.name!r} is not an input and cannot be resized")
        if min(shape, default=0) < 0:
            raise RuntimeError(f"input {tensor.name!r}: found shape {shape}, expected no dimension below 0")
        signature = tensor.shape_signature or tensor.shape
        if strict and (
            len(signature) != len(shape) or any(s not in (-1, n) for s, n in zip(signature, shape, strict=True))
        ):
            raise ValueError(f"input {tensor.name!r} is {tuple(signature)}, where only -1 may change; found {shape}")
        self._shapes[tensor] = shape

    def details(self, tensor: Tensor) -> dict[str, Any]:
        q = tensor.quantization
        scales = np.empty(0, np.float32) if q is None else q.scale.astype(np.float32)
        zeros = np.empty(0, np.int32) if q is None else np.resize(q.zero_point, scales.shape).astype(np.int32)
        shape = self._shapes.get(tensor, tensor.shape)
        if self._plan is not None and self._planned == self._shapes:
            shape = self._plan.shape_of(tensor)
        signature = tensor.shape if tensor.shape_signature is None else tensor.shape_signature
        return {
            "name": tensor.name,
            "index": self._indices[tensor],
            "shape": np.array(shape, np.int32),
            "shape_signature": np.array(signature, np.int32),
            "dtype": np.bytes_ if tensor.dtype.numpy is None or tensor.dtype is STRING else tensor.dtype.numpy.type,
            "quantization": (float(scales[0]), int(zeros[0])) if scales.size == 1 else (0.0, 0),
            "quantization_parameters": {
                "scales": scales,
                "zero_points": zeros,
                "quantized_dimension": 0 if q is None else q.axis,
            },
            "sparsity_parameters": _sparsity(tensor),
        }

    def _tensor(self, index: int) -> Tensor:
        if not 0 <= index < len(self._graph.tensors):
            raise ValueError(f"no tensor has index {index}: there are {len(self._graph.tensors)}")
        return self._graph.tensors[index]


def _sparsity(tensor: Tensor) -> dict[str, Any]:
    if tensor.sparsity is None:
        return {}
    return {name: getattr(tensor.sparsity, name) for name in ("traversal_order", "block_map", "dim_metadata")}
