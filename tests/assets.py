"""Clips that tests of several rooms share, made once for a run: named, short, their facts known."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from toolkit import media
from toolkit.forge.plant import plant


def write_piece(source: Path, target: Path, start_s: float, end_s: float) -> Path:
    """Write what a clip shows from one second to another, coded again."""
    video = media.probe(source)
    rows = np.flatnonzero((video.pts >= start_s) & (video.pts < end_s))
    pictures = (frame.rgb for frame in media.read(video, rows))
    media.write_h264(target, pictures, video.pts[rows] - video.pts[rows[0]])
    return target


@pytest.fixture(scope="session")
def piece(sample, tmp_path_factory):
    """Return a function that gives some seconds of a sample: what costs is a clip's length."""
    folder = tmp_path_factory.mktemp("pieces")

    @functools.cache
    def cut(name: str, start_s: float, end_s: float) -> Path:
        target = folder / f"{name}_{start_s:g}_{end_s:g}.mp4"
        return write_piece(sample(name), target, start_s, end_s)

    return cut


@pytest.fixture(scope="session")
def planted_piece(piece) -> Path:
    """Return three seconds of the planted sample; the mouth is forged from the second one on."""
    return piece("planted_cap12", 3.0, 6.0)


@pytest.fixture(scope="session")
def genuine_piece(piece) -> Path:
    """Return three seconds of a genuine sample, of another person than the planted one."""
    return piece("cap13_edit2", 10.0, 13.0)


@pytest.fixture(scope="session")
def pair_list(sample, tmp_path_factory) -> Path:
    """Return a list of one pair: a genuine stretch of two seconds, and its copy with a mouth
    planted in the second one.
    """
    folder = tmp_path_factory.mktemp("pairs")
    options = {"regions": ["mouth"], "start_s": 1.0, "end_s": 3.0, "keep": (24.0, 26.0)}
    source = sample("cap12_edit")
    plant(source, folder / "fake.mp4", kind="colour", strength=3.0, **options)
    plant(source, folder / "original.mp4", kind="colour", strength=0.0, **options)
    header = "original,fake,method,scene,kind,n_common_frames,crop_x\n"
    (folder / "pairs.csv").write_text(header + "original.mp4,fake.mp4,planted,one,mouth,,0\n")
    return folder / "pairs.csv"


@pytest.fixture(scope="session")
def story(sample, tmp_path_factory) -> Path:
    """Return a made-up clip: person A speaks for 5 s, cut, person B, planted, speaks for 5 s."""
    import cv2

    folder = tmp_path_factory.mktemp("story")
    plant(
        sample("cap12_edit"),
        folder / "b.mp4",
        regions=["mouth", "nose", "left_eye", "right_eye"],
        start_s=0,
        end_s=9,
        keep=(24, 29),
    )
    pictures = []
    for path, start in ((sample("franck"), 20.0), (folder / "b.mp4", 0.0)):
        video = media.probe(path)
        times = start + np.arange(125) / 25
        indices = np.unique(np.searchsorted(video.pts, times[times <= video.pts[-1]]))
        pictures += [
            cv2.resize(frame.rgb, (400, 300), interpolation=cv2.INTER_LINEAR)
            for frame in media.read(video, indices)
        ]
    out = folder / "story.mp4"
    media.write_h264(out, pictures, np.arange(len(pictures)) / 25)
    return out
