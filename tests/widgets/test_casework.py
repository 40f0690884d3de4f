"""The panel of the investigation notebook, by its buttons."""

from __future__ import annotations

import pytest

from tests.casework import casework as made_up
from tests.widgets.pressing import text
from toolkit import _i18n
from toolkit.analysis import robustness
from toolkit.casework.case import Case
from toolkit.media import alignment
from toolkit.widgets.casework import Casework
from toolkit.widgets.casework.outcome import INTERNAL, OUTGOING


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
    panel.intake.path.value = str(clip)
    panel.intake.trust.value = False
    return run(panel.intake.adding)


@pytest.mark.slow
def test_from_intake_to_a_report_that_is_checked(panel, clip):
    panel._case.examiner.value = "N. N."
    assert "Open: " in text(panel, "case-told")
    assert add(panel, clip) == "done", panel.intake.adding.error
    assert panel.exhibit.id == "E1"
    assert "called forged by this detector" in text(panel, "exhibit")
    assert "not proof of manipulation" in text(panel, "exhibit")
    assert "does not feed the verdict" in text(panel, "container")
    assert [o[1] for o in panel.outcome.reveal.options] == ["E1:A", "E1:B"]
    panel.notes.wording.value, panel.notes.frames.value = "The mouth.", "3, 5-7"
    assert panel.write() == "notes/N001.json"
    assert panel.case.notes()[0]["frames"] == [[3, 3], [5, 7]]
    assert panel.notes.wording.value == ""
    panel.outcome.video.value = False
    assert run(panel.outcome.reporting) == "done", panel.outcome.reporting.error
    assert (panel.report / "report.pdf").is_file()
    head = panel.case.read_json("report/R1/report.json")["log"]["head"]
    assert head in text(panel, "report-where")
    panel.check.head.value = head
    assert run(panel.check.checking) == "done", panel.check.checking.error
    assert panel.findings.is_intact
    assert "Intact" in text(panel, "findings")
    (panel.case.folder / "case.json").write_text("{}")
    run(panel.check.checking)
    assert "case.json: was altered" in text(panel, "findings")


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
    assert "called forged" in text(again, "exhibit")
    again._case.folder.value = str(tmp_path / "second")
    again.open_case()
    assert Case(tmp_path / "second").entries()
    assert again.exhibit is None
    assert text(again, "exhibit") == ""
    again.close()


@pytest.mark.slow
def test_copies_and_re_shares(panel, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(robustness, "try_chains", made_up.tried)
    monkeypatch.setattr(alignment, "align", made_up.lies)
    assert run(panel.copies.trying) == "error"
    assert "nothing was taken in yet" in panel.copies.trying._words.value
    add(panel, clip)
    assert panel.copies.aligning.layout.display == "none"
    panel.copies.chains.value = "all"
    assert run(panel.copies.trying) == "done", panel.copies.trying.error
    total = len(robustness.CHAINS)
    assert f"the same after {total - 1} of {total} re-shares" in text(panel, "held")
    add(panel, made_up.clip(tmp_path / "other.mp4", shade=140))
    assert panel.exhibit.id == "E2"
    assert panel.copies.aligning.layout.display is None
    assert text(panel, "held").count("<li>") == 0
    assert [o[1] for o in panel.copies.presumed.options] == ["E1"]
    assert run(panel.copies.aligning) == "done", panel.copies.aligning.error
    assert "E1: Aligned: " in text(panel, "aligned")
    assert "data:image/png" in text(panel, "aligned")
    panel.intake.which.value = "E1"
    assert text(panel, "aligned") == ""
    assert "re-shares" in text(panel, "held")


def test_problems_are_said_and_nothing_breaks(tmp_path):
    (tmp_path / "file").touch()
    panel = Casework(tmp_path / "file")
    assert panel.case is None
    assert 'role="alert"' in text(panel, "case-told")
    assert panel.write() is None
    assert "No case is open" in text(panel, "written")
    assert run(panel.intake.adding) == "error"
    assert run(panel.check.checking) == "error"
    panel._case.folder.value = str(tmp_path / "case")
    panel.open_case()
    panel.intake.path.value = str(tmp_path / "none.mp4")
    assert run(panel.intake.adding) == "error"
    assert "no such file" in str(panel.intake.adding.error)
    panel.notes.wording.value, panel.notes.frames.value = "x", "a-b"
    assert panel.write() is None
    assert "These are no frames" in text(panel, "written")
    panel.close()


def test_cancel(panel, clip):
    panel.intake.path.value = str(clip)

    def slow(*args, tick, **how):
        for _ in range(10_000_000):
            tick("scan", 0, 1)
            if panel.intake.adding.state == "running":
                panel.intake.adding.cancel()

    panel.intake.examine = slow
    assert run(panel.intake.adding) == "cancelled"
    assert [e.event for e in panel.case.entries()][-1] == "cancelled"


def test_each_kind_of_note_has_its_fields(panel):
    fields = {
        "text": {panel.notes.wording, panel.notes.frames, panel.notes.regions},
        "propositions": {panel.notes.h1, panel.notes.h2},
        "alternative": {panel.notes.wording, panel.notes.alternative, panel.notes.state},
        "opinion": {panel.notes.wording},
    }
    for kind, shown in fields.items():
        panel.notes.kind.value = kind
        everything = set().union(*fields.values())
        assert {w for w in everything if w.layout.display is None} == shown
    panel.notes.kind.value = "alternative"
    panel.notes.wording.value = "looked at it"
    panel.notes.state.value = "tested"
    assert panel.write()
    assert panel.case.notes()[0]["state"] == "tested"


def test_both_languages(panel, clip):
    add(panel, clip)
    panel._language.value = "nl"
    assert _i18n.language() == "nl"
    texts = [text(panel, "case-told"), text(panel, "exhibit"), panel._case.open_button.description]
    assert "Zaak openen" in texts[2]
    assert "vervalst" in texts[1]
    panel._language.value = "en"
    assert panel._case.open_button.description == "Open or make the case"


def test_hostile_text_is_escaped(tmp_path, clip):
    panel = Casework(tmp_path / "<img src=x onerror=alert(1)>", examine=made_up.examine_two)
    add(panel, clip)
    for name in ("case-told", "exhibit", "container", "log"):
        assert "<img src=x" not in text(panel, name)
    panel.close()


def test_a_note_is_taken_at_the_moment_and_region_on_screen(panel, clip):
    assert add(panel, clip) == "done", panel.intake.adding.error
    panel.intake.showing.wait(60)
    assert panel.intake.showing.error is None
    assert panel.intake.player.layout.display is None
    scene = panel.intake.player.shown[0]
    panel.intake.player.frame, panel.intake.player.region = 7, "mouth"
    panel.note_here()
    assert panel.notes.frames.value == str(int(scene.copy.indices[7]))
    assert panel.notes.regions.value == ("mouth",)
    panel.notes.wording.value = "Redder here."
    assert panel.write() == "notes/N001.json"
    note = panel.case.notes()[0]
    assert note["regions"] == ["mouth"]
    assert note["interval_s"][0] == pytest.approx(float(scene.copy.pts[7]), abs=1e-3)
    assert "Redder here. mouth" in text(panel, "case-notes")


def test_what_could_not_be_done_without_a_case_is_forgotten_once_one_is_open(tmp_path):
    panel = Casework()
    assert run(panel.check.checking) == "error"
    assert panel.check.checking._words.value
    panel._case.folder.value = str(tmp_path / "case")
    panel.open_case()
    assert panel.check.checking.state == "idle"
    assert panel.check.checking._words.value == ""
    panel.close()


def open_steps(panel):
    return [section.is_open for section in panel._sections]


def test_the_steps_open_one_after_another(tmp_path, clip):
    panel = Casework(examine=made_up.examine_two)
    assert open_steps(panel) == [True, False, False, False, False, False]
    panel._case.folder.value = str(tmp_path / "case")
    panel._case.open_button.click()
    assert open_steps(panel) == [False, True, False, False, False, False]
    panel.check._fold.click()  # any step may be opened before its turn
    assert panel.check.is_open
    add(panel, clip)
    panel.intake.showing.wait(60)
    assert open_steps(panel) == [False, True, False, True, True, False]
    assert panel.intake.path.layout.display == "none"  # the evidence has the room now
    panel.intake._another.click()
    assert panel.intake.path.layout.display is None
    panel.copies._fold.click()
    panel.retranslate()
    assert panel.copies.is_open  # what the user opened stays so


def test_an_edition_for_the_house_names_the_sender(tmp_path, clip):
    panel = Casework(tmp_path / "case", examine=made_up.examine_two)
    panel.intake.path.value = str(clip)
    panel.intake._from.value = "a sender of the test"
    panel.intake.adding.start()
    panel.intake.adding.wait(60)
    panel.intake.showing.wait(60)
    pages = {}
    for edition in (OUTGOING, INTERNAL):
        panel.outcome.edition.value = edition
        assert run(panel.outcome.reporting) == "done", panel.outcome.reporting.error
        pages[edition] = (panel.report / "report.html").read_text(encoding="utf-8")
    assert "a sender of the test" not in pages[OUTGOING]
    assert "a sender of the test" in pages[INTERNAL]
    for page in pages.values():  # the covered key frame stands before the contents
        assert "E1 at 0:0" in page[: page.index("<nav")]
