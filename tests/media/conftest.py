"""Clips whose pixels say which frame they are, and the corpus of hostile inputs."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from toolkit.hardening.hostile import FRAME_SIZE_LIE, plant_frame_size

BITS, BAR = 10, 16
WIDTH, HEIGHT = BITS * BAR, 96
REPOSITORY = Path(__file__).parents[2]


def draw(number: int) -> NDArray[np.uint8]:
    """Draw a picture with its number in bars along the bottom, lowest bit on the left."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([x, y, (x + 3 * number) % 256], -1).astype(np.uint8)
    for bit in range(BITS):
        image[-BAR:, bit * BAR : (bit + 1) * BAR] = 255 * (number >> bit & 1)
    return image


def number_of(rgb: NDArray[np.uint8]) -> int:
    """Read the bars back."""
    row = rgb[-BAR // 2, BAR // 2 :: BAR].mean(axis=-1)
    assert ((row < 64) | (row > 192)).all(), "bars are unreadable"
    return int(sum((value > 128) << bit for bit, value in enumerate(row)))


def write_bars(
    path: Path,
    *,
    count: int = 120,
    gaps_ms: tuple[int, ...] = (40,),
    codec: str = "libx264",
    container: str | None = None,
    options: dict[str, str] | None = None,
    faststart: bool = True,
) -> Path:
    time = 0
    flags = {"movflags": "+faststart"} if faststart and path.suffix == ".mp4" else {}
    with av.open(str(path), "w", format=container, options=flags) as box:
        stream = box.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000 if codec == "libx264" else 25)
        stream.codec_context.options = options or {"g": "24", "bf": "3", "crf": "18"}
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts = time if codec == "libx264" else number
            frame.time_base = stream.codec_context.time_base
            box.mux(stream.encode(frame))
            time += gaps_ms[number % len(gaps_ms)]
        box.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def cfr(folder: Path) -> Path:
    return write_bars(folder / "cfr.mp4")


@pytest.fixture(scope="session")
def vfr(folder: Path) -> Path:
    return write_bars(folder / "vfr.mp4", gaps_ms=(40, 40, 80, 33, 240))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """Rows of expected.csv by file name, with the path and SHA-256 of each file.

    Needs bash, ffmpeg and the folder `shared` (DOORZICHT_SHARED, or beside the repository).
    """
    shared = Path(os.environ.get("DOORZICHT_SHARED", REPOSITORY.parent / "shared"))
    script = shared / "tools" / "make_bad_inputs.sh"
    if not script.is_file():
        pytest.skip(f"no {script}: set DOORZICHT_SHARED to build the hostile corpus")
    if shutil.which("bash") is None or shutil.which("ffmpeg") is None:
        pytest.skip("bash and ffmpeg are needed to build the hostile corpus")
    root = tmp_path_factory.mktemp("hostile")
    source = write_bars(root / "source.mp4", count=100)
    out = root / "corpus"
    subprocess.run(["bash", str(script), str(out), str(source)], check=True, capture_output=True)
    plant_frame_size(out / "cases" / FRAME_SIZE_LIE)
    with (out / "expected.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    for name, row in rows.items():
        path = out / "cases" / name
        row["path"] = str(path)
        row["sha256"] = sha256(path) if path.is_file() else ""
    yield rows
    shutil.rmtree(root)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
