"""The panel without a browser: what it does when buttons are pressed, in both languages."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from tests.widgets import made_up
from toolkit import _i18n, samples
from toolkit.errors import VideoError
from toolkit.widgets import fragments
from toolkit.widgets.workbench import STATES, Workbench


def until(panel, *states, timeout_s=10):
    deadline = time.monotonic() + timeout_s
    while panel.state not in states:
        assert time.monotonic() < deadline, panel.state
        time.sleep(0.01)


@pytest.fixture
def panel(tmp_path):
    return make(tmp_path)


def make(tmp_path, **options):
    panel = Workbench(analyse=made_up.analysis(**options), runs=tmp_path / "runs")
    panel._path.value = str(tmp_path / "clip.mp4")
    return panel


def run(panel):
    panel._analyse.click()
    until(panel, "done", "error")
    return panel


def shown(widget):
    return widget.layout.display != "none"


def test_it_starts_idle_and_shows_no_result(panel):
    assert panel.state == "idle"
    assert {"dz-workbench", "dz-state-idle"} <= set(panel._dom_classes)
    assert not shown(panel._result)
    assert panel._cancel.disabled
    assert "stays on this computer" in panel._status.text


def test_a_run_ends_with_words_chart_and_pictures(panel):
    run(panel)
    assert panel.error is None
    assert "dz-state-done" in panel._dom_classes
    assert not {f"dz-state-{s}" for s in STATES if s != "done"} & set(panel._dom_classes)
    assert "calls this video forged" in panel._verdict.value
    assert "face is too small" in panel._notes.value
    assert "Most important to this detector" in panel._words.value
    assert panel._strip.value.count("<img") == 8
    assert len(panel._charts.children) == 1
    assert shown(panel._result)
    assert panel.report.speaks == "A"


def test_its_repr_prints_no_pictures(panel):
    assert repr(run(panel)) == "Workbench(state='done')"


def test_starting_returns_at_once(tmp_path):
    panel = make(tmp_path, pause=0.01)
    began = time.perf_counter()
    panel.start()
    assert time.perf_counter() - began < 0.3
    assert panel.state == "running"
    assert panel._analyse.disabled
    assert not panel._cancel.disabled
    panel.cancel()
    until(panel, "cancelled")


def test_a_second_start_while_running_is_ignored(tmp_path):
    panel = make(tmp_path, pause=0.01)
    panel.start()
    job = panel._job
    panel.start()
    assert panel._job is job
    panel.cancel()
    until(panel, "cancelled")


def test_cancel_keeps_nothing_and_allows_another_run(tmp_path):
    panel = make(tmp_path, pause=0.02)
    panel.start()
    panel._cancel.click()
    assert panel._status.text == "Stopping …"
    until(panel, "cancelled")
    assert panel.report is None
    assert not shown(panel._result)
    assert panel.save() is None
    panel._do_analyse = made_up.analysis()
    run(panel)
    assert panel.state == "done"


def test_progress_names_the_stage(tmp_path):
    panel, said = make(tmp_path, pause=0.01), []
    panel._status.observe(lambda change: said.append(change["new"]), "text")
    run(panel)
    assert any("looking for faces" in text for text in said)
    assert any("left" in text for text in said)
    assert said[-1] == "Done."


def test_an_error_is_shown_as_cause_value_remedy(tmp_path):
    error = VideoError("the file is empty", "<b>a.mp4", "Download or copy it again.")
    panel = run(make(tmp_path, error=error))
    assert panel.state == "error"
    assert panel.error is error
    assert "The file is empty: &lt;b&gt;a.mp4." in panel._verdict.value
    assert "Download or copy it again." in panel._verdict.value
    assert [c for c in panel._result.children if shown(c)] == [panel._verdict]
    panel._language.value = "nl"
    assert "Het bestand is leeg" in panel._verdict.value


def test_an_unforeseen_error_leaves_the_panel_usable(tmp_path):
    panel = run(make(tmp_path, error=RuntimeError("<boom>")))
    assert "RuntimeError: &lt;boom&gt;" in panel._verdict.value
    panel._do_analyse = made_up.analysis()
    run(panel)
    assert panel.state == "done"
    assert shown(panel._result.children[-1])  # where Save is


def test_a_result_that_cannot_be_shown_is_an_error(tmp_path):
    panel = run(make(tmp_path, made=replace(made_up.report(), tracks=None)))
    assert panel.state == "error"


def test_language_switches_everything_at_once(panel):
    run(panel)
    panel._language.value = "nl"
    assert _i18n.language() == "nl"
    assert panel._status.lang == "nl"
    assert panel._analyse.description == "Analyseren"
    assert "vervalst" in panel._verdict.value
    assert "mond" in panel._words.value
    (chart,) = panel._charts.children
    assert "Bewijswaarde in de tijd" in str(chart.layout.annotations)
    assert panel._status.text == "Klaar."


def test_choices_survive_a_change_of_language(panel):
    panel._frames.value = 80
    panel._language.value = "nl"
    assert panel._frames.value == 80
    assert panel._sample.value == ""
    assert panel._path.value.endswith("clip.mp4")


def test_one_chart_widget_serves_all_results(panel):
    (first,) = run(panel)._charts.children
    moments = sum(len(t.x) for t in first.data if t.type == "scatter")
    panel._persons.value = "B"
    (second,) = panel._charts.children
    assert second is first
    assert {t.type for t in second.data} == {"scatter"}
    assert sum(len(t.x) for t in second.data) == 20 != moments
    panel._persons.value = "A"
    assert {t.type for t in panel._charts.children[0].data} == {"scatter", "heatmap", "bar"}


def test_persons_can_be_chosen_when_there_are_several(panel):
    run(panel)
    assert shown(panel._persons)
    panel._persons.value = "B"
    assert "Person B: no verdict" in panel._words.value
    assert "<img" not in panel._strip.value


def test_one_person_needs_no_choice(tmp_path):
    panel = run(make(tmp_path, made=made_up.report(made_up.result())))
    assert not shown(panel._persons)


def test_nobody_found(tmp_path):
    report = made_up.report()
    reason = "There is no face in the 9 frames looked at."
    verdict = replace(report.verdict, logit=None, abstained=True, reason=reason)
    panel = run(
        make(tmp_path, made=replace(report, tracks=(), speaks=None, verdict=verdict, notices=()))
    )
    assert panel.state == "done"
    assert f"No verdict. {reason}" in panel._verdict.value
    assert panel._charts.children == ()
    assert panel._words.value == ""


def test_own_path_is_chosen_by_typing_it(tmp_path):
    asked = []

    def analyse(path, *, sampling, tick):
        asked.append((path, sampling))
        return made_up.report()

    panel = Workbench(analyse=analyse, runs=tmp_path)
    panel._path.value = ' "C:\\my videos\\clip.mp4" '
    panel._frames.value = 40
    assert panel._sample.value == ""
    run(panel)
    assert asked[0][0] == "C:\\my videos\\clip.mp4"
    assert asked[0][1].frames == 40


def test_a_sample_is_chosen_from_those_that_are_here(tmp_path, monkeypatch):
    asked = []
    (tmp_path / samples.card("franck").file).touch()
    monkeypatch.setattr(samples, "FOLDER", tmp_path)
    panel = Workbench(analyse=lambda path, **_: asked.append(path) or made_up.report())
    assert [name for _title, name in panel._sample.options] == ["franck", ""]
    run(panel)
    assert asked == [str(tmp_path / "franck.mp4")]
    (tmp_path / "franck.mp4").unlink()
    run(panel)
    assert panel.state == "error"
    assert "This sample is not here: franck.mp4." in panel._verdict.value


def test_no_video_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "FOLDER", tmp_path)  # no samples at all
    panel = run(Workbench(analyse=made_up.analysis()))
    assert panel.state == "error"
    assert "No video was chosen." in panel._verdict.value


def test_comparison_with_planted_truth(tmp_path):
    truth = {"regions": ["mouth"], "start_s": 25.6, "end_s": 28.2}
    (tmp_path / "clip.truth.json").write_text(json.dumps(truth), encoding="utf-8")
    panel = run(make(tmp_path))
    assert 'data-top="mouth" data-region="right" data-iou="1.0000"' in panel._truth.value


def test_other_videos_have_no_comparison(panel):
    assert run(panel)._truth.value == ""


def test_report_is_saved_beside_earlier_ones(panel, tmp_path):
    run(panel)
    first = panel.save()
    second = fragments.save(panel.report, tmp_path / "runs", stamp=first.name[-15:])
    assert first != second
    for folder in (first, second):
        files = sorted(p.name for p in folder.iterdir())
        assert files == ["report.html", "report.json", "run.json"]
    assert str(first) in panel._saved.value
    stored = json.loads((first / "report.json").read_text(encoding="utf-8"))
    assert stored["verdict"]["track"] == "A"


def test_a_hostile_name_cannot_leave_the_folder(tmp_path):
    report = made_up.report(path="..<b>/%2e%2e;rm -rf .mp4")
    folder = fragments.save(report, tmp_path, stamp="1")
    assert folder.parent == tmp_path
    assert set(folder.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")


def test_a_report_that_cannot_be_saved_is_told(panel, tmp_path):
    run(panel)
    (tmp_path / "runs").write_text("in the way")
    assert panel.save() is None
    assert "cannot be written" in panel._saved.value
    assert panel.state == "done"


def test_a_hostile_reason_is_escaped(tmp_path):
    report = made_up.report(made_up.abstained("A"))
    verdict = replace(report.verdict, reason="<script>x</script>")
    panel = run(make(tmp_path, made=replace(report, verdict=verdict)))
    assert "<script>" not in panel._verdict.value


def test_only_traits_are_set_from_the_worker(tmp_path, capfd):
    panel = run(make(tmp_path))
    assert panel.state == "done"
    assert capfd.readouterr() == ("", "")
    assert threading.current_thread() is threading.main_thread()
