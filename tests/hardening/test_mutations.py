"""Spoilt bytes are the same for the same numbers, and making them never fails."""

from __future__ import annotations

import io
import json
import random
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.hardening import mutations

SEEDS = st.integers(0, 2**32)


@settings(deadline=None)
@given(data=st.binary(max_size=400), seed=SEEDS)
def test_any_bytes_can_be_spoilt_and_again_the_same(data, seed):
    for spoil in (mutations.spoil_bytes, mutations.spoil_media, mutations.spoil_table):
        first, again = (spoil(data, random.Random(seed)) for _ in range(2))
        assert first == again
        assert first.how


@settings(deadline=None, max_examples=60)
@given(
    content=st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=10,
    ),
    seed=SEEDS,
)
def test_any_json_can_be_spoilt(content, seed):
    assert mutations.spoil_json(json.dumps(content).encode(), random.Random(seed)).data is not None


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS)
def test_an_archive_can_be_spoilt(seed):
    raw, array = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array(array, np.arange(9.0))
    with zipfile.ZipFile(raw, "w") as box:
        box.writestr("head.json", '{"a": [1, 2]}')
        box.writestr("a0.npy", array.getvalue())
    assert mutations.spoil_archive(raw.getvalue(), random.Random(seed)).how


@pytest.mark.parametrize(
    "head", [b"\0\0\0\x18ftypmp42", b"RIFF\0\0\0\0AVI ", b"G@\0\x10", b"\x1aE"]
)
def test_headers_of_each_container_are_edited(head):
    data = head + bytes(2000)
    edited = [mutations.spoil_media(data, random.Random(n)) for n in range(40)]
    assert any(m.how.startswith("header") and m.data != data for m in edited)
