"""The words, tables and pictures of the forge lab, in both languages."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.forge import faces as made_up
from toolkit import _i18n
from toolkit.figures import forge as words
from toolkit.forge.expression import ExpressionReading, search
from toolkit.forge.swap import BLENDINGS, BREAKS, COLOURS, MOUTHS, SwapStep

NUMBERS = {
    "face": {"face_width_px": 101.4},
    "search": {"gallery_width_px": 128.0, "kept_width_px": 32.0},
    "warp": {"hidden": 1.0, "stretch": 0.81},
    "colour": {"before": 18.13, "after": 0.44},
    "mask": {"area_px": 11164.2, "own_mouth": 0.5},
    "blend": {"edge": 9.84},
    "back": {"changed_part": 0.1},
    "compress": {"crf": 20.0, "error": 2.2},
}
PIXEL = np.zeros((2, 2, 3), np.uint8)


@pytest.fixture(params=["en", "nl"])
def language(request):
    _i18n.set_language(request.param)
    return request.param


def test_every_step_and_choice_has_words(language):
    said = [words.step_title(name) for name in NUMBERS]
    said += [words.step_sentence(SwapStep(name, PIXEL, n)) for name, n in NUMBERS.items()]
    said += [words.break_title(name) for name in ("untouched", *BREAKS)]
    said += [words.choice_title("colour", c) for c in COLOURS]
    said += [words.choice_title("blend", b) for b in BLENDINGS]
    said += [words.choice_title("mouth", m) for m in MOUTHS]
    assert all(said)
    assert not [text for text in said if "{" in text or "%" in text]
    joined = " ".join(said)
    assert ("0,81" in joined) == (language == "nl")
    assert ("11164" in joined, " 32" in joined) == (True, True)


def test_one_hidden_triangle_is_said_in_the_singular():
    one, many = (
        words.step_sentence(SwapStep("warp", PIXEL, {"hidden": float(n), "stretch": 1.0}))
        for n in (1, 7)
    )
    assert "1 is not" in one
    assert "7 are not" in many


def test_matches_and_expressions_become_tables(language):
    gallery = made_up.gallery(made_up.coefficients(5))
    found = search(gallery, gallery.faces[2], k=3)
    table = words.match_table(gallery, found)
    assert [row[0] for row in table.rows] == ["1", "2", "3"]
    assert table.rows[0][1] == "face 2"
    target = ExpressionReading(
        gallery.faces[1].mesh, gallery.faces[1].coefficients, (12.0, -3.0, 0.0)
    )
    both = words.expression_table(target, gallery.faces[2])
    assert len(both.rows) == 7
    assert all(len(row) == len(both.heads) == 3 for row in both.rows)
    assert both.rows[-2][1:] == ("12", "0")
    assert words.gallery_sentence(gallery).startswith("5 ")


def test_where_the_evidence_lies_is_said_beside_what_knows_nothing(language):
    grade = {
        "heat": {"mass": 0.94}, "control.centre": {"mass": 0.71}, "control.area": {"mass": 0.43},
    }  # fmt: skip
    said = words.where_sentence(grade)
    assert all(number in said for number in ("94", "71", "43", "100"))
    assert "94" not in words.where_sentence({"control.area": {"mass": 0.43}})
    assert "94" not in words.where_sentence({**grade, "heat": {"mass": 0.0}})


def test_the_outline_is_drawn_and_the_rest_kept():
    rgb = np.full((100, 100, 3), 120, np.uint8)
    mask = np.zeros((100, 100), np.float32)
    mask[30:70, 30:70] = 1
    out = words.outlined(rgb, mask)
    assert (out[30, 50] == 255).all()
    assert out.min() < 60  # the black line around, smoothed
    np.testing.assert_array_equal(out[45:55, 45:55], 120)
    np.testing.assert_array_equal(words.outlined(rgb, np.zeros((100, 100))), rgb)


@pytest.mark.parametrize(
    ("label", "dutch"), [("0:49.0", "0:49,0"), ("me.1.jpg", "me.1.jpg"), ("12:05.5", "12:05,5")]
)
def test_a_time_is_written_as_the_reader_writes_it(label, dutch):
    face = dataclasses.replace(made_up.gallery(made_up.coefficients(1)).faces[0], label=label)
    assert words.match_caption(face, 0.5).startswith(label)
    _i18n.set_language("nl")
    assert words.match_caption(face, 0.5).startswith(dutch)
