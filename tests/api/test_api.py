"""The five lines of a guest, on made-up persons and a detector whose answer is known."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

import toolkit
from tests.casework import casework
from tests.widgets import made_up
from tests.widgets.workbench import made_up_inquiry
from toolkit import _i18n
from toolkit.analysis import pipeline
from toolkit.api import cards, verbs
from toolkit.api.result import DATA, FACES, PAGE, RUN, Analysis
from toolkit.errors import OutOfRangeError, ToolkitWarning, UnknownNameError, UsageError
from toolkit.explain import session as inquire
from toolkit.types import PLAYERS, Sampling, Settings, Verdict

pytestmark = pytest.mark.usefixtures("face_models")


@pytest.fixture
def green():
    """Person A with a green mouth in frames 3 to 5, and B; the detector finds green."""
    examination = made_up_inquiry.examination()
    return Analysis.of(examination, Settings(detector=made_up_inquiry.Green(), device="cpu"))


@pytest.fixture
def shown():
    """An analysis with forged intervals, without a video."""
    return of_report(made_up.report(made_up.result(), made_up.result("B", forged=False)))


def of_report(report, settings=None):
    crops = {r.track.person: casework.crops(len(r.track.pts)) for r in report.tracks}
    return Analysis(report, crops, settings or Settings())


@pytest.fixture
def clip(tmp_path):
    return casework.clip(tmp_path / "clip.mp4")


@pytest.fixture
def examined(monkeypatch):
    """Let the road be walked by the stand-in; return how often and with what."""
    calls = []

    def examine(path, **how):
        calls.append((path, how))
        return casework.examine_two(path, **{k: how[k] for k in ("sampling", "seed", "tick")})

    monkeypatch.setattr(pipeline, "examine", examine)
    return calls


# -- reading it


def test_a_person_is_asked_for_by_letter(shown):
    assert len(shown) == 2
    assert [person.letter for person in shown] == ["A", "B"]
    assert shown["B"].verdict is shown.report.tracks[1].verdict
    assert shown.decisive.letter == shown.report.speaks == "A"
    with pytest.raises(UnknownNameError, match=r"Z\. Known: A, B\."):
        shown["Z"]
    with pytest.raises(LookupError):
        shown["a"]


def test_regions_are_ranked_and_add_up(green):
    regions = green["A"].regions
    shares = [region.share for region in regions]
    assert shares == sorted(shares, reverse=True)
    assert regions[0].name == "mouth"
    assert [r.rank for r in regions] == list(range(1, 11))
    assert {r.name for r in regions} == set(PLAYERS)
    whole = regions.reference + sum(shares) + regions.unsplit
    assert whole == pytest.approx(green["A"].verdict.logit, abs=1e-9)
    assert regions["mouth"] is regions[0]
    assert regions.may_be_named
    with pytest.raises(UnknownNameError, match="Known: mouth, left_eye"):
        regions["moth"]


def test_frames_hold_the_vector_of_the_verdict(green):
    frames, result = green["A"].frames, green["A"].result
    assert [f.logit for f in frames] == result.evidence.logits.tolist()
    assert [f.at_seconds for f in frames] == result.track.pts.tolist()
    assert [f.frame_index for f in frames] == result.track.indices.tolist()
    whole = green["A"].regions.reference + sum(f.share for f in frames)
    assert whole == pytest.approx(green["A"].verdict.logit, abs=1e-9)
    assert frames.strongest.row in made_up_inquiry.GREEN


def test_intervals_and_tables(shown):
    intervals = shown["A"].intervals
    assert [(i.start_seconds, i.end_seconds) for i in intervals] == [
        (i.start_s, i.end_s) for i in shown.report.tracks[0].explanation.intervals
    ]
    for listing in (shown["A"].regions, shown["A"].frames, intervals):
        table = listing.to_dataframe()
        assert len(table) == len(listing)
        assert table.to_dict("records") == listing.to_dicts()
    assert list(shown["B"].intervals.to_dataframe().columns)  # there is none, and it says of what


def test_without_an_explanation_it_says_what_to_do():
    report = made_up.report(dataclasses.replace(made_up.result(), explanation=None, key_frames=()))
    bare = of_report(report)
    for ask in (lambda: bare["A"].regions, lambda: bare["A"].intervals, bare.figure):
        with pytest.raises(UsageError, match="explain=True"):
            ask()
    assert bare["A"].frames[0].share is None
    assert bare["A"].frames._repr_html_()
    assert bare.figure("curve").data
    assert Analysis.of(bare.examination).settings.explain is False


def test_nobody_is_an_answer():
    verdict = Verdict(None, 0.5, abstained=True, reason="No face was found.", reason_code="no_face")
    report = dataclasses.replace(made_up.report(), tracks=(), verdict=verdict, speaks=None)
    nobody = of_report(report)
    assert nobody
    assert nobody.decisive is None
    assert "no_face" in repr(nobody)
    assert "No verdict" in nobody._repr_html_()
    for ask in (lambda: nobody["A"], lambda: toolkit.explain(nobody)):
        with pytest.raises(UnknownNameError, match="Nobody was found"):
            ask()
    with pytest.raises(UsageError, match="nobody"):
        nobody.figure()


def test_figures_are_plotly(shown):
    for part in ("overview", "curve", "regions", "matrix"):
        assert shown.figure(part).to_plotly_json()["data"]
    assert shown["B"].figure("curve").data
    assert shown["A"].regions.figure().data
    assert shown["A"].frames.figure().data
    with pytest.raises(UnknownNameError, match="Known: overview, curve, regions, matrix"):
        shown.figure("bars")


# -- showing it


def everything(green, shown):
    session = toolkit.explain(green, "A", progress=False)
    return [
        *(green, shown, green["A"], green["A"].regions, green["A"].frames, shown["A"].intervals),
        *(green.settings, session, session.replace("mouth"), session.witnesses()),
    ]


def test_a_repr_is_one_short_line(green, shown):
    report = shown.report
    long = dataclasses.replace(report.video, path=report.video.path.with_name("x" * 300 + "\n.mp4"))
    shown = of_report(dataclasses.replace(report, video=long))
    for thing in everything(green, shown):
        text = repr(thing)
        assert len(text) <= 120, text
        assert "\n" not in text


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_card_tells_without_colour(shown, language):
    _i18n.set_language(language)
    card = shown._repr_html_()
    assert f'lang="{language}"' in card
    assert "▲" in card
    word = {"en": "calls this video forged", "nl": "noemt deze video vervalst"}[language]
    assert word in card
    assert "data:image/jpeg" in card
    assert "<svg" in card
    style = card[card.index("<style>") : card.index("</style>")]
    assert not [c for c in ("#", "rgb", "var(") if c in style], "the text's own colour only"


def test_hostile_names_are_escaped(shown):
    report = shown.report
    video = dataclasses.replace(report.video, path=report.video.path.with_name("<b>&.mp4"))
    card = of_report(dataclasses.replace(report, video=video))._repr_html_()
    assert "<b>" not in card
    assert "&lt;b&gt;&amp;.mp4" in card


def test_the_card_is_not_shown_twice_in_a_cell(shown, monkeypatch):
    monkeypatch.setattr(cards, "notebook", lambda: 7)
    shown.shown_in(7)
    assert shown._repr_html_() is None
    monkeypatch.setattr(cards, "notebook", lambda: 8)
    assert shown._repr_html_()


# -- questions


def test_a_replaced_mouth_turns_the_frame(green):
    session = toolkit.explain(green, "A", progress=False)
    at = float(green["A"].result.track.pts[4])
    answer = session.replace("mouth", at_seconds=at + 0.1)
    assert (answer.row, answer.at_seconds) == (4, at)
    assert answer.before == green["A"].frames[4].logit
    assert answer.after < answer.threshold <= answer.before
    assert answer.turned
    assert answer.change == answer.after - answer.before
    assert answer.picture.shape == answer.original.shape
    assert answer.picture.tobytes() != answer.original.tobytes()
    assert answer._repr_html_().count("data:image/jpeg") == 2
    assert session.replace("background", at_seconds=at).regions == ("background",)


def test_without_a_reference_it_says_why_and_names_nothing():
    frames = tuple(range(made_up_inquiry.FRAMES))
    everywhere = made_up_inquiry.examination(green=frames, persons="A")
    settings = Settings(detector=made_up_inquiry.Green())
    session = toolkit.explain(Analysis.of(everywhere, settings), donors=[], progress=False)
    answer = session.replace("mouth")
    assert (answer.after, answer.picture, answer.turned, answer.change) == (None, None, False, None)
    assert "No reference is valid" in str(answer)
    assert "no valid reference" in repr(answer)
    assert session.witnesses().by_intervention is None


def test_the_witnesses_make_a_table(green):
    answer = toolkit.explain(green, "A", progress=False).witnesses(2.5)
    assert max(answer.by_construction, key=answer.by_construction.get) == "mouth"
    table = answer.to_dataframe()
    assert list(table.index) == list(toolkit.REGIONS)
    assert table["by_intervention"].idxmax() == "mouth"
    assert "mouth" in str(answer)


def test_trust_is_what_the_panel_says(green):
    session = toolkit.explain(green, "A", progress=False)
    trust = session.trust()
    panel = inquire.Subject(green.examination, "A", detector=made_up_inquiry.Green()).trust(
        inquire.strongest(green["A"].result)
    )
    assert trust.figures == {f.name: f.reads_well for f in panel.figures}
    assert len(repr(trust)) <= 120
    assert session.changes()


@pytest.mark.parametrize("at", [-0.4, 5.4, 1e9, float("nan"), "soon"])
def test_a_moment_out_of_range_names_the_seconds(green, at):
    session = toolkit.explain(green, "A", progress=False)
    with pytest.raises(OutOfRangeError, match=r"0\.20 to 4\.80|Give seconds"):
        session.replace("mouth", at_seconds=at)
    with pytest.raises(ValueError, match=":"):
        session.witnesses(at)


def test_names_that_do_not_exist_are_told(green):
    session = toolkit.explain(green, "A", progress=False)
    with pytest.raises(UnknownNameError, match=r"there is no such region: moth\. Known: mouth"):
        session.replace("mouth", "moth")
    with pytest.raises(UsageError, match="nothing to replace"):
        session.replace()
    with pytest.raises(UnknownNameError, match="Known: A, B"):
        toolkit.explain(green, "Q", progress=False)
    with pytest.raises(UsageError, match="this is no analysis: Report"):
        toolkit.explain(green.report)


# -- walking the road


def test_settings_travel_as_words(clip, examined):
    chosen = Settings(seed=3)
    result = toolkit.analyse(clip, settings=chosen, device="cpu", frames=20)
    (call,) = examined
    assert call[1]["device"] == "cpu"
    assert call[1]["seed"] == 3
    assert call[1]["sampling"] == Sampling(frames=20)
    assert call[1]["cache"] is None
    assert result.settings == Settings(device="cpu", seed=3, sampling=Sampling(frames=20))
    assert repr(result.settings) == "Settings(device='cpu', sampling=Sampling(frames=20), seed=3)"
    with pytest.raises(
        UnknownNameError, match=r"no such setting: colour\. Known: detector, device"
    ):
        toolkit.analyse(clip, colour="red")
    toolkit.analyse(clip, keep=True)
    assert examined[-1][1]["cache"] is not None


def test_what_is_saved_opens_again(clip, examined, tmp_path):
    result = toolkit.analyse(clip)
    folder = result.save(tmp_path / "new" / "out")
    assert {p.name for p in folder.iterdir()} == {DATA, RUN, PAGE, FACES}
    content = (folder / DATA).read_text()
    assert content == json.dumps(pipeline.to_dict(result.report), indent=1) + "\n"
    examined.clear()
    clip.rename(tmp_path / "moved.mp4")  # the faces are kept: the clip is not needed
    again = toolkit.open_analysis(folder)
    assert examined == []
    assert again.to_dict() == result.to_dict()
    assert again.settings == result.settings.but(device="cpu")  # which "auto" stood for
    assert np.array_equal(again.examination.crops["A"].rgb, result.examination.crops["A"].rgb)
    assert again["A"].regions.to_dicts() == result["A"].regions.to_dicts()
    assert again.save(folder) == folder  # over itself


def test_without_faces_the_clip_is_read_again(clip, examined, tmp_path, monkeypatch):
    result = toolkit.analyse(clip)
    folder = result.save(tmp_path / "out", faces=False)
    assert not (folder / FACES).exists()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    examined.clear()
    again = toolkit.open_analysis(folder)
    assert len(examined) == 1
    assert again.to_dict() == result.to_dict()
    moved = clip.rename(tmp_path / "moved.mp4")
    with pytest.raises(UsageError, match=r"the clip is gone: clip.mp4. Put it back, or say where"):
        toolkit.open_analysis(folder)
    assert toolkit.open_analysis(folder, clip=moved).path == moved
    with pytest.raises(UsageError, match="another file lies where the clip was"):
        toolkit.open_analysis(folder, clip=folder / DATA)


def test_another_answer_than_the_saved_one_is_warned_of(clip, examined, tmp_path):
    folder = toolkit.analyse(clip).save(tmp_path / "out", faces=False)
    data = json.loads((folder / DATA).read_text())
    data["verdict"]["logit"] += 1
    (folder / DATA).write_text(json.dumps(data))
    with pytest.warns(ToolkitWarning, match="scores"):
        toolkit.open_analysis(folder)


def test_another_clip_does_not_take_a_folder_that_is_used(clip, examined, tmp_path):
    folder = toolkit.analyse(clip).save(tmp_path / "out")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    other = toolkit.analyse(casework.clip(tmp_path / "other.mp4", shade=60))
    with pytest.raises(UsageError, match="another clip"):
        other.save(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    with pytest.raises(UsageError, match="not a folder"):
        other.save(clip)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"video": {"sha256": 1}}'])
def test_a_folder_without_an_analysis_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / DATA).write_text(content)
    with pytest.raises(UsageError, match="holds no analysis"):
        toolkit.open_analysis(tmp_path)


def test_damaged_faces_are_told_with_the_remedy(clip, examined, tmp_path):
    folder = toolkit.analyse(clip).save(tmp_path / "out")
    (folder / FACES).write_bytes(b"no zip")
    with pytest.raises(UsageError, match="Remove that file"):
        toolkit.open_analysis(folder)
    (folder / FACES).unlink()
    assert toolkit.open_analysis(folder)


def test_compare_takes_a_file_an_analysis_or_seconds(clip, examined, tmp_path):
    result = toolkit.analyse(clip)
    other = casework.clip(tmp_path / "other.mp4", shade=60)
    by_file = toolkit.compare(result, known=other)
    assert examined[-1][1]["explain"] is False
    by_analysis = toolkit.compare(result, known=toolkit.analyse(other))
    assert by_file.to_dict() == by_analysis.to_dict()
    assert by_file.difference == pytest.approx(0)
    assert len(repr(by_file)) <= 120
    assert by_file.sentences[0] in str(by_file)
    with pytest.raises(UsageError, match="Name a recording or seconds"):
        toolkit.compare(result)
    with pytest.raises(UnknownNameError, match="Known: A, B"):
        toolkit.compare(result, known=other, person="C")


def test_robustness_says_whether_it_holds(clip, examined, monkeypatch):
    result = toolkit.analyse(clip)
    monkeypatch.setattr("toolkit.analysis.robustness.try_chains", casework.tried)
    answer = toolkit.robustness(result, chains=["crf28", "crop10"])
    table = answer.to_dataframe()
    assert list(table["chain"]) == ["crf28", "crop10"]
    assert repr(answer) == "Reshared(1 of 2 verdicts hold)"
    assert answer._repr_html_()
    clip.unlink()
    with pytest.raises(UsageError, match="the clip is gone"):
        toolkit.robustness(result)


# -- what is public


def test_the_map_of_the_house_lists_what_is_public():
    names = set(toolkit.__all__) - {"__version__"}
    assert len(names) <= 15
    for name in names:
        line = next(x for x in toolkit.__doc__.splitlines() if x.startswith(f"- `{name}`: "))
        assert len(line) > 20
        assert getattr(toolkit, name) is not None
    assert names <= set(dir(toolkit))
    with pytest.raises(AttributeError, match="no attribute 'analyze'"):
        toolkit.analyze  # noqa: B018


def test_the_room_and_the_verb_share_a_name():
    import toolkit.explain.regions

    assert toolkit.explain.regions.__name__ == "toolkit.explain.regions"
    assert callable(toolkit.explain)


def test_importing_the_package_loads_nothing_else():
    heavy = ("torch", "numpy", "cv2", "plotly", "pandas", "ipywidgets", "IPython")
    code = f"import toolkit, sys; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_progress_can_be_silent(capsys):
    with verbs._progress(False) as tick:
        tick("scan", 1, 2)
    assert capsys.readouterr() == ("", "")
