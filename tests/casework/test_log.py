"""The log: a chain that shows every change, and a lock that two processes cannot hold."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.casework import log
from toolkit.casework.lock import BusyError, Lock
from toolkit.casework.log import IntegrityError


@pytest.fixture
def path(tmp_path):
    out = tmp_path / "log.jsonl"
    for n in range(5):
        log.append(
            out, "noted", facts={"n": n, "text": "é\n\u202e"}, files={f"notes/{n}": "ab" * 32}
        )
    return out


def test_each_line_carries_the_hash_of_the_line_before(path):
    lines = path.read_bytes().splitlines()
    reading = log.read(path)
    assert (reading.problems, reading.torn, len(reading.entries)) == ((), b"", 5)
    assert json.loads(lines[0])["prev"] == "0" * 64
    for before, after in pairwise(lines):
        assert json.loads(after)["prev"] == hashlib.sha256(before).hexdigest()
    assert reading.head == hashlib.sha256(lines[-1]).hexdigest()
    assert reading.entries[3].facts == {"n": 3, "text": "é\n\u202e"}


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_is_seen(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    for n in range(3):
        log.append(path, "noted", facts={"n": n})
    raw, whole = bytearray(path.read_bytes()), log.read(path)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    reading = log.parse(bytes(raw))
    # the last line has no line after it: there the head tells
    assert reading.problems or reading.torn or reading.head != whole.head


def test_moved_lost_and_doubled_lines_are_seen(path):
    lines = path.read_bytes().splitlines(keepends=True)
    changed = {
        "swapped": [lines[0], lines[2], lines[1], *lines[3:]],
        "lost": [lines[0], *lines[2:]],
        "doubled": [*lines[:2], *lines[1:]],
        "first lost": lines[1:],
    }
    for name, some in changed.items():
        assert log.parse(b"".join(some)).problems, name
    shortened = log.parse(b"".join(lines[:-1]))
    assert not shortened.problems
    assert shortened.head != log.read(path).head


def test_a_line_cannot_be_written_in_two_ways(path):
    first, rest = path.read_bytes().split(b"\n", 1)
    again = json.dumps(json.loads(first), sort_keys=False, indent=None, separators=(",", ":"))
    assert log.parse(again.encode() + b"\n" + rest).problems


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "C:/x", "a\\b", "", "a/./b"])
def test_a_log_cannot_point_out_of_the_case(name):
    entry = {"schema": log.SCHEMA, "n": 1, "prev": log.ZERO, "utc": "", "event": "a", "facts": {}}
    line = log._line({**entry, "files": {name: "ab" * 32}}) + b"\n"
    assert log.parse(line).problems


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b"null", b"\xff\xfe", b'{"n": NaN}', b"[" * 100_000]
)
def test_what_is_no_entry_is_named(line):
    assert log.parse(line + b"\n").problems


def test_a_torn_line_is_kept_apart_and_nothing_is_added_before_that(path):
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "no')
    reading = log.read(path)
    assert reading.torn == b'{"event": "no'
    assert len(reading.entries) == 5
    with pytest.raises(IntegrityError, match="torn"):
        log.append(path, "noted")
    assert log.without_torn_line(path) == b'{"event": "no'
    assert path.read_bytes() == whole
    log.append(path, "noted")
    assert not log.read(path).problems


def test_a_broken_chain_gets_no_new_entry(path):
    path.write_bytes(path.read_bytes().replace(b'"n": 2, "prev"', b'"n": 3, "prev"'))
    with pytest.raises(IntegrityError, match="line"):
        log.append(path, "noted")


HOLD = """
import sys, time
from pathlib import Path
from toolkit.casework.lock import Lock
with Lock(Path(sys.argv[1]), "hold"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_clash_and_a_dead_one_leaves_no_lock(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=f"process {other.pid}, hold"), Lock(tmp_path, "mine"):
            pass
        other.kill()
        other.wait()
    with Lock(tmp_path, "mine") as lock:
        assert lock.left_by["pid"] == other.pid
        assert lock.left_by["command"] == "hold"
        with pytest.raises(BusyError), Lock(tmp_path, "again"):  # within one process too
            pass
    with Lock(tmp_path, "next") as lock:
        assert lock.left_by is None


def test_times_are_utc():
    assert time.strptime(log.utc_now(), "%Y-%m-%dT%H:%M:%SZ")
