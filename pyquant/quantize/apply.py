"""Carries Assignments out on a copy of the model: rewrites constants, retypes tensors, inserts casts."""

from __future__ import annotations

import numpy as np

from pyquant import native
from pyquant.dtypes import BFLOAT16, FLOAT16, FLOAT32
from pyquant.graph import Buffer, Model, Node, OpCode, Subgraph, Tensor, check
from pyquant.graph.edit import remove_unused
from pyquant.graph.real import real_values, to_bfloat16
from pyquant.ops import get, lowest_version
from pyquant.ops.build import cast
from pyquant.quantize import parameters
from pyquant.quantize.assignments import FLOAT, LARGEST_FLOATS, Assignments, Encoding, as_is
from pyquant.quantize.places import cast_elsewhere, is_cast
from pyquant.wire import Record

MOST_INPUTS = 4  # of operators whose constants get other values


Codes = dict[tuple[Tensor, Encoding], np.ndarray]
Buffers = dict[tuple[Buffer, tuple[int, ...], Encoding], Buffer]  # those that subgraphs share go on to be shared


def apply(assignments: Assignments, codes: Codes | None = None) -> Model:
    """The converted model. The model that the assignments were made for stays as it is and shares unchanged arrays.

    codes: keeps the integers of constants from one call to the next.
    """
    model = assignments.model.copy()
    opcodes: dict[tuple[str, int], OpCode] = {}
    buffers: Buffers = {}
    packer = native.Packer()
    for old, new in zip(assignments.model.subgraphs, model.subgraphs, strict=True):
        before = list(new.outputs)
        _Rewrite(assignments, old, new, opcodes, codes, buffers, packer).run()
        moved = dict(zip(before, new.outputs, strict=True))
        for signature in model.signatures:
            if signature.subgraph is new:
                signature.outputs = [(name, moved.get(tensor, tensor)) for name, tensor in signature.outputs]
    remove_unused(model)
    packer.finish()
    return check(model)


class _Rewrite:
    """One subgraph's edit. `forms` holds each value once per encoding in which something reads it."""

    def __init__(
        self,
        made: Assignments,
        old: Subgraph,
        new: Subgraph,
        opcodes: dict[tuple[str, int], OpCode],
        codes: Codes | None,
        buffers: Buffers,
        packer: native.Packer,
    ) -> None:
        self.made, self.old, self.new, self.opcodes, self.codes = made, old, new, opcodes, codes
        self.buffers, self.packer = buffers, packer
        self.twin = dict(zip(old.tensors, new.tensors, strict=True))
        self.forms: dict[tuple[Tensor, Encoding], Tensor] = {}
        self.elsewhere = cast_elsewhere(old.nodes)
        self.cast_from = {node.outputs[0]: node.inputs[0] for node in old.nodes if is_cast(node)}
        self.results = {tensor: made.results.get(tensor, as_is(tensor)) for tensor in old.outputs}
        self.read: dict[Tensor, set[Encoding]] = {}  # in which encodings constants are read
        self.nodes: list[Node] = []

    def run(self) -> None:
        for tensor in self.old.tensors:
            self._place(tensor)
        for node in self.old.nodes:
            for i, read in enumerate(node.inputs):
                if read is not None and read.is_constant:
                    self.read.setdefault(read, set()).add(self._wanted(node, i, read))
        for before, after in zip(self.old.nodes, self.new.nodes, strict=True):
            self._convert(before, after)
        self.new.outputs = [self._form(t, self.results[t]) for t in self.old.outputs]
        used: set[Tensor | None] = {*self.new.outputs, *(t for node in self.nodes for t in node.inputs)}
        unread = {self.twin[t] for t in self.elsewhere}.difference(used)  # whose readers take the quantized value now
        self.new.nodes = [node for node in self.nodes if unread.isdisjoint(node.outputs)]

    def _place(self, tensor: Tensor) -> None:
        """Where a value's producer leaves it: in its twin, unless the caller reads the twin in another encoding."""
        home, twin = self._home(tensor), self.twin[tensor]
        wanted = self.results.get(tensor, home)
        if wanted != home and tensor not in self.old.inputs and not tensor.is_constant:
            _retype(twin, wanted)
            self.forms[tensor, home] = self._new_tensor(tensor, home)
        else:
            self.forms[tensor, home] = twin if home == as_is(tensor) else _retype(twin, home)

    def _home(self, tensor: Tensor) -> Encoding:
        return self.made.produced.get(tensor, as_is(tensor))

    def _wanted(self, node: Node, i: int, tensor: Tensor) -> Encoding:
        return self.made.consumed.get((node, i), as_is(tensor))

    def _convert(self, before: Node, after: Node) -> None:
        if self._casts_anew(before, after):
            return
        for i, tensor in enumerate(before.inputs):
            if tensor is not None and (before, i) not in self.made.values:
                after.inputs[i] = self._form(tensor, self._wanted(before, i, tensor))
        for i in range(MOST_INPUTS):
            values = self.made.values.get((before, i))
            if values is not None:
                after.inputs[len(after.inputs) :] = [None] * (i + 1 - len(after.inputs))
                after.inputs[i] = self._constant(self._named(before, i, values), self.made.consumed[before, i], values)
        for i, tensor in enumerate(before.outputs):
            after.outputs[i] = self.forms[tensor, self._home(tensor)]
        kind = self.made.kinds.get(before, "")
        operator = get(before.op) if kind else None
        if operator is not None and kind in operator.reference:
            if kind in operator.settings:
                options = after.options or Record(str(operator.options))
                after.options = options.replace(**operator.settings[kind])
            after.opcode = self._opcode(after)
        self.nodes.append(after)

    def _casts_anew(self, before: Node, after: Node) -> bool:
        """Whether a node casts to a quantized type what is in that type by now: in other scales, it goes on to."""
        value = before.inputs[0] if before.inputs else None
        if value is None or self.elsewhere.get(value) not in before.outputs:
            return False
        made, home = before.outputs[0], self._home(value)
        if home.dtype is not made.dtype:
            return False
        if home == as_is(made) and made not in self.results:
            self.forms[made, home] = self.forms[value, home]
        else:
            after.inputs[0], after.outputs[0] = self.forms[value, home], self.forms[made, self._home(made)]
            after.opcode = self._opcode(after)
            self.nodes.append(after)
        return True

    def _form(self, tensor: Tensor, wanted: Encoding) -> Tensor:
        """The tensor that holds a value as `wanted`: there already, or made from the constant, or by a cast."""
        found = self.forms.get((tensor, wanted))
        if found is not None:
            return found
        if tensor.is_constant:
            made = self._constant(tensor, wanted)
        else:
            is_result = self.results.get(tensor) == wanted and tensor not in self.old.inputs
            home, before = self._home(tensor), self.elsewhere.get(tensor)
            source = self.forms[tensor, home]
            if home == FLOAT and before is not None and before is self.cast_from.get(tensor):
                if before.dtype is wanted.dtype and not is_result:
                    return self._form(before, wanted)
                home, source = self._home(before), self.forms[before, self._home(before)]
            made = self.twin[tensor] if is_result else self._new_tensor(tensor, wanted)
            widens = home.dtype.bits == 8 and wanted.dtype.bits == 16  # which older runtimes do not do in one step
            through_float = widens and not self.made.recipe.newer_kernels
            self._cast(self._form(tensor, FLOAT) if through_float else source, made)
        self.forms[tensor, wanted] = made
        return made

    def _named(self, node: Node, i: int, values: np.ndarray) -> Tensor:
        """The constant whose place other values take, or would if there were one."""
        found = node.inputs[i] if i < len(node.inputs) else None
        return found or Tensor(f"{node.outputs[0].name}/input_{i}", values.shape, FLOAT32)

    def _constant(self, tensor: Tensor, wanted: Encoding, values: np.ndarray | None = None) -> Tensor:
        """values: in place of the tensor's own."""
        made = self._new_tensor(tensor, wanted)
        if len(self.read.get(tensor, ())) == 1 and not wanted.cast:
            made.name = tensor.name
        if values is not None:
            made.data = stored(values, wanted, tensor.name, self.packer)
        else:
            known = None if self.codes is None else self.codes.get((tensor, wanted))
            if known is None:
                known = stored(real_values(tensor), wanted, tensor.name, self.packer)
                if self.codes is not None:
                    self.codes[tensor, wanted] = known
            made.data = known
            if tensor.buffer is not None and made.buffer is not None:
                made.buffer = self.buffers.setdefault((tensor.buffer, tensor.shape, wanted), made.buffer)
        if not wanted.cast:
            return made
        as_float = self._new_tensor(tensor, FLOAT)
        as_float.name = tensor.name
        self._cast(made, as_float)
        return as_float

    def _cast(self, source: Tensor, target: Tensor) -> None:
        node = cast(source, target)
        node.opcode = self._opcode(node)
        self.nodes.append(node)

    def _new_tensor(self, tensor: Tensor, encoding: Encoding) -> Tensor:
        made = Tensor(f"{tensor.name}_{encoding.dtype.name}", tensor.shape, encoding.dtype)
        made.quantization, made.shape_signature = encoding.quantization, tensor.shape_signature
        self.new.tensors.append(made)
        if encoding.quantization is not None:  # scales of blocks
            self.new.tensors.extend(t for t in encoding.quantization.tensors.values() if t not in self.new.tensors)
        return made

    def _opcode(self, node: Node) -> OpCode:
        """The operator code of a node's lowest version, the same one for all that declare it."""
        version = lowest_version(node) or 1
        return self.opcodes.setdefault((node.op, version), OpCode(node.op, version))


def stored(values: np.ndarray, wanted: Encoding, label: str, packer: native.Packer | None = None) -> np.ndarray:
    """What a file holds for real values, once the packer has finished: of types that are not packed.

    Raises RangeError where a bias does not fit its type.
    """
    if wanted.dtype is BFLOAT16:
        return to_bfloat16(np.clip(values, -LARGEST_FLOATS[BFLOAT16], LARGEST_FLOATS[BFLOAT16]))
    if wanted.dtype is FLOAT16:
        return np.asarray(np.clip(values, -LARGEST_FLOATS[FLOAT16], LARGEST_FLOATS[FLOAT16]), np.float16)
    if wanted.quantization is None:
        return values
    if wanted.dtype.bits >= 32:
        return parameters.bias(values, wanted.quantization, wanted.dtype, label)
    symmetric = not wanted.quantization.zero_point.any()
    later = packer if wanted.dtype.bits >= 8 else None
    return parameters.store(values, wanted.quantization, wanted.dtype, symmetric, later)


def _retype(tensor: Tensor, encoding: Encoding) -> Tensor:
    tensor.dtype, tensor.quantization = encoding.dtype, encoding.quantization
    return tensor
