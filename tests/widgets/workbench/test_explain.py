"""The panel of questions without a browser: what it shows follows the subject and the user."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from traitlets import TraitError

from tests.widgets.pressing import every, part, shown, text
from tests.widgets.workbench import made_up_inquiry as made_up
from toolkit import _i18n
from toolkit.explain import pixels
from toolkit.figures import inquiry as words
from toolkit.widgets.jobs import STATES
from toolkit.widgets.selection import Selection
from toolkit.widgets.workbench.explain import ExplainPanel

pytestmark = pytest.mark.usefixtures("face_models")


@pytest.fixture(autouse=True)
def english():
    _i18n.set_language("en")
    yield
    _i18n.set_language("en")


@pytest.fixture
def panel():
    made = ExplainPanel(made_up.examination(), detector=made_up.Green(), donors=())
    yield made
    made.close()


def ask(panel, *questions):
    panel.ask(*questions)
    panel.wait(60)
    assert panel.error is None
    assert panel.state == "done"


def plain(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_sum_is_there_before_anything_is_asked(panel):
    assert panel.state == "idle"
    assert panel.person == "A"
    assert panel.position in made_up.GREEN
    assert "= 1.287 logit" in plain(text(panel, "sum"))
    assert "2 of 8" in plain(text(panel, "changes"))
    assert len(part(panel, "region-board").rows) == 10
    assert part(panel, "region-board").rows[0]["values"][0]["text"] == "+1.14"
    assert part(panel, "region-board").rows[0]["values"][1] is None  # nobody was asked yet
    assert len(part(panel, "inquiry-chart").figure.data[0].z) == 11


def test_nothing_is_shown_without_an_examination():
    panel = ExplainPanel()
    assert panel.layout.display == "none"
    panel.ask("trust")
    panel.check()
    panel.retranslate()
    assert panel.state == "idle"
    panel.show(made_up.examination(), person="B")
    assert panel.person == "B"
    assert panel.layout.display is None
    panel.show(None)
    assert panel.layout.display == "none"


def test_a_tick_makes_a_reference_and_replaces_the_region(panel):
    part(panel, "region-board").ticked = ["mouth"]
    panel.wait(60)
    assert panel.state == "done"
    assert 'data-replaced="mouth"' in text(panel, "composite")
    assert "below the threshold" in text(panel, "composite")
    job = panel._questions.bar._job
    part(panel, "region-board").ticked = ["mouth", "left_eye"]
    assert 'data-replaced="mouth left_eye"' in text(panel, "composite")
    assert panel._questions.bar._job is job  # at once, in no job
    panel.check()
    panel.wait(60)
    assert "the verdict turns" in text(panel, "checked")
    part(panel, "ask-untick").click()
    assert 'data-replaced=""' in text(panel, "composite")


def test_the_witnesses_are_shown_as_they_answer(panel):
    ask(panel, "witnesses", "exact")
    said = plain(text(panel, "witnesses"))
    assert "both witnesses put the same region first on 3" in said
    assert "mouth is most important to this detector here" in said
    assert "exact, all 1024 composites" in said
    assert "replacing mouth brings this frame below the threshold" in said
    assert text(panel, "key-table").count("<tr>") == 9
    subject, here = panel.subject, panel.subject.answered(panel.position)
    rgb = subject.crops.rgb[panel.position]
    own = words.patch_picture(rgb, subject.result.evidence, panel.position)
    assert re.findall(
        r'data-witness="(\w+)"><img src="([^"]+)" alt="([^"]+)"', text(panel, "witnesses")
    ) == [
        ("construction", own, "By construction: most at mouth"),
        ("intervention", words.heat_picture(rgb, here.heat), "By intervention: most at mouth"),
    ]
    panel.position = 0
    assert "below the threshold, so no region is named" in plain(text(panel, "witnesses"))
    assert "data-witness" not in text(panel, "witnesses")


def test_the_other_views(panel):
    ask(panel, "trust", "bands")
    assert "Each method that was asked under Other methods" in text(panel, "trust")
    ask(panel, "methods")
    assert "Each method that was asked under Other methods" not in text(panel, "trust")
    added_up = re.findall(r'data-figure="completeness_(\w+)"', text(panel, "trust"))
    assert set(added_up) == pixels.ASKS_ONLY & pixels.COMPLETE
    assert text(panel, "trust").count("data-figure=") >= 12
    assert "checks speak for this explanation" in text(panel, "trust")
    assert "Logit as regions are replaced" in text(panel, "trust")
    assert text(panel, "bands").count("dz-bar-cell") == 6
    asked = re.findall(r'data-method="(\w+)".*?<br>First: (\w+)', text(panel, "methods"))
    assert {method for method, _region in asked} == pixels.ASKS_ONLY  # they need no network
    assert {region for _method, region in asked} == {"mouth"}
    assert text(panel, "methods").count("the network itself is not open here") == 7
    panel.compare_references()
    panel.wait(60)
    assert text(panel, "reference").count("data-kind=") == 1 + 6  # there is no donor
    panel.position = 0
    assert "has not been checked yet" in text(panel, "trust")


def test_no_percentage_or_number_stands_beside_forged(panel):
    ask(panel, "witnesses", "trust", "bands", "methods")
    for language in ("en", "nl"):
        _i18n.set_language(language)
        panel.retranslate()
        for name in ("trust", "sum", "changes", "bands", "witnesses"):
            said = plain(text(panel, name)).lower()
            for word in ("forged", "fake", "genuine", "vervalst", "nep", "echt"):
                assert not re.search(rf"[\d.,]+ ?%? {word}\b|\b{word}:? [\d.,]*\d", said), said


def test_host_and_user_share_one_selection(panel):
    selection = panel.selection
    assert (selection.person, selection.row) == ("A", panel.position)
    selection.row, selection.region = 2, "nose"
    assert (panel.position, panel.region) == (2, "nose")
    assert part(panel, "moment").value == 2
    assert part(panel, "region-board").current == "nose"
    selection.person = "B"
    assert panel.subject.person == part(panel, "inquiry-persons").value == "B"
    part(panel, "moment").value = 1
    part(panel, "region-board").current = "mouth"
    assert (selection.person, selection.row, selection.region) == ("B", 1, "mouth")
    part(panel, "inquiry-persons").value = "A"
    assert selection.person == "A"
    assert selection.row == panel.position in made_up.GREEN  # the strongest frame of A

    class Points:
        xs, ys = [0.5 + 0.5 * 6 + 0.1], ["forehead"]

    part(panel, "inquiry-chart").on_cell(None, Points, None)
    assert (panel.position, panel.region) == (6, "forehead")
    panel.position = 99  # no such moment
    assert panel.position == selection.row == 6
    selection.person = "Z"
    assert panel.subject.person == "A"
    with pytest.raises(TraitError):
        panel.region = "ear"


def test_a_panel_beside_a_player_follows_it_and_moves_it_only_when_asked():
    selection = Selection(person="A", row=-1)
    panel = ExplainPanel(detector=made_up.Green(), donors=(), selection=selection)
    panel.stand_alone(alone=False)
    panel.show(made_up.examination(), person="A")
    panel.shown()
    assert panel.position in made_up.GREEN
    assert selection.row == -1  # the video stands where A is not judged: it stays there
    selection.row = 1
    assert panel.position == 1
    panel.hidden()
    selection.row = 2
    assert panel.position == 1  # nothing is drawn for nobody
    panel.shown()
    assert panel.position == 2
    selection.row = -1
    assert panel.position == 2
    panel.close()


def test_cancel_keeps_what_was_answered():
    slow = made_up.Green()
    panel = ExplainPanel(made_up.examination(), detector=slow, donors=())
    ask(panel, "witnesses")
    slow.pause = 0.02
    panel.position = 2
    panel.ask("exact")
    assert panel.state == "running"
    assert all(
        w.disabled for w in every(panel) if any(c.startswith("dz-ask-") for c in w._dom_classes)
    )
    panel.cancel()
    panel.wait(30)
    assert panel.state == "cancelled"
    assert "Cancelled" in part(panel, "inquiry-line").text
    assert "mean correlation" in text(panel, "witnesses")
    panel.close()


def test_another_examination_cancels_and_forgets():
    slow = made_up.Green(pause=0.02)
    panel = ExplainPanel(made_up.examination(), detector=slow, donors=())
    panel.ask("exact")
    panel.show(made_up.examination(), person="B", position=3)
    assert (panel.person, panel.position, panel.state) == ("B", 3, "idle")
    assert "not been asked about this frame yet" in text(panel, "witnesses")
    panel.close()


def test_a_problem_is_shown_with_its_remedy(panel):
    class Broken(made_up.Green):
        def evidence(self, given, *, tick=None):
            raise ValueError("no such thing")

    panel.subject._given = Broken()
    panel.ask("trust")
    panel.wait(30)
    assert panel.state == "error"
    assert isinstance(panel.error, ValueError)
    assert "no such thing" in text(panel, "inquiry-problem")


def test_a_kind_on_request_warns_and_names_no_region(panel):
    part(panel, "kind").value = "black"
    ask(panel, "exact")
    assert "no region is named" in plain(text(panel, "witnesses"))
    assert "In use because you asked for it: black" in text(panel, "reference")
    part(panel, "region-board").ticked = ["mouth"]
    assert 'data-replaced="mouth"' in text(panel, "composite")
    part(panel, "kind").value = "auto"
    assert "not been asked about this frame yet" in text(panel, "witnesses")


def test_a_click_into_the_face_replaces_that_region(panel):
    panel.views.menu.value = "trust"
    panel.replace("mouth")
    panel.wait(60)
    assert panel.error is None
    assert panel.views.menu.value == "try"
    assert list(part(panel, "region-board").ticked) == ["mouth"]
    first = part(panel, "composite").value
    assert first.count("<img") == 2  # before and after
    panel.replace("left_eye")
    assert panel.state != "running"  # the next click takes one pass, and no job
    assert part(panel, "composite").value != first


def test_without_a_valid_reference_nothing_can_be_ticked():
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    panel = ExplainPanel(everywhere, detector=made_up.Green(), donors=())
    ask(panel, "witnesses")
    assert not part(panel, "region-board").enabled
    assert "No reference is valid" in plain(text(panel, "witnesses"))
    assert re.findall(r'data-witness="(\w+)"', text(panel, "witnesses")) == ["construction"]
    assert "Choose one yourself" in text(panel, "composite")


def test_what_rested_on_no_reference_is_taken_back_when_donors_come(monkeypatch):
    donors = made_up.crops(green=())
    monkeypatch.setattr("toolkit.explain.session.read_donors", lambda *_given, **_options: donors)
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    panel = ExplainPanel(everywhere, detector=made_up.Green(), donors=())
    ask(panel, "witnesses", "trust", "bands")
    assert "On no key frame" in text(panel, "witnesses")
    monkeypatch.setattr("toolkit.explain.donors.clips_in", lambda _folder: (Path("donor.mp4"),))
    part(panel, "donors").value = "folder"
    assert "On no key frame" not in text(panel, "witnesses")
    assert "has not been checked yet" in text(panel, "trust")
    ask(panel, "witnesses")
    assert "mouth is most important" in plain(text(panel, "witnesses"))


def test_what_is_known_to_be_genuine_gives_a_reference():
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    panel = ExplainPanel(everywhere, detector=made_up.Green(), donors=())
    ask(panel, "witnesses")
    assert "known to be genuine may give one" in plain(text(panel, "witnesses"))
    known = made_up.crops(green=())
    panel.know("B", known)
    assert "No reference is valid" in plain(text(panel, "witnesses"))  # it is about somebody else
    panel.know("A", known)
    assert "not been asked about this frame yet" in text(panel, "witnesses")
    ask(panel, "witnesses")
    assert part(panel, "region-board").enabled
    assert "this person, in what is known to be genuine" in text(panel, "reference")
    answered = text(panel, "witnesses")
    panel.know("A", known)  # the view was opened again
    assert text(panel, "witnesses") == answered
    panel.know("A", None)
    ask(panel, "witnesses")
    assert not part(panel, "region-board").enabled
    panel.know("A", known)
    panel.show(made_up.examination(persons="A"))
    assert panel.subject._known is None  # it was said of the clip before
    panel.close()


def test_everything_is_said_again_in_dutch(panel):
    ask(panel, "witnesses", "exact", "trust", "bands", "methods")
    english = {name: text(panel, name) for name in TEXTS}
    part(panel, "language").value = "nl"
    for name in TEXTS:
        assert text(panel, name) != english[name], name
    assert part(panel, "inquiry-line").lang == "nl"
    assert part(panel, "ask-exact").description == "Exact voor dit beeld"
    assert part(panel, "inquiry-views").options[0][0] == "Wat als"
    assert part(panel, "region-board").rows[0]["label"] == "mond"
    assert "1,14" in part(panel, "region-board").rows[0]["values"][0]["text"]
    part(panel, "language").value = "en"
    assert {name: text(panel, name) for name in TEXTS} == english


TEXTS = (
    "sum",
    "changes",
    "witnesses",
    "key-table",
    "composite",
    "reference",
    "trust",
    "bands",
    "methods",
)


def test_making_it_loads_neither_torch_nor_plotly():
    code = (
        "import sys; from toolkit.widgets.workbench.explain import ExplainPanel; ExplainPanel();"
        "print([m for m in ('torch', 'plotly', 'captum') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_states_are_the_contracts():
    assert STATES == ("idle", "running", "done", "cancelled", "error")
    assert repr(ExplainPanel()) == "ExplainPanel(person='', position=0, state='idle')"


def test_answers_are_there_again_after_another_clip_was_looked_at():
    checks = []
    panel = ExplainPanel(
        made_up.examination(),
        detector=made_up.Green(),
        donors=(),
        on_check=lambda *said: checks.append(said),
    )
    first, subject = panel.examination, panel.subject
    ask(panel, "witnesses")
    assert checks[-1] == ("A", "agrees")
    assert any("key frames" in line for line in panel.answered())
    keys = subject.witnesses
    panel.show(made_up.examination())
    assert panel.subject.witnesses == ()
    assert panel.answered() == []
    panel.show(first)
    assert panel.subject.witnesses == keys
    assert panel.subject is subject  # and nothing is computed again
    assert "key frames" in plain(text(panel, "witnesses"))
    panel.close()


def test_replacing_a_region_shows_the_face_before_and_after_and_the_score_moving(panel):
    part(panel, "region-board").ticked = ["mouth"]
    panel.wait(60)
    shown = text(panel, "composite")
    assert shown.count("<img") == 2
    assert "dz-movement" in shown
    assert "below the threshold" in shown
    part(panel, "region-board").ticked = []
    assert text(panel, "composite").count("<img") == 1


def test_beside_the_player_chart_and_slider_are_left_to_it(panel):
    panel.stand_alone(alone=False)
    assert not shown(part(panel, "moment"))
    panel.stand_alone(alone=True)
    assert shown(part(panel, "moment"))
