"""The panel of the investigation notebook, by its buttons."""

from __future__ import annotations

import pytest

from tests.casework import casework as made_up
from toolkit import _i18n
from toolkit.analysis import robustness
from toolkit.casework.case import Case
from toolkit.media import alignment
from toolkit.widgets.casework import Casework


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return made_up.clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture
def panel(tmp_path):
    shown = Casework(tmp_path / "case", examine=made_up.examine_two)
    yield shown
    shown.close()


def run(task):
    task.start()
    task.wait(60)
    return task.state


def add(panel, clip):
    panel._path.value = str(clip)
    panel._trust.value = False
    return run(panel.adding)


def test_from_intake_to_a_report_that_is_checked(panel, clip):
    panel._examiner.value = "N. N."
    assert "Open: " in panel._told.value
    assert add(panel, clip) == "done", panel.adding.error
    assert panel.exhibit.id == "E1"
    assert "called forged by this detector" in panel._result.value
    assert "not proof of manipulation" in panel._result.value
    assert "does not feed the verdict" in panel._container.value
    assert [o[1] for o in panel._reveal.options] == ["E1:A", "E1:B"]
    panel._words.value, panel._frames.value = "The mouth.", "3, 5-7"
    assert panel.write() == "notes/N001.json"
    assert panel.case.notes()[0]["frames"] == [[3, 3], [5, 7]]
    assert panel._words.value == ""
    panel._video.value = False
    assert run(panel.reporting) == "done", panel.reporting.error
    assert (panel.report / "report.pdf").is_file()
    head = panel.case.read_json("report/R1/report.json")["log"]["head"]
    assert head in panel._where.value
    panel._head.value = head
    assert run(panel.checking) == "done", panel.checking.error
    assert panel.findings.is_intact
    assert "Intact" in panel._found.value
    (panel.case.folder / "case.json").write_text("{}")
    run(panel.checking)
    assert "case.json: was altered" in panel._found.value


def test_a_panel_opens_no_case_by_itself_and_reaches_the_page(tmp_path, monkeypatch):
    monkeypatch.setenv("DOORZICHT_RUNS", str(tmp_path / "runs"))
    panel = Casework()
    assert panel.comm is not None  # without it a browser never hears of the panel
    assert panel.case is None
    assert not (tmp_path / "runs").exists()
    panel.close()


def test_an_existing_case_is_opened_and_another_is_made(panel, clip, tmp_path):
    add(panel, clip)
    again = Casework(tmp_path / "case")
    assert again.exhibit.id == "E1"
    assert "called forged" in again._result.value
    again._folder.value = str(tmp_path / "second")
    again.open_case()
    assert Case(tmp_path / "second").entries()
    assert again.exhibit is None
    assert again._result.value == ""
    again.close()


def test_copies_and_re_shares(panel, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(robustness, "try_chains", made_up.tried)
    monkeypatch.setattr(alignment, "align", made_up.lies)
    assert run(panel.trying) == "error"
    assert "nothing was taken in yet" in panel.trying._words.value
    add(panel, clip)
    assert panel.laying.layout.display == "none"
    panel._chains.value = "all"
    assert run(panel.trying) == "done", panel.trying.error
    total = len(robustness.CHAINS)
    assert f"the same after {total - 1} of {total} re-shares" in panel._held.value
    add(panel, made_up.clip(tmp_path / "other.mp4", shade=140))
    assert panel.exhibit.id == "E2"
    assert panel.laying.layout.display is None
    assert panel._held.value.count("<li>") == 0
    assert [o[1] for o in panel._presumed.options] == ["E1"]
    assert run(panel.laying) == "done", panel.laying.error
    assert "E1: Aligned: " in panel._lies.value
    assert "data:image/png" in panel._lies.value
    panel._which.value = "E1"
    assert panel._lies.value == ""
    assert "re-shares" in panel._held.value


def test_problems_are_said_and_nothing_breaks(tmp_path):
    (tmp_path / "file").touch()
    panel = Casework(tmp_path / "file")
    assert panel.case is None
    assert 'role="alert"' in panel._told.value
    assert panel.write() is None
    assert "No case is open" in panel._written.value
    assert run(panel.adding) == "error"
    assert run(panel.checking) == "error"
    panel._folder.value = str(tmp_path / "case")
    panel.open_case()
    panel._path.value = str(tmp_path / "none.mp4")
    assert run(panel.adding) == "error"
    assert "no such file" in str(panel.adding.error)
    panel._words.value, panel._frames.value = "x", "a-b"
    assert panel.write() is None
    assert "These are no frames" in panel._written.value
    panel.close()


def test_cancel(panel, clip):
    panel._path.value = str(clip)

    def slow(*args, tick, **how):
        for _ in range(10_000_000):
            tick("scan", 0, 1)
            if panel.adding.state == "running":
                panel.adding.cancel()

    panel._examine = slow
    assert run(panel.adding) == "cancelled"
    assert [e.event for e in panel.case.entries()][-1] == "cancelled"


def test_each_kind_of_note_has_its_fields(panel):
    fields = {
        "text": {panel._words, panel._frames, panel._regions},
        "propositions": {panel._h1, panel._h2},
        "alternative": {panel._words, panel._alternative, panel._state},
        "opinion": {panel._words},
    }
    for kind, shown in fields.items():
        panel._kind.value = kind
        everything = set().union(*fields.values())
        assert {w for w in everything if w.layout.display is None} == shown
    panel._kind.value = "alternative"
    panel._words.value = "looked at it"
    panel._state.value = "tested"
    assert panel.write()
    assert panel.case.notes()[0]["state"] == "tested"


def test_both_languages(panel, clip):
    add(panel, clip)
    panel._language.value = "nl"
    assert _i18n.language() == "nl"
    texts = [panel._told.value, panel._result.value, panel._open.description]
    assert "Zaak openen" in texts[2]
    assert "vervalst" in texts[1]
    panel._language.value = "en"
    assert panel._open.description == "Open or make the case"


def test_hostile_text_is_escaped(tmp_path, clip):
    panel = Casework(tmp_path / "<img src=x onerror=alert(1)>", examine=made_up.examine_two)
    add(panel, clip)
    for html in (panel._told, panel._result, panel._container, panel._steps):
        assert "<img src=x" not in html.value
    panel.close()


def test_a_note_is_taken_at_the_moment_and_region_on_screen(panel, clip):
    assert add(panel, clip) == "done", panel.adding.error
    panel.showing.wait(60)
    assert panel.showing.error is None
    assert panel.player.layout.display is None
    scene = panel.player.shown[0]
    panel.player.frame, panel.player.region = 7, "mouth"
    panel.note_here()
    assert panel._frames.value == str(int(scene.copy.indices[7]))
    assert panel._regions.value == ("mouth",)
    panel._words.value = "Redder here."
    assert panel.write() == "notes/N001.json"
    note = panel.case.notes()[0]
    assert note["regions"] == ["mouth"]
    assert note["interval_s"][0] == pytest.approx(float(scene.copy.pts[7]), abs=1e-3)
    assert "Redder here. mouth" in panel._notes.value


def test_what_could_not_be_done_without_a_case_is_forgotten_once_one_is_open(tmp_path):
    panel = Casework()
    assert run(panel.checking) == "error"
    assert panel.checking._words.value
    panel._folder.value = str(tmp_path / "case")
    panel.open_case()
    assert panel.checking.state == "idle"
    assert panel.checking._words.value == ""
    panel.close()
