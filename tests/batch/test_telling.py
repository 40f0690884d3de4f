from __future__ import annotations

import dataclasses

import pytest

from toolkit import _i18n
from toolkit.batch import telling
from toolkit.batch.run import BatchPosition

COUNTS = {"analysed": 3, "refused": 1, "failed": 0, "timed_out": 1}
HALF = BatchPosition(
    done=5, total=9, known=2, counts=COUNTS, forged=1, workers=2, left_s=600.0, saved_s=42.0
)


def test_the_position_names_what_is_done_what_is_odd_and_the_time_left():
    assert telling.position(HALF) == (
        "5 of 9 clips, 1 called forged, 2 without a result, about 10 min left"
    )
    nobody = dataclasses.replace(HALF, workers=0)
    assert telling.position(nobody).endswith("waiting for workers")
    done = dataclasses.replace(HALF, done=9)
    assert "left" not in telling.position(done)


def test_the_closing_counts_everything_and_says_how_to_go_on():
    lines = telling.closing(HALF)
    assert lines[:2] == ["3 clips were judged.", "Called forged: 1."]
    assert "Refused, because they cannot be read as video: 1." in lines
    assert "Known from before: 2." in lines
    assert "The cache saved about 42 s of work." in lines
    assert lines[-1] == "Not judged yet: 4. The same command goes on from here."
    assert not any("Failed" in line for line in lines)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_no_sentence_says_that_a_clip_is_genuine(language):
    _i18n.set_language(language)
    text = " ".join([telling.position(HALF), *telling.closing(HALF)]).lower()
    assert not any(word in text for word in ("genuine", "authentic", "echt", "authentiek"))


def test_a_log_file_is_not_told_the_same_again_and_again(capsys, monkeypatch):
    monkeypatch.setattr(telling, "UNWATCHED_EVERY_S", 0.0)
    with telling.ProgressLine() as line:
        for _ in range(3):
            line(HALF)
        line(dataclasses.replace(HALF, done=6))
    assert len(capsys.readouterr().err.splitlines()) == 2
