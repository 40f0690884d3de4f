"""What can be put side by side, and what is then shown."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from tests.widgets import made_up
from tests.widgets.pressing import look_at, run, shown, until
from toolkit import _i18n
from toolkit.analysis import cached
from toolkit.errors import VideoError
from toolkit.widgets.workbench.compare_fields import Other


@pytest.fixture
def compare(panel):
    run(panel)
    look_at(panel, "compare")
    return panel._result.compare


def offered(compare):
    return [value for _title, value in compare.fields.other.options]


def put(compare, other):
    compare.fields.other.value = other
    compare.go.click()
    return compare._comparison


def test_the_player_makes_room_for_the_comparison_once_there_is_one(panel):
    run(panel)
    result, compare = panel._result, panel._result.compare
    look_at(panel, "compare")
    assert result.player.layout.display is None  # seconds are chosen by looking
    compare.fields.other.value = Other("seconds")
    result.player.frame = 20
    compare.fields.from_here.click()
    result.player.frame = 40
    compare.fields.to_here.click()
    at = [float(result.copy.pts[n]) + result.copy.start_s for n in (20, 40)]
    assert [compare.fields.start_s.value, compare.fields.end_s.value] == pytest.approx(at, abs=0.01)
    put(compare, Other("person", "B"))
    assert result.player.layout.display == "none"  # two players stand there
    look_at(panel, "why")
    assert result.player.layout.display is None


def test_seconds_are_dragged_over_on_the_lane(panel):
    run(panel)
    result, compare = panel._result, panel._result.compare
    look_at(panel, "compare")
    compare.fields.other.value = Other("person", "B")
    assert not result.player.marking  # there a drag goes to a moment, as everywhere
    put(compare, Other("person", "B"))
    compare.fields.other.value = Other("seconds")
    assert result.player.layout.display is None  # the pair made room again
    assert result.player.marking
    assert result.player.marked == []
    result.player.marked = [0.0, 2.2]  # what the page sends at the end of a drag
    assert (compare.fields.start_s.value, compare.fields.end_s.value) == (0.0, 2.2)
    assert "from 0:00.0 to 0:02.2" in compare._said.value  # answered at once
    compare.fields.end_s.value = 2.1
    assert result.player.marked == [0.0, 2.1]
    look_at(panel, "why")
    assert not result.player.marking


@pytest.mark.parametrize("seconds", [[1.0], [2.0, 1.0], [-1.0, 2.0], [0.0, float("nan")]])
def test_what_is_no_stretch_is_not_marked(panel, seconds):
    player = panel._result.player
    player.marked = [0.5, 1.0]
    player.marked = seconds
    assert player.marked == []


def test_persons_and_moments_of_one_clip(compare, panel):
    assert offered(compare) == [Other("person", "B"), Other("moment"), Other("seconds")]
    seen = put(compare, Other("person", "B"))
    left, right = seen.shown
    assert (left.persons, right.persons) == (("A",), ("B",))
    compare.fields.other.value = Other("moment")
    first, second = compare.fields.first.value, compare.fields.second.value
    assert first != second
    assert put(compare, Other("moment")) is seen  # one widget serves all
    track = panel.report.tracks[0].track
    assert seen.offset_s == pytest.approx(track.pts[second] - track.pts[first])
    assert seen.shown[0].copy.indices[seen.frame] == track.indices[first]


def test_another_clip_and_another_detector(all_weights, compare, panel, tmp_path):
    panel._choose.detector.value = "meso4"
    run(panel)
    other = made_up.clip(tmp_path / "reshare.mp4", frames=30)
    panel._choose.path.value = str(other)
    run(panel)
    kinds = [o.kind for o in offered(compare)]
    assert kinds.count("clip") == 2  # the first clip as both detectors judged it
    assert kinds.count("detector") == 0  # this one was judged by one only
    compare.fields.offset.value = 0.4
    seen = put(compare, next(o for o in offered(compare) if o.kind == "clip"))
    until(panel, "done")
    left, right = seen.shown
    assert (len(left.copy.pts), len(right.copy.pts)) == (30, 60)
    assert seen.offset_s == 0.4
    assert left.label.startswith("reshare.mp4")
    assert panel.report.video.path == other  # what is on screen stays
    panel.reopen(next(o for o in offered(compare) if o.kind == "clip").name)
    until(panel, "done")
    assert [o.kind for o in offered(compare)].count("detector") == 1
    seen = put(compare, next(o for o in offered(compare) if o.kind == "detector"))
    until(panel, "done")
    assert len({scene.label for scene in seen.shown}) == 2


def test_a_clip_that_is_gone_is_told(compare, panel, tmp_path, monkeypatch):
    other = made_up.clip(tmp_path / "reshare.mp4", frames=30)
    panel._choose.path.value = str(other)
    run(panel)
    wanted = next(o for o in offered(compare) if o.kind == "clip")

    def gone(*_args, **_options):
        raise VideoError("there is no such file", "clip.mp4", "Check the path.")

    monkeypatch.setattr(cached, "display_copy", gone)
    put(compare, wanted)
    until(panel, "done")
    assert "There is no such file: clip.mp4." in panel._remark.value
    panel._cache.clear()
    compare.go.click()
    assert "no longer kept" in compare._problem.value


def test_it_speaks_dutch(compare, panel):
    put(compare, Other("person", "B"))
    panel._form.language.value = "nl"
    assert compare.go.description == "Naast elkaar tonen"
    assert compare.fields.other.value == Other("person", "B")  # what was chosen stays chosen
    assert any("Persoon B" in title for title, _value in compare.fields.other.options)


def test_seconds_that_are_known_to_be_genuine(compare, panel):
    compare.fields.other.value = Other("seconds")
    assert [w.layout.display for w in (compare.fields.start_s, compare.fields.genuine)] == [
        None,
        "none",
    ]
    compare.go.click()
    assert "There are no such seconds: 0 – 0." in compare._problem.value
    assert not compare._said.value
    times = panel.report.tracks[0].track.pts
    compare.fields.end_s.value = float(times[len(times) // 2])
    compare.go.click()
    assert not compare._problem.value
    assert "Person A scores" in compare._said.value
    assert "was not measured for this detector" in compare._said.value  # made-up weights
    panel._form.language.value = "nl"
    assert "Persoon A scoort" in compare._said.value  # what was said stays, in Dutch
    assert compare.go.description == "Vergelijken"
    panel._form.language.value = "en"
    assert "the second witness tries these faces first" in compare._said.value
    known = panel._result.ask.known
    assert (known.examination, known.person) == (panel.examination, "A")
    assert 1 < len(known.faces.rgb) <= len(times)
    look_at(panel, "ask")
    subject = panel._result.ask.panel.subject
    assert subject._known is known.faces
    look_at(panel, "compare")
    look_at(panel, "ask")
    assert panel._result.ask.panel.subject is subject  # looking again asks nothing anew
    look_at(panel, "compare")
    panel._result.selection.person = "B"
    assert not compare._said.value  # it was about A
    assert panel._result.ask.known is None
    look_at(panel, "ask")
    assert panel._result.ask.panel.subject.person == "B"
    assert panel._result.ask.panel.subject._known is None
    look_at(panel, "compare")
    assert not shown(compare.retract)
    panel._result.selection.person = "A"
    assert "Person A scores" in compare._said.value
    assert panel._result.ask.known.person == "A"
    compare.fields.other.value = Other("moment")
    compare.go.click()
    assert "genuine from 0:00.0 to" in compare._said.value  # looking elsewhere takes nothing back
    compare.retract.click()
    assert not compare._said.value
    assert not shown(compare.retract)
    assert panel._result.ask.known is None


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
    compare.fields.genuine.value = True
    assert "Person A scores" in compare._said.value
    assert "what you say is genuine" in compare._said.value
    assert panel._result.ask.known.person == "A"
    assert "You said that known.mp4 is genuine." in compare._said.value
    there = compare.fields.other.value
    compare.fields.other.value = Other("seconds")
    assert not compare.fields.genuine.value  # it was said of that clip alone
    assert panel._result.ask.known.person == "A"
    compare.fields.other.value = there
    assert compare.fields.genuine.value
    compare.fields.genuine.value = False
    assert not compare._said.value
    assert panel._result.ask.known is None
    compare.fields.genuine.value = True
    panel.reopen(there.name)
    until(panel, "done")
    assert (compare.fields.start_s.value, compare.fields.genuine.value) == (0, False)
    assert panel._result.ask.known is None


def test_seconds_that_cannot_serve_leave_what_was_said(compare, panel):
    compare.fields.other.value, compare.fields.end_s.value = Other("seconds"), 2.2
    compare.go.click()
    before = panel._result.ask.known
    assert before is not None
    compare.fields.start_s.value = 50.0
    compare.go.click()
    assert "no such seconds" in compare._problem.value
    assert panel._result.ask.known is before
    compare.retract.click()
    assert not compare._problem.value


@pytest.fixture
def known_clip(panel, tmp_path):
    """Call another clip genuine; return the panel, with the first clip on screen, and the other."""
    first = str(panel._choose.path.value)
    other = made_up.clip(tmp_path / "known.mp4", frames=30)
    for path in (str(other), first):
        panel._choose.path.value = path
        run(panel)
    look_at(panel, "compare")
    compare = panel._result.compare
    compare.fields.other.value = next(o for o in offered(compare) if o.kind == "clip")
    compare.fields.genuine.value = True
    return panel, other


def test_what_is_known_comes_back_with_its_clip_and_in_another_kernel(known_clip, make, tmp_path):
    panel, other = known_clip
    first = panel._gallery.current
    faces = panel._result.ask.known.faces
    panel.reopen(panel._result.compare.fields.other.value.name)
    until(panel, "done")
    assert panel._result.ask.known is None
    panel.reopen(first)
    until(panel, "done")
    assert (panel._result.ask.known.faces.rgb == faces.rgb).all()
    offset = make()
    until(offset, "done", "idle")
    look_at(offset, "compare")
    compare = offset._result.compare
    assert (offset._result.ask.known.faces.rgb == faces.rgb).all()
    assert compare.fields.other.value.kind == "clip"
    assert compare.fields.genuine.value
    assert f"You said that {other.name} is genuine." in compare._said.value
    compare.retract.click()
    last = make()
    until(last, "done", "idle")
    assert last._result.ask.known is None
    assert not last._result.compare._said.value


def test_a_clip_known_to_be_genuine_that_is_not_kept_any_more(known_clip, make):
    panel, other = known_clip
    first, entry = panel._choose.path.value, panel._result.compare.fields.other.value.name
    panel._cache.remove(entry)
    offset = make()  # in another kernel, too
    until(offset, "done", "idle")
    run(panel)
    for shown_by in (panel, offset):
        assert shown_by.state == "done"
        compare = shown_by._result.compare
        assert shown_by._result.ask.known is None
        assert "You said that known.mp4 is genuine." in compare._said.value
        assert "known to be genuine is no longer kept: known.mp4" in compare._said.value
        assert shown(compare.retract)
        assert compare.fields.other.value in offered(compare)
    panel._form.language.value = "nl"
    assert "niet meer bewaard" in panel._result.compare._said.value
    panel._choose.path.value = str(other)
    run(panel)
    panel._choose.path.value = first
    run(panel)
    assert panel._result.ask.known is not None  # analysed again, it serves again
    assert "niet meer" not in panel._result.compare._said.value


def test_another_detector_cannot_use_it_and_says_so(all_weights, known_clip):
    panel, other = known_clip
    compare = panel._result.compare
    panel._choose.detector.value = "meso4"
    run(panel)
    assert panel.state == "done"
    assert panel._result.ask.known is None
    assert "judged by another detector: known.mp4" in compare._said.value
    assert compare.fields.genuine.value  # it is of the clip in the menu that it was said
    first = panel._choose.path.value
    for path in (str(other), first):
        panel._choose.path.value = path
        run(panel)
    assert panel._result.ask.known is not None
    for choice in offered(compare):  # as either detector judged it, it is the same clip
        if choice.kind == "clip":
            compare.fields.other.value = choice
            assert compare.fields.genuine.value


def test_everything_is_forgotten_while_a_known_clip_is_chosen(known_clip):
    panel, _other = known_clip
    compare = panel._result.compare
    panel._cache.clear()
    panel._form.language.value = "nl"
    assert compare.fields.other.value in offered(compare)
    assert compare.go.description == "Naast elkaar tonen"
    panel._form.language.value = "en"
    compare.retract.click()
    assert not compare._said.value


def test_a_tick_on_a_clip_that_is_gone_meanwhile(known_clip):
    panel, _other = known_clip
    compare = panel._result.compare
    compare.fields.genuine.value = False
    panel._cache.clear()
    compare.fields.genuine.value = True
    assert "no longer kept: known.mp4" in compare._problem.value
    assert not compare.fields.genuine.value


def test_who_had_that_letter_before_is_not_who_has_it_now(compare, panel):
    compare.fields.other.value, compare.fields.end_s.value = Other("seconds"), 2.2
    compare.go.click()
    clip = panel.report.video.sha256
    said = panel._memory.genuine(clip)["A"]
    panel._memory.write_genuine(clip, "A", dataclasses.replace(said, x=said.x + 400))
    for person in "BA":
        panel._result.selection.person = person
    assert panel._result.ask.known is None
    assert "said of somebody else" in compare._said.value
    assert shown(compare.retract)


def test_what_cannot_be_kept_holds_until_the_panel_is_closed(compare, panel):
    folder = panel._memory.folder / "genuine"
    folder.write_text("in the way")
    compare.fields.other.value, compare.fields.end_s.value = Other("seconds"), 2.2
    compare.go.click()
    assert "could not be written" in compare._problem.value

    def elsewhere_and_back():
        for person in "BA":
            panel._result.selection.person = person

    elsewhere_and_back()
    assert panel._result.ask.known is not None
    assert not compare._problem.value
    folder.unlink()
    compare.go.click()
    folder.joinpath(f"{panel.report.video.sha256}.json").unlink()
    folder.rmdir()
    folder.write_text("in the way")
    compare.retract.click()  # and neither does what was taken back return
    elsewhere_and_back()
    assert panel._result.ask.known is None


def test_what_cannot_be_read_is_set_aside_and_told(compare, panel):
    compare.fields.other.value, compare.fields.end_s.value = Other("seconds"), 2.2
    compare.go.click()
    (file,) = (panel._memory.folder / "genuine").iterdir()
    file.write_text('{"schema": 1, "persons": {"A": {"start_s": "soon"}}}')
    panel._result.selection.person = "B"
    assert "set aside" in compare._said.value
    assert [p.name.partition(".")[2][:7] for p in file.parent.iterdir()] == ["damaged"]


def test_nobody_to_compare(make):
    panel = run(make(persons=1))
    compare = panel._result.compare
    assert offered(compare) == [Other("moment"), Other("seconds")]


def test_two_detectors_on_one_clip_say_where_they_differ(all_weights, compare, panel):
    panel._choose.detector.value = "meso4"
    run(panel)
    look_at(panel, "compare")
    assert compare.beside.layout.display == "none"
    put(compare, next(o for o in offered(compare) if o.kind == "detector"))
    until(panel, "done")
    text = compare.beside.value
    assert compare.beside.layout.display is None
    assert "Where they agree and where they differ" in text
    assert "dz-beside-chart" in text
    assert "detector threshold meso4 --genuine" in text  # nobody measured its scale
    _i18n.set_language("nl")
    panel._result.retranslate()
    assert "Waar ze overeenstemmen" in compare.beside.value
    panel._result.selection.person = "B"
    assert compare.beside.value != text
    put(compare, Other("person", "A"))  # one detector: there is nothing to hold against it
    assert compare.beside.value == ""


def test_a_person_whom_one_detector_did_not_see_is_said():
    from toolkit.widgets.workbench.beside import beside_text

    report = SimpleNamespace(settings={"detector": {"name": "a", "weights_sha256": ""}}, tracks=())
    assert "Only one of the two" in beside_text(report, report, "A")
