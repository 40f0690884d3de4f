"""The panel of questions without a browser: what it shows follows the subject and the user."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.widgets.workbench import made_up_inquiry as made_up
from toolkit import _i18n
from toolkit.explain import pixels
from toolkit.figures import inquiry as words
from toolkit.widgets.workbench.explain import STATES, Inquiry

pytestmark = pytest.mark.usefixtures("face_models")


@pytest.fixture(autouse=True)
def english():
    _i18n.set_language("en")
    yield
    _i18n.set_language("en")


@pytest.fixture
def panel():
    made = Inquiry(made_up.examination(), detector=made_up.Green(), donors=())
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
    assert "= 1.287 logit" in plain(panel._sum.value)
    assert "2 of 8" in plain(panel._changes.value)
    assert len(panel._board.rows) == 10
    assert panel._board.rows[0]["values"][0]["text"] == "+1.14"
    assert panel._board.rows[0]["values"][1] is None  # nobody was asked yet
    assert len(panel._chart.data[0].z) == 11


def test_nothing_is_shown_without_an_examination():
    panel = Inquiry()
    assert panel.layout.display == "none"
    panel.ask("trust")
    panel.check()
    panel.say()
    assert panel.state == "idle"
    panel.show(made_up.examination(), person="B")
    assert panel.person == "B"
    assert panel.layout.display is None
    panel.show(None)
    assert panel.layout.display == "none"


def test_a_tick_makes_a_reference_and_replaces_the_region(panel):
    panel._board.ticked = ["mouth"]
    panel.wait(60)
    assert panel.state == "done"
    assert 'data-replaced="mouth"' in panel._picture.value
    assert "below the threshold" in panel._picture.value
    job = panel._job
    panel._board.ticked = ["mouth", "left_eye"]
    assert 'data-replaced="mouth left_eye"' in panel._picture.value
    assert panel._job is job  # at once, in no job
    panel.check()
    panel.wait(60)
    assert "the verdict turns" in panel._checked.value
    panel._buttons["untick"].click()
    assert 'data-replaced=""' in panel._picture.value


def test_the_witnesses_are_shown_as_they_answer(panel):
    ask(panel, "witnesses", "exact")
    text = plain(panel._witnesses.value)
    assert "both witnesses put the same region first on 3" in text
    assert "mouth is most important to this detector here" in text
    assert "exact, all 1024 composites" in text
    assert "replacing mouth brings this frame below the threshold" in text
    assert panel._key_frames.value.count("<tr>") == 9
    subject, here = panel.subject, panel.subject.answered(panel.position)
    rgb = subject.crops.rgb[panel.position]
    own = words.patch_picture(rgb, subject.result.evidence, panel.position)
    assert re.findall(
        r'data-witness="(\w+)"><img src="([^"]+)" alt="([^"]+)"', panel._witnesses.value
    ) == [
        ("construction", own, "By construction: most at mouth"),
        ("intervention", words.heat_picture(rgb, here.heat), "By intervention: most at mouth"),
    ]
    panel.position = 0
    assert "below the threshold, so no region is named" in plain(panel._witnesses.value)
    assert "data-witness" not in panel._witnesses.value


def test_the_other_views(panel):
    ask(panel, "trust", "bands")
    assert "Each method that was asked under Other methods" in panel._trust.value
    ask(panel, "methods")
    assert "Each method that was asked under Other methods" not in panel._trust.value
    added_up = re.findall(r'data-figure="completeness_(\w+)"', panel._trust.value)
    assert set(added_up) == pixels.ASKS_ONLY & pixels.COMPLETE
    assert panel._trust.value.count("data-figure=") >= 12
    assert "checks speak for this explanation" in panel._trust.value
    assert "Logit as regions are replaced" in panel._trust.value
    assert panel._bands.value.count("dz-bar-cell") == 6
    asked = re.findall(r'data-method="(\w+)".*?<br>First: (\w+)', panel._methods.value)
    assert {method for method, _region in asked} == pixels.ASKS_ONLY  # they need no network
    assert {region for _method, region in asked} == {"mouth"}
    assert panel._methods.value.count("the network itself is not open here") == 7
    panel.compare_references()
    panel.wait(60)
    assert panel._reference.value.count("data-kind=") == 1 + 6  # there is no donor
    panel.position = 0
    assert "has not been checked yet" in panel._trust.value


def test_no_percentage_or_number_stands_beside_forged(panel):
    ask(panel, "witnesses", "trust", "bands", "methods")
    for language in ("en", "nl"):
        _i18n.set_language(language)
        panel.say()
        for part in (panel._trust, panel._sum, panel._changes, panel._bands, panel._witnesses):
            said = plain(part.value).lower()
            for word in ("forged", "fake", "genuine", "vervalst", "nep", "echt"):
                assert not re.search(rf"[\d.,]+ ?%? {word}\b|\b{word}:? [\d.,]*\d", said), said


def test_the_host_may_move_it_and_is_told_when_the_user_does():
    told = []
    panel = Inquiry(
        made_up.examination(),
        detector=made_up.Green(),
        donors=(),
        on_move=lambda *where: told.append(where),
    )
    panel.position, panel.region = 2, "nose"
    panel.person = "B"
    assert told == []
    assert panel.subject.person == "B"
    panel._moment.value = 1
    panel._board.current = "mouth"
    panel._persons.value = "A"
    assert told == [("B", 1, "nose"), ("B", 1, "mouth"), ("A", panel.position, "mouth")]

    class Points:
        xs, ys = [0.5 + 0.5 * 6 + 0.1], ["forehead"]

    panel._on_cell(None, Points, None)
    assert (panel.position, panel.region) == (6, "forehead")
    panel.position = 99  # no such moment
    assert panel.position == 6
    panel.region = "ear"
    assert panel.region == ""


def test_cancel_keeps_what_was_answered():
    slow = made_up.Green()
    panel = Inquiry(made_up.examination(), detector=slow, donors=())
    ask(panel, "witnesses")
    slow.pause = 0.02
    panel.position = 2
    panel.ask("exact")
    assert panel.state == "running"
    assert all(button.disabled for button in panel._buttons.values())
    panel.cancel()
    panel.wait(30)
    assert panel.state == "cancelled"
    assert "Cancelled" in panel._line.text
    assert "mean correlation" in panel._witnesses.value
    panel.close()


def test_another_examination_cancels_and_forgets():
    slow = made_up.Green(pause=0.02)
    panel = Inquiry(made_up.examination(), detector=slow, donors=())
    panel.ask("exact")
    panel.show(made_up.examination(), person="B", position=3)
    assert (panel.person, panel.position, panel.state) == ("B", 3, "idle")
    assert "not been asked about this frame yet" in panel._witnesses.value
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
    assert "no such thing" in panel._problem.value


def test_a_kind_on_request_warns_and_names_no_region(panel):
    panel._kind.value = "black"
    ask(panel, "exact")
    assert "no region is named" in plain(panel._witnesses.value)
    assert "In use because you asked for it: black" in panel._reference.value
    panel._board.ticked = ["mouth"]
    assert 'data-replaced="mouth"' in panel._picture.value
    panel._kind.value = "auto"
    assert "not been asked about this frame yet" in panel._witnesses.value


def test_without_a_valid_reference_nothing_can_be_ticked():
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    panel = Inquiry(everywhere, detector=made_up.Green(), donors=())
    ask(panel, "witnesses")
    assert not panel._board.enabled
    assert "No reference is valid" in plain(panel._witnesses.value)
    assert re.findall(r'data-witness="(\w+)"', panel._witnesses.value) == ["construction"]
    assert "Choose one yourself" in panel._picture.value


def test_what_rested_on_no_reference_is_taken_back_when_donors_come(monkeypatch):
    donors = made_up.crops(green=())
    monkeypatch.setattr("toolkit.explain.session.read_donors", lambda *_given, **_options: donors)
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    panel = Inquiry(everywhere, detector=made_up.Green(), donors=())
    ask(panel, "witnesses", "trust", "bands")
    assert "On no key frame" in panel._witnesses.value
    monkeypatch.setattr(panel, "_clips", lambda: (Path("donor.mp4"),))
    panel._on_folder({})
    assert "On no key frame" not in panel._witnesses.value
    assert "has not been checked yet" in panel._trust.value
    ask(panel, "witnesses")
    assert "mouth is most important" in plain(panel._witnesses.value)


def test_what_is_known_to_be_genuine_gives_a_reference():
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    panel = Inquiry(everywhere, detector=made_up.Green(), donors=())
    ask(panel, "witnesses")
    assert "known to be genuine may give one" in plain(panel._witnesses.value)
    known = made_up.crops(green=())
    panel.know("B", known)
    assert "No reference is valid" in plain(panel._witnesses.value)  # it is about somebody else
    panel.know("A", known)
    assert "not been asked about this frame yet" in panel._witnesses.value
    ask(panel, "witnesses")
    assert panel._board.enabled
    assert "this person, in what is known to be genuine" in panel._reference.value
    answered = panel._witnesses.value
    panel.know("A", known)  # the view was opened again
    assert panel._witnesses.value == answered
    panel.know("A", None)
    ask(panel, "witnesses")
    assert not panel._board.enabled
    panel.know("A", known)
    panel.show(made_up.examination(persons="A"))
    assert panel.subject._known is None  # it was said of the clip before
    panel.close()


def test_everything_is_said_again_in_dutch(panel):
    ask(panel, "witnesses", "exact", "trust", "bands", "methods")
    english = {name: getattr(panel, name).value for name in TEXTS}
    panel._language.value = "nl"
    for name in TEXTS:
        assert getattr(panel, name).value != english[name], name
    assert panel._line.lang == "nl"
    assert panel._buttons["exact"].description == "Exact voor dit beeld"
    assert panel.views.options[0][0] == "Wat als"
    assert panel._board.rows[0]["label"] == "mond"
    assert "1,14" in panel._board.rows[0]["values"][0]["text"]
    panel._language.value = "en"
    assert {name: getattr(panel, name).value for name in TEXTS} == english


TEXTS = (
    "_sum",
    "_changes",
    "_witnesses",
    "_key_frames",
    "_picture",
    "_reference",
    "_trust",
    "_bands",
    "_methods",
)


def test_making_it_loads_neither_torch_nor_plotly():
    code = (
        "import sys; from toolkit.widgets.workbench.explain import Inquiry; Inquiry();"
        "print([m for m in ('torch', 'plotly', 'captum') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_states_are_the_contracts():
    assert STATES == ("idle", "running", "done", "cancelled", "error")
    assert repr(Inquiry()) == "Inquiry(person='', position=0, state='idle')"


def test_answers_are_there_again_after_another_clip_was_looked_at():
    checks = []
    panel = Inquiry(
        made_up.examination(),
        detector=made_up.Green(),
        donors=(),
        on_check=lambda *said: checks.append(said),
    )
    first, subject = panel.examination, panel.subject
    ask(panel, "witnesses")
    assert checks[-1] == ("A", "agrees")
    assert any("key frames" in line for line in panel.answered())
    keys = list(panel._keys)
    panel.show(made_up.examination())
    assert panel._keys == []
    assert panel.answered() == []
    panel.show(first)
    assert panel._keys == keys
    assert panel.subject is subject  # and nothing is computed again
    assert "key frames" in plain(panel._witnesses.value)
    panel.close()


def test_replacing_a_region_shows_the_face_before_and_after_and_the_score_moving(panel):
    panel._board.ticked = ["mouth"]
    panel.wait(60)
    shown = panel._picture.value
    assert shown.count("<img") == 2
    assert "dz-movement" in shown
    assert "below the threshold" in shown
    panel._board.ticked = []
    assert panel._picture.value.count("<img") == 1


def test_beside_the_player_chart_and_slider_are_left_to_it(panel):
    panel.stand_alone(alone=False)
    assert panel._ledger.layout.display == panel._moment.layout.display == "none"
    panel.stand_alone(alone=True)
    assert panel._ledger.layout.display is None
