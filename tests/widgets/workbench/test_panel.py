"""The panel without a browser: what it does when buttons are pressed, in both languages."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

from tests.widgets import made_up
from tests.widgets.pressing import (
    analyse_with,
    classes,
    clips,
    holder,
    look_at,
    part,
    run,
    said,
    send,
    shown,
    speak,
    text,
    until,
)
from toolkit import _i18n, samples
from toolkit.api.result import Analysis
from toolkit.errors import VideoError
from toolkit.widgets.jobs import STATES
from toolkit.widgets.workbench import saving
from toolkit.widgets.workbench.panel import Workbench


def views(panel):
    return [view for _title, view in part(panel, "views").options]


# --- from file to verdict


def test_it_starts_idle_and_shows_no_result(panel):
    assert panel.state == "idle"
    assert {"dz-workbench", "dz-state-idle"} <= classes(panel)
    assert not shown(part(panel, "result"))
    assert part(panel, "cancel").disabled
    assert "stays on this computer" in part(panel, "status").text


def test_a_run_ends_with_words_player_and_pictures(panel, clip):
    run(panel)
    result = part(panel, "result")
    assert panel.error is None
    assert "dz-state-done" in classes(panel)
    assert not {f"dz-state-{s}" for s in STATES if s != "done"} & classes(panel)
    assert "calls this video forged" in result.verdict.value
    assert "face is too small" in result.not_judged.value
    assert "Most important to this detector" in result.words.value
    assert len(result.strip.items) == 4
    assert all(item["heat"] and item["face"] for item in result.strip.items)
    assert shown(result.player)
    assert result.player.person == "A"
    assert panel.report.decisive == "A"
    assert panel.report.video.path == clip
    assert panel.examination.crops.keys() == {"A", "B"}
    assert views(panel) == ["why", "ask", "compare", "notes"]  # the player has the charts


def test_its_repr_prints_no_pictures(panel):
    assert repr(run(panel)) == "Workbench(state='done')"


def test_starting_returns_at_once(make):
    panel = make(pause=0.01)
    began = time.perf_counter()
    panel.start()
    assert time.perf_counter() - began < 0.3
    assert panel.state == "running"
    assert part(panel, "analyse").disabled
    assert not part(panel, "cancel").disabled
    panel.cancel()
    until(panel, "cancelled")


def test_a_second_start_or_a_click_into_the_gallery_while_running_is_ignored(panel, clip):
    analyses, examine = [], made_up.examine(pause=0.01)

    def counted(path, **options):
        analyses.append(path)
        return examine(path, **options)

    analyse_with(panel, counted)
    panel.start()
    panel.start()
    panel.reopen("report-" + "0" * 32 + ".npz")
    assert panel.state == "running"
    until(panel, "done")
    assert analyses == [clip]


def test_cancel_keeps_no_result_and_allows_another_run(make):
    panel = make(pause=0.02)
    panel.start()
    part(panel, "cancel").click()
    assert part(panel, "status").text == "Stopping …"
    until(panel, "cancelled")
    assert panel.report is None
    assert not shown(part(panel, "result"))
    assert panel.save() is None
    analyse_with(panel, made_up.examine())
    run(panel)
    assert panel.state == "done"


def test_progress_names_the_stage(make):
    panel, said = make(pause=0.01), []
    part(panel, "status").observe(lambda change: said.append(change["new"]), "text")
    run(panel)
    assert any("looking for faces" in text for text in said)
    assert any("left" in text for text in said)
    assert said[-1] == "Done."


def test_results_appear_while_it_computes(make):
    panel, seen = make(pause=0.005), []
    part(panel, "live").observe(lambda change: seen.append(change["new"]), "value")
    run(panel)
    assert any("2 persons were found" in text for text in seen)
    assert any("20 of 40 moments judged" in text for text in seen)
    assert any("of them above the threshold" in text for text in seen)
    assert all("forged" not in text for text in seen)  # not a verdict yet
    assert not shown(part(panel, "live"))


def test_the_verdict_is_there_before_the_player(make, monkeypatch):
    from toolkit.analysis import cached

    panel = make()
    wait, asked = threading.Event(), threading.Event()

    def slow(cache, video, *, tick):
        asked.set()
        assert wait.wait(10)
        return real(cache, video, tick=tick)

    real = cached.display_copy
    monkeypatch.setattr(cached, "display_copy", slow)
    panel.start()
    assert asked.wait(10)
    assert panel.state == "running"
    assert "calls this video forged" in text(panel, "verdict")
    assert not shown(part(panel, "result").player)
    speak(panel, "nl")  # also now
    assert "vervalst" in text(panel, "verdict")
    wait.set()
    until(panel, "done")
    assert shown(part(panel, "result").player)


def test_a_verdict_stays_when_the_preparation_of_the_player_is_stopped(make, monkeypatch):
    from toolkit.analysis import cached

    panel = make()

    def stopped(_cache, _video, *, tick):
        panel.cancel()
        tick("display", 1, 2)

    monkeypatch.setattr(cached, "display_copy", stopped)
    run(panel)
    assert panel.state == "done"
    assert "calls this video forged" in text(panel, "verdict")
    assert "preparation was stopped" in text(panel, "no-player")


def test_without_a_player_the_charts_are_drawn(make, monkeypatch):
    from toolkit.analysis import cached

    def fail(*_args, **_options):
        raise VideoError("the display copy is too large for a browser", "<a>.mp4")

    monkeypatch.setattr(cached, "display_copy", fail)
    panel = run(make())
    result = part(panel, "result")
    assert panel.state == "done"
    assert "&lt;a&gt;.mp4" in result.no_player.value
    assert not shown(result.player)
    assert shown(result.persons)
    assert views(panel) == ["why", "ask", "numbers", "notes"]
    assert result.charts.children == ()  # 5 MB that nobody asked for yet
    look_at(panel, "numbers")
    (chart,) = result.charts.children
    moments = sum(len(t.x) for t in chart.data if t.type == "scatter")
    result.persons.value = "B"
    assert result.charts.children == (chart,)
    assert sum(len(t.x) for t in chart.data) == 20 != moments
    speak(panel, "nl")
    result.persons.value = "A"
    assert "Detectorscore in de tijd" in str(chart.layout.annotations)


# --- what goes wrong


def test_an_error_is_shown_as_cause_value_remedy(make):
    error = VideoError("the file is empty", "<b>a.mp4", "Download or copy it again.")
    panel = run(make(error=error))
    verdict = part(panel, "verdict")
    assert panel.state == "error"
    assert panel.error is error
    assert "The file is empty: &lt;b&gt;a.mp4." in verdict.value
    assert "Download or copy it again." in verdict.value
    assert [c for c in part(panel, "result").children if shown(c)] == [verdict]
    speak(panel, "nl")
    assert "Het bestand is leeg" in verdict.value


def test_an_unforeseen_error_leaves_the_panel_usable(make):
    panel = run(make(error=RuntimeError("<boom>")))
    assert "RuntimeError: &lt;boom&gt;" in text(panel, "verdict")
    analyse_with(panel, made_up.examine())
    run(panel)
    assert panel.state == "done"
    assert shown(part(panel, "save"))


def test_a_result_that_cannot_be_shown_is_an_error(make):
    panel = run(make(change=lambda report: replace(report, verdict=None)))
    assert panel.state == "error"


def test_no_video_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "FOLDER", tmp_path)  # no samples at all
    panel = run(Workbench(examine=made_up.examine(), runs=tmp_path))
    assert panel.state == "error"
    assert "No video was chosen." in text(panel, "verdict")


def test_nobody_found(make):
    panel = run(make(change=made_up.nobody))
    assert panel.state == "done"
    assert "No verdict." in text(panel, "verdict")
    assert "There is no face in the 9 frames looked at." in text(panel, "verdict")
    assert text(panel, "person") == ""
    assert part(panel, "result").strip.items == []
    assert views(panel) == ["why", "notes"]
    assert "Nobody was judged." in text(panel, "notices")


def test_a_clip_without_persons_follows_one_with_persons(panel, tmp_path):
    run(panel)
    analyse_with(panel, made_up.examine(change=made_up.nobody))
    part(panel, "path").value = str(made_up.clip(tmp_path / "other.mp4", frames=30))
    run(panel)
    assert panel.error is None
    assert part(panel, "result").player.person == ""
    assert part(panel, "result").person is None


# --- languages and persons


def test_language_switches_everything_at_once(panel):
    run(panel)
    speak(panel, "nl")
    assert _i18n.language() == "nl"
    assert part(panel, "status").lang == "nl"
    assert part(panel, "analyse").description == "Analyseren"
    assert "vervalst" in text(panel, "verdict")
    assert "mond" in text(panel, "person")
    assert clips(panel).lang == "nl"
    assert clips(panel).items[0]["said"] == "vervalst genoemd"
    assert part(panel, "status").text == "Klaar."


def test_choices_survive_a_change_of_language(panel, clip):
    part(panel, "frames").value = 80
    part(panel, "detector").value = "meso4"
    speak(panel, "nl")
    assert part(panel, "frames").value == 80
    assert part(panel, "detector").value == "meso4"
    assert part(panel, "choose").video == (str(clip), True)


def test_another_person_is_followed_everywhere(panel):
    run(panel)
    result = part(panel, "result")
    result.player.person = "B"  # as a click in the player does
    assert result.person == "B"
    assert "Person B: no verdict" in result.words.value
    assert result.strip.items == []
    result.persons.value = "A"
    assert result.player.person == "A"
    assert "Person A" in result.words.value


def test_a_key_frame_leads_to_its_picture_and_back(panel):
    result = part(run(panel), "result")
    position = result.strip.items[-1]["position"]
    send(result.strip, {"position": position})
    track = result.report.tracks[0].track
    assert result.copy.indices[result.player.frame] == track.indices[position]
    assert result.player.position == position == result.strip.current
    result.player.frame = 0
    assert result.strip.current == result.player.position == 0
    send(result.strip, {"position": 999})  # no such key frame
    assert result.player.frame == 0


# --- samples, paths, detectors


def test_own_path_is_chosen_by_typing_it(tmp_path, clip):
    asked = []

    def examine(path, **options):
        asked.append((path, options))
        return made_up.examine()(clip)

    panel = Workbench(examine=examine, runs=tmp_path)
    part(panel, "path").value = f' "{clip}" '
    part(panel, "frames").value = 40
    assert part(panel, "sample").value == ""
    run(panel)
    ((path, options),) = asked
    assert path == clip
    assert options["sampling"].frames == 40
    assert options["detector"] == "seamnet"
    assert options["cache"].folder == tmp_path / "cache"


def test_a_sample_is_chosen_from_those_that_are_here(tmp_path, clip, monkeypatch):
    asked = []

    def examine(path, **_options):
        asked.append(path)
        return made_up.examine()(clip)

    (tmp_path / samples.card("franck").file).touch()
    monkeypatch.setattr(samples, "FOLDER", tmp_path)
    panel = Workbench(examine=examine, runs=tmp_path / "runs")
    assert [name for _title, name in part(panel, "sample").options] == ["franck", ""]
    run(panel)
    assert asked == [tmp_path / "franck.mp4"]
    (tmp_path / "franck.mp4").unlink()
    part(panel, "sample").value = "franck"  # the panel had followed the clip that it was given
    run(panel)
    assert panel.state == "error"
    assert "This sample is not here: franck.mp4." in text(panel, "verdict")


def test_comparison_with_planted_truth(make, clip, tmp_path):
    own = tmp_path / "planted.mp4"
    own.write_bytes(clip.read_bytes())
    truth = {"regions": ["mouth"], "start_s": 3.1, "end_s": 4.2}
    own.with_suffix(".truth.json").write_text(json.dumps(truth), encoding="utf-8")
    panel = make()
    part(panel, "path").value = str(own)
    run(panel)
    assert 'data-top="mouth" data-region="right" data-iou="1.0000"' in text(panel, "truth")


def test_other_videos_have_no_comparison(panel):
    assert text(run(panel), "truth") == ""


# --- saving


def test_result_is_saved_beside_earlier_ones(panel):
    run(panel)
    first = panel.save()
    second = saving.save(panel.examination, first.parent, stamp=first.name[-15:])
    assert first != second
    files = sorted(p.name for p in first.iterdir())
    assert files == ["player.html", "report.html", "report.json", "run.json"]
    assert not (second / "player.html").exists()  # without a copy of the video
    assert str(first) in part(panel, "saved").value
    stored = json.loads((first / "report.json").read_text(encoding="utf-8"))
    assert stored["verdict"]["track"] == "A"


def test_a_hostile_name_cannot_leave_the_folder(panel, tmp_path):
    run(panel)
    video = replace(panel.report.video, path=tmp_path / "..<b>%2e%2e;rm -rf .mp4")
    examination = replace(panel.examination, report=replace(panel.report, video=video))
    folder = saving.save(examination, tmp_path / "out", stamp="1")
    assert folder.parent == tmp_path / "out"
    assert set(folder.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")


def test_a_report_that_cannot_be_saved_is_told(panel, tmp_path):
    run(panel)
    panel._runs = tmp_path / "file"
    panel._runs.write_text("in the way")
    assert panel.save() is None
    assert "cannot be written" in part(panel, "not-saved").value
    assert not shown(part(panel, "saved"))
    assert panel.state == "done"


def test_a_hostile_reason_is_escaped(make):
    def hostile(report):
        verdict = replace(report.verdict, abstained=True, reason="<script>x</script>")
        return replace(report, verdict=verdict)

    panel = run(make(change=hostile))
    assert "&lt;script&gt;" in text(panel, "verdict")
    assert "<script>" not in text(panel, "verdict")


def test_a_worker_makes_no_widgets_and_prints_nothing(make, capfd, monkeypatch):
    """Widgets that are made in a thread are lost on some kernels: traits only."""
    import ipywidgets

    made = []
    opened = ipywidgets.Widget.open
    main = threading.main_thread()

    def note(self):
        if threading.current_thread() is not main:
            made.append(type(self).__name__)
        opened(self)

    monkeypatch.setattr(ipywidgets.Widget, "open", note)
    panel = run(make())
    assert panel.state == "done"
    assert made == []
    assert capfd.readouterr() == ("", "")


def test_an_analysis_made_elsewhere_is_shown_at_once(clip, tmp_path):
    """The cell returns while the player is prepared; what was looked at last is not reopened."""
    examination = made_up.examine()(clip)
    analysis = Analysis.of(examination)
    panel = Workbench(analysis, runs=tmp_path / "runs")
    until(panel, "done", "error")
    assert panel.error is None
    assert panel.report is analysis.report
    assert panel.examination.crops.keys() == {"A", "B"}
    assert shown(part(panel, "result"))
    assert "calls this video forged" in text(panel, "verdict")
    assert panel.save() is not None


def test_a_saved_report_has_the_users_notes_and_what_was_asked(panel):
    run(panel)
    part(panel, "notes-text").value = "The lips look <b>redder</b>."
    folder = panel.save()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Notes by the user, not by the program" in page
    assert "The lips look &lt;b&gt;redder&lt;/b&gt;." in page
    assert part(panel, "saved")._files[0] == folder / "report.html"


def test_the_form_folds_for_a_result_and_unfolds_on_request(panel):
    assert shown(part(panel, "start"))
    assert shown(part(panel, "example"))  # nothing was analysed yet
    run(panel)
    assert not shown(part(panel, "start"))
    assert not shown(holder(panel, "analyse"))
    assert "clip.mp4" in said(panel, "top")
    part(panel, "change").click()
    assert shown(part(panel, "start"))
    assert not shown(part(panel, "example"))
    assert "clip.mp4" not in said(panel, "top")


def test_the_form_names_the_clip_that_the_gallery_shows(panel, clip, tmp_path):
    run(panel)
    other = made_up.clip(tmp_path / "other.mp4", frames=30)
    part(panel, "path").value = str(other)
    run(panel)
    first = clips(panel).items[-1]["name"]
    panel.reopen(first)
    until(panel, "done")
    assert part(panel, "choose").video == (str(clip), True)
    assert part(panel, "result").player.region == ""


def test_a_contested_explanation_is_said_beside_the_verdict_and_drawn_weaker(panel):
    run(panel)
    result = part(panel, "result")
    assert "not checked" in result.verdict.value
    result._on_check("A", "contested")
    assert "contested" in result.verdict.value
    assert "dz-contested" in classes(result.player)
    result._on_check("A", "agrees")
    assert "second witness agrees" in result.verdict.value
    assert "dz-contested" not in classes(result.player)
