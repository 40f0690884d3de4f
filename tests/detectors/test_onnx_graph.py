"""Cutting an ONNX file by hand: what is kept computes the same, and hostile bytes are refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.detectors import onnx_graph
from toolkit.detectors.onnx_graph import Graph
from toolkit.errors import ModelError

BYTES, VARINT = 2, 0


def field(number: int, value: bytes | int | str) -> bytes:
    if isinstance(value, int):
        return onnx_graph._field(number, VARINT, value)
    return onnx_graph._field(number, BYTES, value.encode() if isinstance(value, str) else value)


def node(kind: str, inputs: list[str], output: str) -> bytes:
    names = b"".join(field(1, name) for name in inputs)
    return field(1, names + field(2, output) + field(4, kind))


def value(name: str, *dims: int | str) -> bytes:
    each = (field(1, d) if isinstance(d, int) else field(2, d) for d in dims)
    shape = field(2, b"".join(field(1, dim) for dim in each))
    return field(1, name) + field(2, field(1, field(1, onnx_graph.FLOAT) + shape))


def tensor(name: str, array: np.ndarray) -> bytes:
    dims = b"".join(field(1, d) for d in array.shape)
    kind = onnx_graph.FLOAT if array.dtype == np.float32 else onnx_graph.INT8
    return field(5, dims + field(2, kind) + field(8, name) + field(9, array.tobytes()))


def model() -> bytes:
    """Return a file that computes b = (a + one) * two, and c = b * two."""
    one, two = np.float32([1, 2, 3]), np.float32([2, 2, 2])
    graph = (
        node("Add", ["a", "one"], "sum")
        + node("Mul", ["sum", "two"], "b")
        + node("Mul", ["b", "three"], "c")
        + field(2, "graph")
        + tensor("one", one)
        + tensor("two", two)
        + tensor("three", np.float32([3, 3, 3]))
        + field(11, value("a", "batch", 3))
        + field(12, value("c", "batch", 3))
        + field(13, value("b", "batch", 3))
    )
    return field(1, 7) + field(7, graph) + field(8, field(2, 14))


def run(data: bytes, a: np.ndarray) -> list[np.ndarray]:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"a": a})


def test_a_cut_graph_computes_what_the_whole_one_did():
    a = np.float32([[10, 20, 30]])
    (whole,) = run(model(), a)
    cut = Graph(model()).cut(["b"], batch=1)
    (b,) = run(cut, a)
    assert b.tolist() == [[22, 44, 66]]
    assert whole.tolist() == (b * 3).tolist()
    kept = Graph(cut)
    assert [n.kind for n in kept.nodes] == ["Add", "Mul"]
    assert kept.has_tensor("two")
    assert not kept.has_tensor("three")
    assert cut == Graph(model()).cut(["b"], batch=1)  # the same bytes each time


def test_the_number_of_pictures_is_fixed():
    cut = Graph(model()).cut(["b", "c"], batch=2)
    assert [x.shape for x in run(cut, np.zeros((2, 3), np.float32))] == [(2, 3), (2, 3)]
    with pytest.raises(Exception, match="dimension"):
        run(cut, np.zeros((1, 3), np.float32))


def test_what_is_not_there_is_named():
    graph = Graph(model())
    with pytest.raises(ModelError, match="nothing"):
        graph.cut(["nothing"], batch=1)
    with pytest.raises(ModelError, match="sum"):  # its shape is not stated
        graph.cut(["sum"], batch=1)
    with pytest.raises(ModelError, match="four"):
        graph.tensor("four")
    assert graph.tensor("three").tolist() == [3, 3, 3]


def test_tensors_may_be_stored_in_three_ways():
    whole = np.array([[-128, 127]], np.int8)
    packed = b"".join(onnx_graph._encoded(v % (1 << 64)) for v in (-5, 7))
    floats = np.float32([0.5, 2]).tobytes()
    graph = (
        tensor("raw", whole)
        + field(5, field(1, 2) + field(2, onnx_graph.INT8) + field(5, packed) + field(8, "list"))
        + field(5, field(1, 2) + field(2, onnx_graph.FLOAT) + field(4, floats) + field(8, "floats"))
        + field(5, field(1, 3) + field(2, onnx_graph.FLOAT) + field(9, floats) + field(8, "short"))
        + field(5, field(1, 1) + field(2, 7) + field(8, "other"))
    )
    found = Graph(field(7, graph))
    assert found.tensor("raw").tolist() == whole.tolist()
    assert found.tensor("list").tolist() == [-5, 7]
    assert found.tensor("floats").tolist() == [0.5, 2]
    for name in ("short", "other"):
        with pytest.raises(ModelError, match=name):
            found.tensor(name)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(ModelError):
        Graph(data)


@given(st.integers(0, (1 << 63) - 1))
def test_numbers_survive_their_encoding(number):
    data = memoryview(onnx_graph._encoded(number))
    assert onnx_graph._varint(data, 0) == (number, len(data))
