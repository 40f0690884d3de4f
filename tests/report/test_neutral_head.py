"""A head without a person: shares by hatching, readable on paper."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from toolkit import _i18n
from toolkit.errors import ShapeError
from toolkit.report.neutral_head import line_head
from toolkit.types import PLAYERS

SVG = "{http://www.w3.org/2000/svg}"
SHARES = [1.2, 0.5, -0.3, 0.02, -0.9, 0.35, 0.1, -0.05, 0.8, 0.0]

pytestmark = pytest.mark.usefixtures("face_models")


def regions(svg):
    """Return the fill of each player's outline, in the order of `PLAYERS`."""
    root = ET.fromstring(svg)
    paths = [p for p in root.findall(f"{SVG}path") if p.get("fill-rule")]
    assert len(paths) == len(PLAYERS)
    return dict(zip(PLAYERS, (p.get("fill") for p in paths), strict=True))


def test_direction_tells_the_sign_and_density_the_size():
    fills = regions(line_head(SHARES))
    assert fills["mouth"] == "url(#head-for4)"
    assert fills["contour"] == "url(#head-for3)"
    assert fills["left_eye"] == "url(#head-for2)"
    assert fills["right_cheek"] == "url(#head-for1)"
    assert fills["forehead"] == "url(#head-against4)"
    assert fills["right_eye"] == "url(#head-against2)"
    assert fills["nose"] == fills["background"] == "#ffffff"


def test_every_pattern_that_is_used_is_there_and_none_rests_on_colour():
    svg = line_head(SHARES)
    used = set(re.findall(r"url\(#([\w-]+)\)", svg))
    root = ET.fromstring(svg)
    patterns = {p.get("id"): p for p in root.iter(f"{SVG}pattern")}
    assert used <= set(patterns)
    turned = {name: p.get("patternTransform") for name, p in patterns.items()}
    assert {t for n, t in turned.items() if "-for" in n} == {"rotate(45)"}
    assert {t for n, t in turned.items() if "-against" in n} == {"rotate(-45)"}
    gaps = [float(patterns[f"head-for{k}"].get("width")) for k in (1, 2, 3, 4)]
    assert gaps == sorted(gaps, reverse=True)
    assert len(set(gaps)) == 4


def test_the_numbers_are_there_for_those_who_cannot_see_it():
    svg = line_head(SHARES, unsplit=-0.25, title="Person <B>", ident="b-1")
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "b-1-t b-1-d"
    assert root.find(f"{SVG}title").text == "Person <B>"
    told = root.find(f"{SVG}desc").text
    assert "mouth +1.200" in told
    assert "forehead −0.900" in told
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert "−0.250" in texts
    assert any("no proof of manipulation" in t for t in texts)


def test_left_is_the_subjects_left():
    root = ET.fromstring(line_head(SHARES))
    paths = [p for p in root.findall(f"{SVG}path") if p.get("fill-rule")]

    def middle(player):
        numbers = re.findall(r"[\d.]+ [\d.]+", paths[PLAYERS.index(player)].get("d"))
        return np.mean([[float(v) for v in n.split()] for n in numbers], axis=0)

    assert middle("left_eye")[0] > middle("nose")[0] > middle("right_eye")[0]
    assert middle("forehead")[1] < middle("nose")[1] < middle("mouth")[1] < middle("chin_jaw")[1]


def test_the_same_each_time_and_nothing_from_outside():
    assert line_head(SHARES) == line_head(SHARES)
    svg = line_head(SHARES).replace("http://www.w3.org/2000/svg", "")
    assert "http" not in svg
    assert "<script" not in svg
    assert "<image" not in svg


def test_all_zero_is_blank():
    assert set(regions(line_head([0.0] * 10)).values()) == {"#ffffff"}


def test_dutch():
    _i18n.set_language("nl")
    svg = line_head(SHARES)
    assert "+1,200" in svg
    assert "mouth" not in svg


@pytest.mark.parametrize("shares", [[1.0] * 9, [1.0] * 11, [float("nan")] * 10])
def test_other_shares_are_refused(shares):
    with pytest.raises(ShapeError):
        line_head(shares)


@pytest.mark.parametrize("ident", ["", "a b", 'x"onload="', "é"])
def test_other_ids_are_refused(ident):
    with pytest.raises(ShapeError):
        line_head(SHARES, ident=ident)
