"""Every hostile input that is decided while opening or reading."""

from __future__ import annotations

import csv
import os
import random
import shutil
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import VideoError
from toolkit.hardening.hostile import plant_frame_size
from toolkit.media.video import probe, read, show_name

from .conftest import REPOSITORY, sha256, write_bars

CANARY = "CANARY-7f3a91"


def rows() -> list[object]:
    """Name the rows by a stored list, so that each is a test of its own."""
    shared = Path(os.environ.get("DOORZICHT_SHARED", REPOSITORY.parent / "shared"))
    listing = shared / "tools" / "expected.csv"
    if not listing.is_file():
        return [pytest.param("", marks=pytest.mark.skip(f"no {listing}: set DOORZICHT_SHARED"))]
    with listing.open(newline="", encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["layer"] != "weights"]
    return [pytest.param(name, id=show_name(name)[:12]) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("name", rows())
def test_corpus(corpus: dict[str, dict[str, str]], name: str) -> None:
    if name not in corpus:
        pytest.skip(f"this ffmpeg could not make {show_name(name)}")
    row = corpus[name]
    path = Path(row["path"])
    children = os.times()
    words, refused = [], False
    try:
        video = probe(path)
        notices = list(video.notices)
        wanted = np.unique(np.linspace(0, len(video.pts) - 1, 30).astype(np.int64))
        for frame in read(video, wanted, notices=notices):
            assert frame.rgb.shape == (video.height, video.width, 3)
        words = [f"{notice.code} {notice}" for notice in notices]
    except VideoError as error:
        refused, words = True, [str(error)]
    spent = os.times()
    said = " ".join(words)
    assert CANARY not in said
    assert "\n" not in said
    assert said.isprintable()
    cpu_s = sum(spent[:4]) - sum(children[:4])
    assert cpu_s < 30
    if path.is_file() and not path.is_symlink():
        assert sha256(path) == row["sha256"]
    if row["layer"] in {"path", "reader"}:
        assert refused == (row["expected"] == "refuse"), said
        assert row["keyword"].lower() in said.lower()
        assert row["expected"] != "warn" or words
    else:
        assert not refused, said


def refusal(path: Path | str) -> str:
    with pytest.raises(VideoError) as caught:
        probe(path)
    return str(caught.value)


def test_what_is_no_file(tmp_path: Path, cfr: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.mp4")
    assert "not a file" in refusal(tmp_path)
    (tmp_path / "link.mp4").symlink_to(cfr)
    assert "symbolic link" in refusal(tmp_path / "link.mp4")
    assert "cannot be opened" in refusal("a\0b.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFO")
def test_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    began = time.monotonic()
    assert "not a regular file" in refusal(tmp_path / "pipe.mp4")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x.mp4", "file:///etc/passwd", "concat:/a|b", "rtsp://x/y"]
)
def test_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", never)
    assert "only local files" in refusal(address)


@pytest.mark.parametrize(
    ("data", "keyword"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf <!DOCTYPE html><html>", "html"),
        ("grüße\n".encode() * 900, "not a video"),
        (b"#EXTM3U\n/etc/passwd", "playlist"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "image"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "image"),
        (b"PK\x03\x04" + bytes(100), "not a video"),
        (bytes(range(256)) * 20, "not a video"),
    ],
)
def test_what_is_no_video(tmp_path: Path, data: bytes, keyword: str) -> None:
    (tmp_path / "x.mp4").write_bytes(data)
    assert keyword in refusal(tmp_path / "x.mp4").lower()


def test_too_many_bytes(tmp_path: Path) -> None:
    with (tmp_path / "big.mp4").open("wb") as file:
        file.truncate((4 << 30) + 1)  # sparse: takes no room
    assert "4 GiB" in refusal(tmp_path / "big.mp4")


def test_declared_frame_size(cfr: Path, tmp_path: Path) -> None:
    shutil.copy(cfr, tmp_path / "lie.mp4")
    plant_frame_size(tmp_path / "lie.mp4")
    notices = {n.code: str(n) for n in probe(tmp_path / "lie.mp4").notices}
    assert "frame size" in notices["frame_size"]
    assert "65535×65535" in notices["frame_size"]


def test_truncated_matroska(tmp_path: Path) -> None:
    whole = write_bars(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in {n.code for n in probe(tmp_path / "half.mkv").notices}


def test_mutants_end_in_an_answer(cfr: Path, tmp_path: Path) -> None:
    """Break a clip in 16 seeded ways: frames, or one typed error, never anything else."""
    sound = cfr.read_bytes()
    index = sound.index(b"moov")
    for seed in range(16):
        rng = random.Random(seed)
        data = bytearray(sound)
        low, high = (index, index + 1200) if seed % 2 else (0, len(data))
        for _ in range(rng.choice((3, 30))):
            data[rng.randrange(low, high)] = rng.randrange(256)
        if seed % 5 == 0:
            del data[rng.randrange(len(data)) :]
        path = tmp_path / f"{seed}.mp4"
        path.write_bytes(data)
        try:
            video = probe(path)
            wanted = np.arange(0, len(video.pts), 7, dtype=np.int64)
            for frame in read(video, wanted):
                assert frame.rgb.shape == (video.height, video.width, 3), seed
        except VideoError:
            continue


def test_names_are_safe_to_print() -> None:
    shown = show_name("x/a\u202eb\n\x1b[31m\udc80.mp4")
    assert shown.isprintable()
    assert "\\u202e" in shown
    assert "\\u000a" in shown
    assert len(show_name("a" * 5000)) < 201
