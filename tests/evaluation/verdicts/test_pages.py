"""Figures of pages that were left out of training, by hand."""

from __future__ import annotations

import pytest

from toolkit.evaluation.verdicts import pages
from toolkit.evaluation.verdicts.benchmark import Clip

LOGITS = {
    ("one", True): [3.0, 1.0],
    ("one", False): [2.0, 0.0],
    ("two", True): [5.0],
    ("two", False): [0.5],
    ("rest", False): [0.0, 0.1, 0.2, 4.0],
    ("rest", True): [4.5, -1.0],
}


@pytest.fixture
def made(tmp_path):
    rows, clips = [], []
    for (page, fake), values in LOGITS.items():
        for n, value in enumerate(values):
            path = tmp_path / f"{page}-{fake}-{n}.mp4"
            label = "fake" if fake else "real"
            about = {"path": path.name, "label": label, "target_scene": f"{page}{n}"}
            clips.append(Clip(path, about))
            left = None if page == "rest" else page
            # the lower half of the frames says nothing: the rule is the mean of the higher one
            logits = [value] * 4 + [-9.0] * 4
            facts = {"path": str(path), "page": page, "is_fake": fake}
            rows.append({**facts, "left_out": left, "logits": logits})
    return rows, clips


def test_each_page_stands_alone_and_alarms_are_those_of_other_pages(made):
    rows, clips = made
    found = pages.summarise(rows, clips, part=2)
    assert {p: r["auc"] for p, r in found["pages"].items()} == {"one": 0.75, "two": 1.0}
    assert found["mean_auc"] == pytest.approx(0.875)
    assert (found["above_own"]["above"], found["above_own"]["pairs"]) == (3, 3)
    at = {r["alarms"]: r for r in found["found"]}
    assert at[0.05]["found"] == pytest.approx(1 / 3)  # above 4.0, the highest genuine clip
    assert at[0.05]["others"] == {"rest": 0.5}
    assert at[0.05]["genuine_of_pages"] == 0
    told = "\n".join(pages.lines(found))
    assert "mean over pages: 0.88" in told
    assert "3 of 3" in told


def test_what_is_hardly_usable_or_has_no_face_is_left_out(made):
    rows, clips = made
    clips[0].row["usable"] = "marginal"  # the higher forgery of page one
    rows[1]["logits"] = []
    found = pages.summarise(rows, clips, part=2)
    assert found["pages"]["one"]["forged"] == 0
    assert found["pages"]["one"]["auc"] is None
    assert found["mean_auc"] == 1.0
