"""Faults of disk, clock, memory and neighbours: one line is said, and nothing saved is lost."""

from __future__ import annotations

import errno
import os
import time

import numpy as np
import pytest
import torch

from tests.casework import casework
from toolkit import files, media, runtime
from toolkit.casework import case as cases
from toolkit.casework import log, verify
from toolkit.cli import main as cli
from toolkit.errors import VideoError
from toolkit.lessons.answers import PupilAnswers
from toolkit.storage.cache import Cache
from toolkit.storage.serialise import Packed


@pytest.fixture
def clip(tmp_path):
    return casework.clip(tmp_path / "clip.mp4")


def full(*_args, **_how):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def forbidden(real):
    def stand_in(path, flags, *args, **how):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, flags, *args, **how)

    return stand_in


@pytest.fixture(params=["full", "read-only"])
def bad_disk(request, monkeypatch):
    """Nothing can be written, however it is tried; root may write into read-only folders."""

    def spoil():
        if request.param == "full":
            monkeypatch.setattr(os, "fsync", full)
        else:
            monkeypatch.setattr(os, "open", forbidden(os.open))

    yield spoil
    monkeypatch.undo()


def test_a_note_that_cannot_be_written_leaves_the_case_whole(
    bad_disk, tmp_path, capsys, monkeypatch
):
    case = cases.create(tmp_path / "case", examiner="N. N.")
    case.note(text="before")
    head = case.head
    bad_disk()
    assert cli.main(["case", "note", str(case.folder), "--text", "lost"]) == 1
    monkeypatch.undo()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("error: ")
    assert str(case.folder) in said or case.folder.name in said
    again = cases.Case(case.folder)
    assert again.head == head
    assert again.note(text="after") == "notes/N002.json"
    assert verify.verify(case.folder, hashes_only=True).is_intact
    assert not list(case.folder.rglob("*.part"))


def test_an_analysis_that_cannot_be_written_says_so_in_a_line(bad_disk, clip, tmp_path, capsys):
    bad_disk()
    out = tmp_path / "out"
    assert cli.main(["analyse", str(clip), "--out", str(out)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists() or not list(out.iterdir())  # never half a report


def test_what_is_only_convenient_does_without(bad_disk, tmp_path):
    cache, answers = Cache(tmp_path / "cache"), PupilAnswers(tmp_path / "answers.json")
    bad_disk()
    assert cache.put("scan", {"a": 1}, Packed({}, {"a0": np.zeros(99)})) is None
    assert cache.get("scan", {"a": 1}) is None
    assert not answers.put("q", [1])


def test_a_half_written_file_never_takes_the_place_of_a_whole_one(bad_disk, tmp_path):
    path = tmp_path / "report.json"
    files.atomic_write(path, "old")
    bad_disk()
    with pytest.raises(OSError, match=r"report|No space|Permission"):
        files.atomic_write(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


# --- the clip ------------------------------------------------------------------------------------


def test_a_clip_that_is_deleted_meanwhile_is_read_on_and_missed_at_the_end(clip):
    video = media.probe(clip)
    frames = media.read(video, np.arange(20))
    next(frames)
    clip.unlink()
    assert len(list(frames)) == 19  # what is open stays readable
    with pytest.raises(VideoError, match="there is no such file"):
        media.check_unchanged(video)


def test_a_clip_that_grows_meanwhile_is_refused(clip):
    video = media.probe(clip)
    with clip.open("ab") as file:
        file.write(b"x")
    with pytest.raises(VideoError, match="has changed"):
        next(media.read(video, np.arange(2)))
    with pytest.raises(VideoError, match="has changed"):
        media.check_unchanged(video)


def test_a_clip_that_is_cut_meanwhile_gives_what_came(clip):
    video = media.probe(clip)
    notices = []
    frames = media.read(video, np.arange(100), notices=notices)
    next(frames)
    os.truncate(clip, 2000)
    got = 1
    try:
        got += len(list(frames))
    except VideoError:
        got = 100
    assert got == 100 or {n.code for n in notices} & {"truncated", "damaged"}


# --- the clock -----------------------------------------------------------------------------------


def test_a_clock_that_goes_backwards_breaks_no_chain(tmp_path, monkeypatch):
    now = iter(range(2_000_000_000, 0, -86_400 * 365))
    monkeypatch.setattr(log.time, "gmtime", lambda *_: time.struct_time((2033, 5, 18, *[0] * 6)))
    case = cases.create(tmp_path / "case", examiner="N. N.")
    monkeypatch.setattr(log.time, "gmtime", lambda *_: time.struct_time((1999, 1, 1, *[0] * 6)))
    case.note(text="earlier than the case")
    monkeypatch.undo()
    years = [entry.utc[:4] for entry in case.entries()]
    assert (years[0], years[-1]) == ("2033", "1999")
    assert verify.verify(case.folder, hashes_only=True).is_intact
    cache = Cache(tmp_path / "cache")
    for number in range(3):
        monkeypatch.setattr(time, "time", lambda: float(next(now)))
        assert cache.put("scan", {"n": number}, Packed({"n": number}, {})) is not None
    monkeypatch.undo()
    assert {cache.get("scan", {"n": n}).packed.plain["n"] for n in range(3)} == {0, 1, 2}


# --- memory of a graphics card -------------------------------------------------------------------


@pytest.mark.parametrize(("room", "moves"), [(8, 0), (4, 0), (1, 0), (0, 1)])
def test_a_full_card_judges_fewer_at_once_and_then_the_processor_does(room, moves):
    sizes, moved = [], []

    def run(pictures):
        if len(pictures) > room and not moved:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(pictures))
        return pictures[:, 0, 0, 0].astype(np.float32), pictures[:, :1, :1, 1].astype(np.float32)

    pictures = np.random.default_rng(1).integers(0, 255, (8, 4, 4, 3), np.uint8)
    logits, patches = runtime.run_in_parts(run, pictures, lambda: moved.append(1))
    assert (logits == pictures[:, 0, 0, 0]).all()
    assert (patches[:, 0, 0] == pictures[:, 0, 0, 1]).all()
    assert len(moved) == moves
    assert sum(sizes) == 8


def test_a_detector_goes_on_on_the_processor(sample):
    from toolkit.detectors import registry

    judge = registry.load("seamnet-small", device="cpu")
    pictures = np.random.default_rng(1).integers(0, 255, (2, 224, 224, 3), np.uint8)
    wanted, forward, fails = judge.logits(pictures), judge._forward, [1, 1]

    def run(rgb):
        if fails:
            fails.pop()
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(rgb)

    judge._forward = run
    assert np.allclose(judge.logits(pictures), wanted, atol=1e-4)
    assert judge.device == "cpu"
    assert not fails


def test_another_error_of_the_card_is_not_hidden():
    def run(_pictures):
        raise RuntimeError("illegal memory access")

    with pytest.raises(RuntimeError, match="illegal"):
        runtime.run_in_parts(run, np.zeros((2, 1)), lambda: None)
