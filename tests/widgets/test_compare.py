"""What can be put side by side, and what is then shown."""

from __future__ import annotations

import pytest

from tests.widgets import made_up
from tests.widgets.pressing import look_at, run, until
from toolkit import recall
from toolkit.errors import VideoError
from toolkit.widgets.compare import Other


@pytest.fixture
def compare(panel):
    run(panel)
    look_at(panel, "compare")
    return panel._result.compare


def offered(compare):
    return [value for _title, value in compare.other.options]


def put(compare, other):
    compare.other.value = other
    compare.go.click()
    return compare._comparison


def test_the_player_makes_room_for_the_comparison(panel):
    run(panel)
    assert panel._result.player.layout.display is None
    look_at(panel, "compare")
    assert panel._result.player.layout.display == "none"
    look_at(panel, "why")
    assert panel._result.player.layout.display is None


def test_persons_and_moments_of_one_clip(compare, panel):
    assert offered(compare) == [Other("person", "B"), Other("moment"), Other("seconds")]
    shown = put(compare, Other("person", "B"))
    left, right = shown.shown
    assert (left.persons, right.persons) == (("A",), ("B",))
    compare.other.value = Other("moment")
    first, second = compare.first.value, compare.second.value
    assert first != second
    assert put(compare, Other("moment")) is shown  # one widget serves all
    track = panel.report.tracks[0].track
    assert shown.offset_s == pytest.approx(track.pts[second] - track.pts[first])
    assert shown.shown[0].copy.indices[shown.frame] == track.indices[first]


def test_another_clip_and_another_detector(all_weights, compare, panel, tmp_path):
    panel._choose.detector.value = "meso4"
    run(panel)
    other = made_up.clip(tmp_path / "reshare.mp4", frames=30)
    panel._choose.path.value = str(other)
    run(panel)
    kinds = [o.kind for o in offered(compare)]
    assert kinds.count("clip") == 2  # the first clip as both detectors judged it
    assert kinds.count("detector") == 0  # this one was judged by one only
    compare.later.value = 0.4
    shown = put(compare, next(o for o in offered(compare) if o.kind == "clip"))
    until(panel, "done")
    left, right = shown.shown
    assert (len(left.copy.pts), len(right.copy.pts)) == (30, 60)
    assert shown.offset_s == 0.4
    assert left.label.startswith("reshare.mp4")
    assert panel.report.video.path == other  # what is on screen stays
    panel.reopen(next(o for o in offered(compare) if o.kind == "clip").name)
    until(panel, "done")
    assert [o.kind for o in offered(compare)].count("detector") == 1
    shown = put(compare, next(o for o in offered(compare) if o.kind == "detector"))
    until(panel, "done")
    assert len({scene.label for scene in shown.shown}) == 2


def test_a_clip_that_is_gone_is_told(compare, panel, tmp_path, monkeypatch):
    other = made_up.clip(tmp_path / "reshare.mp4", frames=30)
    panel._choose.path.value = str(other)
    run(panel)
    wanted = next(o for o in offered(compare) if o.kind == "clip")

    def gone(*_args, **_options):
        raise VideoError("there is no such file", "clip.mp4", "Check the path.")

    monkeypatch.setattr(recall, "display_copy", gone)
    put(compare, wanted)
    until(panel, "done")
    assert "There is no such file: clip.mp4." in panel._remark.value
    panel._cache.clear()
    compare.go.click()
    assert "no longer kept" in compare._problem.value


def test_it_speaks_dutch(compare, panel):
    put(compare, Other("person", "B"))
    panel._language.value = "nl"
    assert compare.go.description == "Naast elkaar tonen"
    assert compare.other.value == Other("person", "B")  # what was chosen stays chosen
    assert any("Persoon B" in title for title, _value in compare.other.options)


def test_seconds_that_are_known_to_be_genuine(compare, panel):
    compare.other.value = Other("seconds")
    assert [w.layout.display for w in (compare.start_s, compare.genuine)] == [None, "none"]
    compare.go.click()
    assert "There are no such seconds: 0 – 0." in compare._problem.value
    assert not compare._said.value
    times = panel.report.tracks[0].track.pts
    compare.end_s.value = float(times[len(times) // 2])
    compare.go.click()
    assert not compare._problem.value
    assert "Person A scores" in compare._said.value
    assert "was not measured for this detector" in compare._said.value  # made-up weights
    panel._language.value = "nl"
    assert "Persoon A scoort" in compare._said.value  # what was said stays, in Dutch
    assert compare.go.description == "Vergelijken"
    panel._language.value = "en"
    assert "the second witness tries these faces first" in compare._said.value
    known = panel._result._known
    assert (known.examination, known.person) == (panel.examination, "A")
    assert 1 < len(known.faces.rgb) <= len(times)
    look_at(panel, "ask")
    subject = panel._result._inquiry.subject
    assert subject._known is known.faces
    look_at(panel, "compare")
    look_at(panel, "ask")
    assert panel._result._inquiry.subject is subject  # looking again asks nothing anew
    look_at(panel, "compare")
    compare.show(panel.examination, compare._copy, "B")
    assert not compare._said.value  # it was about A
    assert panel._result._known is None
    assert panel._result._inquiry.subject._known is None
    compare.show(panel.examination, compare._copy, "A")
    compare.other.value = Other("seconds")
    compare.go.click()
    assert compare._said.value
    compare.other.value = Other("moment")
    assert not compare._said.value


def test_another_clip_that_is_known_to_be_genuine(compare, panel, tmp_path):
    other = made_up.clip(tmp_path / "known.mp4", frames=30)
    first = str(panel._choose.path.value)
    panel._choose.path.value = str(other)
    run(panel)
    panel._choose.path.value = first
    run(panel)
    put(compare, next(o for o in offered(compare) if o.kind == "clip"))
    until(panel, "done")
    assert not compare._said.value
    compare.genuine.value = True
    assert "Person A scores" in compare._said.value
    assert "known to be genuine" in compare._said.value
    assert panel._result._known.person == "A"
    compare.other.value = Other("moment")
    assert not compare._said.value
    assert not compare.genuine.value  # it was said of that clip alone
    assert panel._result._known is None
    panel.reopen(next(o for o in offered(compare) if o.kind == "clip").name)
    until(panel, "done")
    assert (compare.start_s.value, compare.genuine.value) == (0, False)


def test_nobody_to_compare(make):
    panel = run(make(persons=1))
    compare = panel._result.compare
    assert offered(compare) == [Other("moment"), Other("seconds")]
