"""Who is compared with whom, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import black_crops
from tests.widgets import made_up
from toolkit import _i18n, figures
from toolkit.errors import UsageError
from toolkit.types import Examination
from toolkit.verdict import comparison
from toolkit.verdict.comparison import GenuineSpread

HALVES = GenuineSpread(tuple(i / 10 for i in range(1, 21)), "cd" * 32, "20 recordings")


def crops(moments, *, width=120.0, sharpness=60.0):
    return black_crops(moments, width=width, sharpness=sharpness)


def examined(*results, sha256="ab" * 32, detector="seamnet", **more):
    report = made_up.report(*results)
    facts = report.settings["detector"] | {"name": detector}
    report = replace(
        report,
        video=replace(report.video, sha256=sha256),
        settings=report.settings | {"detector": facts},
    )
    held = {r.track.person: crops(len(r.track.pts), **more) for r in report.tracks}
    return Examination(report, held)


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    monkeypatch.setattr(comparison, "find", lambda _name, _sha: HALVES)


def genuine(**more):
    return examined(made_up.result(forged=False), sha256="ef" * 32, **more)


def forged():
    return examined(made_up.result(start_s=5, end_s=50))


def test_whoever_speaks_is_compared_unless_another_is_named():
    two = examined(made_up.result("A"), made_up.result("B", forged=False))
    assert comparison.compare(two, genuine()).questioned.person == "A"
    assert comparison.compare(two, genuine(), person="B").questioned.person == "B"
    # seconds before B is on screen do not stand in the way of A
    assert comparison.compare(two, seconds=(0, 20)).questioned.person == "A"
    some = comparison.compare(two, genuine(), seconds=(0, 20))
    assert some.known.span[1] <= 20


def numbered(examination):
    """Give each crop of a person the number of its moment as its face width."""
    crops = {
        p: replace(c, face_width=np.arange(len(c.rgb)) * 1.0) for p, c in examination.crops.items()
    }
    return replace(examination, crops=crops)


def test_the_faces_that_are_known_to_be_genuine(monkeypatch):
    two = numbered(examined(made_up.result("A"), made_up.result("B", forged=False)))
    track = two.report.tracks[0].track
    span = float(track.pts[3]), float(track.pts[9])
    found = comparison.known_faces(two, seconds=span)
    assert found.face_width.tolist() == [3, 4, 5, 6, 7, 8, 9]
    other = numbered(genuine())
    n = len(other.report.tracks[0].track.pts)
    assert len(comparison.known_faces(two, other).rgb) == min(n, comparison.FACES_MAX)
    monkeypatch.setattr(comparison, "FACES_MAX", 3)
    assert comparison.known_faces(two, other).face_width.tolist() == [0, round((n - 1) / 2), n - 1]
    assert comparison.known_faces(two, seconds=span).face_width.tolist() == [3, 6, 9]
    nowhere = float(track.pts[-1]) + 1, float(track.pts[-1]) + 2
    assert not len(comparison.known_faces(two, seconds=nowhere).rgb)
    with pytest.raises(UsageError, match="nothing is known"):
        comparison.known_faces(two)


def test_what_is_refused():
    two = examined(made_up.result(), made_up.abstained())
    with pytest.raises(UsageError, match=r"nobody to compare: Z\. Name another"):
        comparison.compare(two, genuine(), person="Z")
    with pytest.raises(UsageError, match=r"was not judged .*: B\. The face is too small"):
        comparison.compare(two, genuine(), person="B")
    with pytest.raises(UsageError, match="The face is too small"):
        comparison.compare(examined(made_up.abstained()), genuine())
    with pytest.raises(UsageError, match="different detectors: meso4 and seamnet"):
        comparison.compare(two, genuine(detector="meso4"))
    with pytest.raises(UsageError, match="the same file"):
        comparison.compare(two, two)
    with pytest.raises(UsageError, match="nothing is known"):
        comparison.compare(two)


def test_what_is_written_names_both_and_where_the_limit_comes_from():
    known = genuine()
    questioned = examined(made_up.result())
    found = comparison.to_dict(comparison.compare(questioned, known), questioned, known)
    assert found["schema"] == comparison.COMPARISON_SCHEMA
    assert found["known_video"]["sha256"] == "ef" * 32
    assert found["questioned_video"]["persons"] == 1
    assert found["comparison"]["population"] == "20 recordings"


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (lambda: (forged(), genuine()), ["higher", "speaks for forged"]),
        (lambda: (genuine(), forged()), ["lower", "known material"]),
        (lambda: (genuine(), replaced(genuine())), ["neither for forged nor against"]),
        (
            lambda: (examined(made_up.result()), genuine(width=70.0, sharpness=200.0)),
            ["size (120 and 70 px)", "sharpness (60 and 200)"],
        ),
    ],
)
def test_it_is_said_in_words(pair, words):
    found = comparison.compare(*pair())
    text = " ".join(figures.comparison_sentences(found))
    assert all(w in text for w in [*words, "Of 20 genuine recordings", "looking at this analysis"])
    _i18n.set_language("nl")
    assert "Persoon A scoort" in figures.comparison_sentences(found)[0]


@pytest.mark.parametrize(
    ("sharpness", "words"),
    [(200.0, "softer than halves"), (70.0, "differ as much"), (30.0, "sharper than halves")],
)
def test_sharpness_and_size_are_a_line_of_their_own(monkeypatch, sharpness, words):
    measured = replace(HALVES, sharper=(0.4,) * 20, softer=(18, 20))
    monkeypatch.setattr(comparison, "find", lambda _name, _sha: measured)
    questioned, known = examined(made_up.result()), genuine(sharpness=sharpness)
    found = comparison.compare(questioned, known)
    assert found.sharpness_ratio == pytest.approx(60 / sharpness)
    (line,) = [s for s in figures.comparison_sentences(found) if "Apart from the score" in s]
    for part in (words, "Of 20 forgeries", "18 had", "no part of the verdict", "120 px"):
        assert part in line
    other = comparison.compare(questioned, genuine(sharpness=2 * sharpness))
    assert (other.difference, other.is_higher) == (found.difference, found.is_higher)
    written = comparison.to_dict(found, questioned, known)["comparison"]
    assert written["sharpness_ratio"] == found.sharpness_ratio
    assert written["sharpness_limit"] == pytest.approx(2**0.4)


def test_without_a_measure_of_sharpness_only_the_figures_are_said():
    line = figures.comparison_sentences(comparison.compare(examined(made_up.result()), genuine()))[
        -2
    ]
    assert "Apart from the score" in line
    assert "halves" not in line
    assert "forgeries" not in line


def replaced(examination):
    report = examination.report
    return Examination(
        replace(report, video=replace(report.video, sha256="00" * 32)), examination.crops
    )


def test_without_figures_for_the_detector_no_limit_is_named(monkeypatch):
    monkeypatch.setattr(comparison, "find", lambda _name, _sha: None)
    lines = figures.comparison_sentences(comparison.compare(examined(made_up.result()), genuine()))
    assert "was not measured" in lines[0]
    assert not any("limit" in line for line in lines)
