"""The story with a known end: two persons, the genuine one left alone, the cut where it is."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from toolkit import media
from toolkit.evaluation.studies import two_persons as telling
from toolkit.evaluation.studies.two_persons import (
    BOUNDARY_S,
    StoryOutcome,
    Variant,
    judge,
    main,
    on_result,
    summarise,
    variants,
)

RIGHT = StoryOutcome(
    variant=variants(1)[0],
    persons=2,
    a="not_forged",
    b="forged",
    a_logit=0.0,
    b_logit=2.0,
    threshold=1.0,
    a_reason=None,
    b_reason=None,
    cut_s=5.0,
    found_s=5.1,
)


def test_variants_differ_and_repeat():
    twenty = variants(20)
    assert variants(3) == twenty[:3]
    assert len(set(twenty)) == 20
    assert {v.mask for v in twenty} == {"face", "parts"}
    assert len({v.kind for v in twenty}) == 3
    assert variants(2, seed=1) != twenty[:2]
    for v in twenty:
        assert 2 <= v.a_start_s <= 190
        assert 4 <= v.a_seconds <= 8


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({}, True),
        ({"b": "abstained"}, True),
        ({"a": "abstained"}, True),
        ({"a": "forged"}, False),
        ({"b": "not_forged"}, False),
        ({"b": "missing"}, False),
        ({"persons": 3}, False),
        ({"found_s": 5.0 + BOUNDARY_S + 0.01}, False),
        ({"found_s": None}, False),
    ],
)
def test_what_counts_as_told_right(change, right):
    assert dataclasses.replace(RIGHT, **change).is_told_right == right


def test_the_summary_counts_both_verdicts_and_abstentions():
    other = dataclasses.replace(RIGHT, a="forged", b="abstained", found_s=5.8)
    found = summarise([RIGHT, RIGHT, other])
    assert found["variants"] == 3
    assert found["two_persons"] == 3
    assert found["a"] == {"forged": 1, "not_forged": 2}
    assert found["b"] == {"abstained": 1, "forged": 2}
    assert found["boundary_right"] == 2
    assert found["boundary_largest_error_s"] == pytest.approx(0.8)
    assert found["told_right"] == 2


def test_a_second_call_goes_on(tmp_path, monkeypatch, capsys, face_models):
    done = []

    def quick(variant, **_options):
        done.append(variant.number)
        return dataclasses.replace(RIGHT, variant=variant)

    monkeypatch.setattr(telling, "judge", quick)
    out = tmp_path / "story.json"
    asked = ["--out", str(out), "--detector", "seamnet-small", "--variants"]
    assert main([*asked, "5", "--most", "3"]) == 0
    assert main([*asked, "5"]) == 0
    assert done == [0, 1, 2, 3, 4]
    facts = json.loads(out.read_text(encoding="utf-8"))
    assert facts["summary"]["told_right"] == 5
    assert [row["variant"]["number"] for row in facts["outcomes"]] == done
    assert "as told" in capsys.readouterr().out
    assert main([*asked, "1", "--seed", "7"]) == 0
    assert done[-1] == 0  # another seed starts anew


@pytest.mark.slow
def test_the_genuine_part_is_not_touched(sample, tmp_path):
    """Forged with strength 0 and with strength 2: A is the same, B is not."""
    for name in ("franck", "cap12_edit"):
        sample(name)
    plain = Variant(0, 20.0, 10.0, 1.0, 1.0, "face", "colour", 0.0)
    forged = dataclasses.replace(plain, strength=2.0)
    frames = []
    for variant in (plain, forged):
        cut_s = on_result(variant, tmp_path / "story.mp4")
        assert cut_s == 1.0
        video = media.probe(tmp_path / "story.mp4")
        assert (video.width, video.height) == telling.CANVAS
        frames.append([f.rgb.astype(int) for f in media.read(video, np.arange(len(video.pts)))])
    apart = [np.abs(a - b).mean() for a, b in zip(*frames, strict=True)]
    assert min(apart[-20:]) > 5 * max(apart[:20])


@pytest.mark.slow
def test_one_variant_all_the_way(sample):
    """Short stretches; what is asked for is asked of the twenty by the command."""
    for name in ("franck", "cap12_edit"):
        sample(name)
    variant = dataclasses.replace(variants(1)[0], a_seconds=3.0, b_seconds=3.0)
    found = judge(variant)
    assert found.persons == 2
    assert found.a != "forged"
    assert abs(found.found_s - found.cut_s) <= BOUNDARY_S
