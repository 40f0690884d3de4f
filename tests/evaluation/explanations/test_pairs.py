"""Pairs: read, laid on each other, and what changed between them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from toolkit import media
from toolkit.detectors.base import InputSpec
from toolkit.errors import UsageError
from toolkit.evaluation.explanations import pairs
from toolkit.evaluation.explanations.pairs import find_truth, known_halves, read_pairs
from toolkit.types import PLAYERS

SPEC = InputSpec(size=224, margin=0.125)
HEADER = "original,fake,method,scene,kind,n_common_frames,crop_x\n"


def test_the_changed_area_is_the_planted_one(pair_list):
    (pair,) = read_pairs(pair_list)
    truth = find_truth(pair, SPEC, frames=4)
    assert truth.masks.shape == (4, 224, 224)
    assert truth.by_pixel
    assert truth.ratio > 2
    assert PLAYERS[truth.regions[0]] == "mouth"
    inside = truth.crops.players == PLAYERS.index("mouth")
    assert (truth.masks & inside).sum() > 0.6 * truth.masks.sum()
    assert truth.masks.any(axis=(1, 2)).tolist() == [False, False, True, True]  # from 1.0 s on
    assert truth.masks.mean() < 0.15


def test_a_shifted_original_is_registered_not_resized(pair_list, tmp_path):
    (pair,) = read_pairs(pair_list)
    video = media.probe(pair.original)
    pictures = [
        cv2.copyMakeBorder(f.rgb, 0, 0, 6, 6, cv2.BORDER_REFLECT)
        for f in media.read(video, np.arange(20))
    ]
    media.write_h264(tmp_path / "wide.mp4", pictures, video.pts[:20], crf=12)
    row = f"wide.mp4,{pair.fake},planted,one,mouth,20,"
    (tmp_path / "right.csv").write_text(HEADER + row + "6\n")
    (right,) = read_pairs(tmp_path / "right.csv")
    truth = find_truth(right, SPEC, frames=2)
    assert PLAYERS[truth.regions[0]] == "mouth"
    (tmp_path / "wrong.csv").write_text(HEADER + row + "20\n")
    (wrong,) = read_pairs(tmp_path / "wrong.csv")
    with pytest.raises(UsageError, match="crop_x"):
        find_truth(wrong, SPEC, frames=2)


def test_known_faces_are_of_the_other_half(pair_list, monkeypatch):
    (pair,) = read_pairs(pair_list)
    taken = []
    read = media.read
    monkeypatch.setattr(pairs, "KNOWN_APART_S", 0.2)
    monkeypatch.setattr(
        media, "read", lambda video, wanted, **more: taken.append(wanted) or read(video, wanted)
    )
    middle, (before, after) = known_halves(pair, SPEC)
    pts = media.probe(pair.original).pts
    assert middle == len(pts) // 2
    first, second = taken
    assert (first[0], second[-1]) == (0, len(pts) - 1)
    assert pts[middle] - pts[first[-1]] == pytest.approx(0.2)
    assert pts[second[0]] - pts[middle] == pytest.approx(0.2)
    assert len(before.rgb) == len(after.rgb) == pairs.KNOWN_FRAMES
    monkeypatch.setattr(pairs, "KNOWN_APART_S", 60.0)  # too short a clip knows nothing
    assert [len(half.rgb) for half in known_halves(pair, SPEC)[1]] == [0, 0]
    truth = find_truth(pair, SPEC, frames=4)
    assert len(truth.indices) == len(truth.crops.rgb)
    assert (np.diff(truth.indices) > 0).all()


def test_lists_are_checked(tmp_path):
    path = tmp_path / "list.csv"
    for text, wrong in (
        ("", "empty"),
        ("original\na\n", "lacks a column"),
        ("original,fake,crop_x\na,b,left\n", "whole number"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=wrong):
            read_pairs(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_pairs(tmp_path / "none.csv")


def test_what_the_list_leaves_out_is_not_made_up(tmp_path):
    (tmp_path / "list.csv").write_text("original,fake\na.mp4,b.mp4\n")
    (pair,) = read_pairs(tmp_path / "list.csv")
    assert (pair.crop_x, pair.common_frames, pair.method, pair.kind) == (0, None, "", "")
    assert pair.scene == "a.mp4"
    assert pair.digests == (None, None)
