"""Values are taken apart and put together again without losing a bit."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.widgets import made_up
from toolkit.analysis import pipeline
from toolkit.errors import ShapeError
from toolkit.storage.serialise import Packed, pack, unpack
from toolkit.types import Report, Sampling, TrackResult, Verdict


def through_json(packed):
    return Packed(json.loads(json.dumps(packed.plain)), packed.arrays)


def same(a, b):
    """Compare whole trees of dataclasses, arrays bit by bit."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if dataclasses.is_dataclass(a):
        names = [f.name for f in dataclasses.fields(a)]
        return type(a) is type(b) and all(same(getattr(a, n), getattr(b, n)) for n in names)
    if isinstance(a, tuple | list):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and (a == b or (a != a and b != b))


def test_a_report_comes_back_exactly():
    report = made_up.report(made_up.result(), made_up.result("B", forged=False))
    again = unpack(Report, through_json(pack(report)))
    assert same(report, again)
    assert json.dumps(pipeline.to_dict(report)) == json.dumps(pipeline.to_dict(again))
    assert isinstance(again.video.path, Path)


def test_an_abstention_without_tracks_comes_back():
    verdict = Verdict(None, 0.5, abstained=True, reason="No face.", reason_code="no_face")
    report = dataclasses.replace(made_up.report(), tracks=(), verdict=verdict, speaks=None)
    assert same(report, unpack(Report, through_json(pack(report))))


@given(
    st.floats(allow_nan=True),
    arrays.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(0, 7), st.integers(0, 9)),
        elements=st.floats(width=32, allow_nan=True),
    ),
)
def test_every_number_keeps_its_bits(value, array):
    @dataclass(frozen=True, eq=False)
    class Pair:
        number: float
        numbers: np.ndarray

    pair = Pair(value, array)
    packed = through_json(pack(pair))
    build = packed.plain
    assert same(value, build["number"]) or math.isnan(value)
    # the hints of a class made in a function cannot be looked up by name: unpack by type instead
    again = unpack(np.ndarray, Packed(build["numbers"], packed.arrays))
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    assert np.array_equal(again, array, equal_nan=True)


@dataclass
class Secret:
    name: str
    vectors: list[int] = field(default_factory=list)


def test_what_must_not_be_stored_is_left_out():
    packed = pack((Secret("a", [1, 2]),), leave_out={"vectors"})
    assert "vectors" not in json.dumps(packed.plain)
    assert unpack(tuple[Secret, ...], packed) == (Secret("a", []),)


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array(["a"]), np.array([None])])
def test_what_is_no_plain_value_is_refused(value):
    with pytest.raises(ShapeError):
        pack({"x": value})


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        {},
        {"scan_per_second": "fast"},
        {"no_such_field": 1},
        {**Sampling().to_dict(), "scan_limit": 1.5},
    ],
)
def test_what_does_not_fit_is_refused(plain):
    if plain == {}:
        assert unpack(Sampling, Packed(plain, {})) == Sampling()  # all of it has defaults
        return
    with pytest.raises(ShapeError):
        unpack(Sampling, Packed(plain, {}))


def test_an_array_of_objects_is_never_made():
    plain = {"dtype": "object", "shape": [1], "numbers": [1]}
    with pytest.raises(ShapeError):
        unpack(np.ndarray, Packed(plain, {}))


def test_what_an_older_analysis_stored_still_comes_back():
    """Evidence keeps its word for the network's logits; what was not recorded then is empty."""
    result = made_up.result()
    packed = pack(result)
    assert set(packed.plain["evidence"]) == {"logits", "spans", "patches", "head"}
    del packed.plain["track"]["sampled"]
    again = unpack(TrackResult, through_json(packed))
    assert same(again.evidence, result.evidence)
    assert again.track.sampled.size == 0


def test_a_field_that_nobody_knows_is_refused():
    packed = pack(made_up.result())
    packed.plain["evidence"]["network_logits"] = packed.plain["evidence"]["logits"]
    with pytest.raises(ShapeError):
        unpack(TrackResult, packed)
