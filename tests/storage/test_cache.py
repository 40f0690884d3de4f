"""The cache finds what was kept, forgets the least used, and survives whatever is in its folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from toolkit import models
from toolkit.storage import cache as module
from toolkit.storage.cache import Cache, name_of
from toolkit.storage.serialise import Packed

KEY = {"sha256": "ab", "seed": 0, "threshold": 0.25}


def content(n=100):
    return Packed({"words": "é", "n": [1, 2.5, None]}, {"a0": np.arange(n, dtype=np.float64)})


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def test_what_was_kept_is_found_under_its_key_only(cache):
    assert cache.get("report", KEY) is None
    name = cache.put("report", KEY, content(), card={"name": "clip.mp4"})
    found = cache.get("report", KEY)
    assert found.name == name
    assert found.card == {"name": "clip.mp4"}
    assert found.packed.plain == content().plain
    assert np.array_equal(found.packed.arrays["a0"], np.arange(100.0))
    assert cache.get("faces", KEY) is None
    assert cache.get("report", {**KEY, "seed": 1}) is None
    assert cache.open(name).key == KEY


def test_only_its_owner_may_look_into_the_folder(cache):
    cache.put("report", KEY, content())
    if os.name == "posix":
        assert cache.folder.stat().st_mode & 0o777 == 0o700


def damage(path, how):
    data = path.read_bytes()
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "noise":
        path.write_bytes(os.urandom(5000))
    elif how == "flipped":
        start = data.index(b"a0.npy") + 200
        path.write_bytes(
            data[:start] + bytes(255 - b for b in data[start : start + 20]) + data[start + 20 :]
        )
    elif how == "other schema":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("head.json", '{"schema": 99}')
    elif how == "no head":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a0.npy", b"")
    elif how == "not JSON":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("head.json", "{")
    elif how == "objects":
        with zipfile.ZipFile(path, "a") as archive, archive.open("bad.npy", "w") as file:
            np.lib.format.write_array(file, np.array([{}], object), allow_pickle=True)


@pytest.mark.parametrize(
    "how", ["cut", "empty", "noise", "flipped", "other schema", "no head", "not JSON", "objects"]
)
def test_a_damaged_entry_is_as_good_as_missing(cache, how):
    name = cache.put("report", KEY, content(3000))
    other = cache.put("report", {"x": 1}, content())
    damage(cache.folder / name, how)
    assert other in [e.name for e in cache.entries("report")]
    assert cache.get("report", KEY) is None
    assert not (cache.folder / name).exists()
    assert cache.put("report", KEY, content()) == name
    assert cache.get("report", KEY) is not None


def test_an_entry_under_a_wrong_name_is_not_believed(cache):
    name = cache.put("report", KEY, content())
    (cache.folder / name).rename(cache.folder / name_of("report", {"x": 1}))
    assert cache.get("report", {"x": 1}) is None


def test_foreign_files_stay_where_they_are(cache):
    cache.put("report", KEY, content())
    foreign = [cache.folder / n for n in ("notes.txt", "report-1.npz", "..npz")]
    for path in foreign:
        path.write_text("mine")
    (cache.folder / "folder.npz").mkdir()
    assert len(cache.entries("report")) == 1
    cache.clear()
    assert cache.entries("report") == []
    assert cache.bytes() == 0
    assert all(path.read_text() == "mine" for path in foreign)


@pytest.mark.parametrize("name", ["../secret.npz", "/etc/passwd", "report-x.npz", ""])
def test_a_name_cannot_leave_the_folder(cache, tmp_path, name):
    (tmp_path / "secret.npz").write_text("x")
    assert cache.open(name) is None
    cache.remove(name)
    assert (tmp_path / "secret.npz").exists()


def test_the_least_recently_used_goes_first(tmp_path):
    cache = Cache(tmp_path)
    names = []
    for i in range(3):
        names.append(cache.put("scan", {"i": i}, content(4000)))
        os.utime(tmp_path / names[-1], (1000 + i, 1000 + i))
    assert cache.get("scan", {"i": 0}) is not None  # now the newest use
    cache.limit_bytes = int(cache.bytes() * 1.1)
    cache.put("scan", {"i": 3}, content(4000))
    left = {p.name for p in tmp_path.iterdir()}
    assert names[1] not in left
    assert {names[0], names[2]} <= left
    assert cache.bytes() <= cache.limit_bytes


def test_what_is_larger_than_the_limit_is_not_kept_and_pushes_nothing_out(tmp_path):
    cache = Cache(tmp_path)
    small = cache.put("scan", {"i": 0}, content(10))
    cache.limit_bytes = 5000
    assert cache.put("scan", {"i": 1}, Packed({}, {"a": np.random.rand(5000)})) is None  # noqa: NPY002
    assert [p.name for p in tmp_path.iterdir()] == [small]


def test_a_folder_that_cannot_be_used_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file" / "cache")
    assert cache.put("report", KEY, content()) is None
    assert cache.get("report", KEY) is None
    assert cache.entries("report") == []
    cache.clear()


def test_what_was_left_half_written_long_ago_is_swept_away(cache):
    cache.put("report", KEY, content())
    old, fresh = cache.folder / f".{'a' * 16}.part", cache.folder / f".{'b' * 16}.part"
    old.touch()
    fresh.touch()
    os.utime(old, (0, 0))
    cache.put("report", KEY, content())
    assert not old.exists()
    assert fresh.exists()


def test_another_folder_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv(module.RUNS_VARIABLE, str(tmp_path))
    assert Cache().folder == tmp_path / "cache"
    monkeypatch.delenv(module.RUNS_VARIABLE)
    assert Cache().folder == models.ROOT / "runs" / "cache"


WRITER = """
import sys
from pathlib import Path
import numpy as np
from toolkit.storage.cache import Cache
from toolkit.storage.serialise import Packed
cache, me = Cache(Path(sys.argv[1]), limit_bytes=60_000), int(sys.argv[2])
for round in range(40):
    for i in range(4):
        cache.put("scan", {"i": i}, Packed({"by": me}, {"a": np.full(3000, i, np.float64)}))
        found = cache.get("scan", {"i": i})
        assert found is None or (found.packed.arrays["a"] == i).all()
    if round % 10 == 9:
        cache.clear()
"""


def test_two_processes_share_one_folder(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    running = [
        subprocess.Popen([*command, str(n)], stderr=subprocess.PIPE, text=True) for n in range(2)
    ]
    for process in running:
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
    left = Cache(Path(tmp_path), limit_bytes=60_000)
    assert len(left.entries("scan")) == len(list(tmp_path.iterdir()))
