"""Just enough of the ONNX file format to cut a graph short and to read its weights.

An ONNX file is a protocol buffer: fields with a number, a wire type and a value, nested. What is
needed of it here is small, and the files are known to the byte, so no library is asked: the parts
that are kept are copied as they are, and the result is the same bytes everywhere, with a hash that
can be pinned. Format: github.com/onnx/onnx/blob/main/onnx/onnx.proto, version 7 of the IR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError
from toolkit.messages import phrase

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# field numbers
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE = 1, 2, 4
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_INTS, _TENSOR_NAME, _TENSOR_RAW = (
    1,
    2,
    4,
    5,
    8,
    9,
)
_VALUE_NAME, _VALUE_TYPE = 1, 2

FLOAT, INT8 = 1, 3
"""Codes of the element types that are read."""


@dataclass(frozen=True)
class Node:
    """One operation: its type, and the names of what goes in and what comes out."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    raw: memoryview


class Graph:
    """The graph of an ONNX file.

    Parameters
    ----------
    data
        The whole file.

    Raises
    ------
    ModelError
        If these are not the bytes of such a file.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._head = [(n, w, v) for n, w, v in _fields(memoryview(data)) if n != _MODEL_GRAPH]
            graph = next(v for n, _, v in _fields(memoryview(data)) if n == _MODEL_GRAPH)
            assert isinstance(graph, memoryview)
            self._parts = list(_fields(graph))
            self.nodes = [_node(v) for n, _, v in self._parts if n == _GRAPH_NODE]
        except (StopIteration, IndexError, ValueError, AssertionError) as error:
            raise ModelError("not an ONNX file", phrase("{n} bytes", n=len(data))) from error

    @cached_property
    def _tensors(self) -> dict[str, memoryview]:
        initializers = (v for n, _, v in self._parts if n == _GRAPH_INITIALIZER)
        return {_text(v, _TENSOR_NAME): v for v in initializers if isinstance(v, memoryview)}

    def tensor(self, name: str) -> NDArray[np.float32] | NDArray[np.int8]:
        """Return a stored tensor of type float32 or int8.

        Raises
        ------
        ModelError
            If there is none of that name, or its type is another.
        """
        if name not in self._tensors:
            raise ModelError("the graph has no such tensor", name)
        return _array(name, self._tensors[name])

    def has_tensor(self, name: str) -> bool:
        """Whether a tensor of that name is stored in the file."""
        return name in self._tensors

    def users(self) -> Mapping[str, list[Node]]:
        """Return the nodes that read each name."""
        users: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in node.inputs:
                users.setdefault(name, []).append(node)
        return users

    def cut(self, outputs: Sequence[str], *, batch: int) -> bytes:
        """Return a file that computes these names only, for a fixed number of pictures.

        Nodes and tensors that they do not need are left out; the arithmetic of the rest is
        untouched.

        Parameters
        ----------
        outputs
            Names of results whose shape the file states, in the order in which they are returned.
        batch
            Size of the first dimension of every input.

        Raises
        ------
        ModelError
            If a name is not computed in this graph, or its shape is not stated.
        """
        maker = {name: node for node in self.nodes for name in node.outputs}
        stated = {
            _text(v, _VALUE_NAME): v
            for n, _, v in self._parts
            if n in (_GRAPH_VALUE_INFO, _GRAPH_OUTPUT) and isinstance(v, memoryview)
        }
        if missing := [name for name in outputs if name not in maker or name not in stated]:
            raise ModelError("the graph has no such output", ", ".join(missing))
        needed: set[str] = set()
        left = list(outputs)
        while left:
            name = left.pop()
            if name not in needed:
                needed.add(name)
                left += maker[name].inputs if name in maker else ()
        kept = bytearray()
        for number, wire, value in self._parts:
            if number == _GRAPH_NODE:
                assert isinstance(value, memoryview)
                wanted = not needed.isdisjoint(_node(value).outputs)
            elif number == _GRAPH_INITIALIZER:
                assert isinstance(value, memoryview)
                wanted = _text(value, _TENSOR_NAME) in needed
            else:  # shapes of inner results name the old batch size
                wanted = number not in (_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO)
            if wanted:
                kept += _field(number, wire, value)
        for number, _, value in self._parts:
            if number == _GRAPH_INPUT and isinstance(value, memoryview):
                kept += _field(_GRAPH_INPUT, _BYTES, _with_batch(value, batch))
        for name in outputs:
            kept += _field(_GRAPH_OUTPUT, _BYTES, _with_batch(stated[name], batch))
        head = b"".join(_field(*part) for part in self._head)
        return head + _field(_MODEL_GRAPH, _BYTES, bytes(kept))


# --- the wire format ----------------------------------------------------------------------------

_Value = int | memoryview


def _fields(data: memoryview) -> Iterator[tuple[int, int, _Value]]:
    """Yield number, wire type and value of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            msg = f"wire type {wire}"
            raise ValueError(msg)
        if at + size > len(data):
            msg = "a field ends after the file"
            raise ValueError(msg)
        yield number, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, wire: int, value: _Value | bytes) -> bytes:
    key = _encoded(number << 3 | wire)
    if isinstance(value, int):
        return key + _encoded(value)
    return key + (_encoded(len(value)) if wire == _BYTES else b"") + bytes(value)


def _texts(data: memoryview, number: int) -> tuple[str, ...]:
    return tuple(
        str(v, "utf-8") for n, _, v in _fields(data) if n == number and isinstance(v, memoryview)
    )


def _text(data: memoryview, number: int) -> str:
    return next(iter(_texts(data, number)), "")


def _node(value: _Value) -> Node:
    assert isinstance(value, memoryview)
    return Node(
        _text(value, _NODE_TYPE), _texts(value, _NODE_INPUT), _texts(value, _NODE_OUTPUT), value
    )


def _packed(data: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        numbers.append(value - (1 << 64) if value >= 1 << 63 else value)
    return numbers


def _array(name: str, data: memoryview) -> NDArray[np.float32] | NDArray[np.int8]:
    dims: list[int] = []
    kind, raw, floats, whole = 0, None, None, None
    for number, _, value in _fields(data):
        if number == _TENSOR_DIMS:
            dims += [value] if isinstance(value, int) else _packed(value)
        elif number == _TENSOR_TYPE and isinstance(value, int):
            kind = value
        elif number == _TENSOR_RAW:
            raw = value
        elif number == _TENSOR_FLOATS:
            floats = value
        elif number == _TENSOR_INTS and isinstance(value, memoryview):
            whole = _packed(value)
    array: NDArray[np.float32] | NDArray[np.int8]
    if kind == FLOAT:
        stored = raw if raw is not None else floats
        array = np.frombuffer(stored if isinstance(stored, memoryview) else b"", "<f4")
    elif kind == INT8 and isinstance(raw, memoryview):
        array = np.frombuffer(raw, np.int8)
    elif kind == INT8:
        array = np.array(whole or [], np.int8)
    else:
        odd = phrase("{name}: type {kind}", name=name, kind=kind)
        raise ModelError("a tensor of an unexpected type", odd)
    if array.size != int(np.prod(dims)):
        short = phrase("{name}: {n} values for {dims}", name=name, n=array.size, dims=str(dims))
        raise ModelError("a tensor is not complete", short)
    return array.reshape(dims)


_TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_DIM, _DIM_VALUE = 1, 2, 1, 1


def _with_batch(value: memoryview, batch: int) -> bytes:
    """Return the description of a value with its first dimension fixed."""
    out = bytearray()
    for number, wire, part in _fields(value):
        if number == _VALUE_TYPE and isinstance(part, memoryview):
            out += _field(number, wire, _deeper(part, (_TYPE_TENSOR, _TENSOR_SHAPE), batch))
        else:
            out += _field(number, wire, part)
    return bytes(out)


def _deeper(data: memoryview, way: tuple[int, ...], batch: int) -> bytes:
    """Follow `way` down, and fix the first dimension at its end."""
    out, is_first = bytearray(), True
    for number, wire, part in _fields(data):
        if way and number == way[0] and isinstance(part, memoryview):
            out += _field(number, wire, _deeper(part, way[1:], batch))
        elif not way and number == _SHAPE_DIM and is_first:
            out += _field(number, _BYTES, _field(_DIM_VALUE, _VARINT, batch))
            is_first = False
        else:
            out += _field(number, wire, part)
    return bytes(out)
