"""What the panel remembers: results, where it was, and what the user wrote."""

from __future__ import annotations

import json

import pytest

from tests.widgets import made_up
from tests.widgets.pressing import (
    analyse_with,
    clips,
    holder,
    look_at,
    one,
    part,
    press,
    run,
    said,
    send,
    shown,
    speak,
    text,
    until,
)
from toolkit import _i18n
from toolkit.storage.cache import Cache
from toolkit.widgets.choices import LanguageSwitch
from toolkit.widgets.workbench.panel import Workbench
from toolkit.widgets.workbench.state import NO_CLIP, Genuine, Memory, Position


def items(panel):
    return clips(panel).items


def click(panel, name):
    send(clips(panel), {"open": name})
    until(panel, "done")


# --- the gallery


def test_analysed_clips_are_listed_and_reopen(make, clip, tmp_path):
    panel = make()
    assert items(panel) == []
    run(panel)
    (first,) = items(panel)
    assert (first["title"], first["said"], first["kind"]) == ("clip.mp4", "called forged", "forged")
    assert first["picture"].startswith("data:image/jpeg;base64,")
    other = made_up.clip(tmp_path / "b<i>.mp4", frames=30)
    analyse_with(panel, made_up.examine(forged=False, persons=1))
    part(panel, "path").value = str(other)
    run(panel)
    assert [i["title"] for i in items(panel)] == ["b<i>.mp4", "clip.mp4"]
    assert items(panel)[0]["said"] == "not called forged"
    click(panel, first["name"])
    assert panel.report.video.path == clip
    assert part(panel, "gallery").current == first["name"]
    assert shown(part(panel, "result").player)
    assert panel.examination.crops.keys() == {"A", "B"}


def test_a_second_run_of_the_same_file_computes_nothing(make):
    panel = run(make())
    stages = []
    part(panel, "status").observe(lambda change: stages.append(change["new"]), "text")
    before = panel.report
    run(panel)
    assert panel.report is not before
    assert not any("running the detector" in text for text in stages)


def test_a_result_that_is_gone_is_told(make, tmp_path):
    panel = run(make())
    name = items(panel)[0]["name"]
    Cache(tmp_path / "runs/cache").clear()
    send(clips(panel), {"open": name})
    assert "no longer kept" in text(panel, "remark")
    assert items(panel) == []
    assert panel.report is not None  # what was on screen stays


@pytest.mark.parametrize("message", [None, {}, {"open": 3}, {"open": "../../etc/passwd"}])
def test_a_strange_message_changes_nothing(make, message):
    panel = make()
    send(clips(panel), message)
    assert panel.state == "idle"


def test_forgetting_asks_first(make, tmp_path):
    panel = run(make())
    part(panel, "forget").click()
    assert len(items(panel)) == 1
    press(panel, "Keep them")
    assert not shown(holder(panel, "forget-sure"))
    part(panel, "forget").click()
    assert "1 result" in part(panel, "forget-sure").description
    part(panel, "forget-sure").click()
    assert items(panel) == []
    assert Cache(tmp_path / "runs/cache").bytes() == 0
    assert not shown(part(panel, "forget"))


# --- another kernel


def again(tmp_path):
    panel = Workbench(examine=made_up.examine(), runs=tmp_path / "runs")
    until(panel, "done", "idle")
    return panel


def test_another_kernel_finds_the_panel_as_it_was(all_weights, make, tmp_path, clip):
    panel = make()
    part(panel, "frames").value = 40
    part(panel, "detector").value = "meso4"
    run(panel)
    part(panel, "result").player.frame = 33
    part(panel, "result").player.person = "B"
    look_at(panel, "notes")
    part(panel, "notes-text").value = "the seam at the chin"
    speak(panel, "nl")
    _i18n.set_language("en")  # as the new kernel starts
    found = again(tmp_path)
    assert found.state == "done"
    assert _i18n.language() == one(found, LanguageSwitch).value == "nl"
    assert part(found, "choose").video == (str(clip), True)
    assert part(found, "frames").value == 40
    assert part(found, "detector").value == "meso4"
    assert found.report.video.sha256 == panel.report.video.sha256
    assert part(found, "result").person == part(found, "result").player.person == "B"
    assert part(found, "result").player.frame == 33
    assert part(found, "result").view == "notes"
    assert part(found, "notes").text == "the seam at the chin"


def test_notes_belong_to_their_clip_and_survive_everything(make, tmp_path):
    panel = make()
    part(panel, "notes-text").value = "before any clip"
    run(panel)
    assert part(panel, "notes").text == ""
    part(panel, "notes-text").value = "ünïcode \ud800 and\nlines"
    other = made_up.clip(tmp_path / "other.mp4", frames=30)
    part(panel, "path").value = str(other)
    run(panel)
    assert part(panel, "notes").text == ""
    (tmp_path / "runs/workbench/state.json").write_text("{")
    Cache(tmp_path / "runs/cache").clear()
    found = again(tmp_path)
    assert part(found, "notes").text == "before any clip"
    part(found, "path").value = str(tmp_path.parent / "none.mp4")
    kept = Memory(tmp_path / "runs/workbench")
    assert kept.notes(panel.report.video.sha256) == ""
    texts = {p.read_text() for p in (tmp_path / "runs/workbench/notes").iterdir()}
    assert "ünïcode ? and\nlines" in texts


def test_notes_that_cannot_be_written_are_told(make, tmp_path):
    panel = make()
    folder = tmp_path / "runs/workbench/notes"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    part(panel, "notes-text").value = "x"
    assert 'role="alert"' in said(panel, "notes")
    folder.unlink()
    part(panel, "notes-text").value = "xy"
    assert "kept on this computer" in said(panel, "notes")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"schema": 2, "position": {}}',
        '{"schema": 1}',
        '{"schema": 1, "position": {"frames": "many"}}',
        '{"schema": 1, "position": {"frame": true}}',
        "\xff\xfe",
    ],
)
def test_a_damaged_state_is_set_aside_and_told(tmp_path, text):
    folder = tmp_path / "runs/workbench"
    folder.mkdir(parents=True)
    (folder / "state.json").write_bytes(text.encode("latin-1"))
    panel = again(tmp_path)
    assert panel.state == "idle"
    (aside,) = folder.glob("state.damaged-*.json")
    assert aside.read_bytes() == text.encode("latin-1")
    assert aside.name in said(panel, "remark")


def test_a_position_comes_back_and_unknown_fields_are_ignored(tmp_path):
    memory = Memory(tmp_path)
    assert memory.read() == Position()
    position = Position(language="nl", video="é", is_path=True, frame=7, view="ask")
    assert memory.write(position)
    assert memory.read() == position
    stored = json.loads((tmp_path / "state.json").read_text())
    stored["position"]["new"] = 1
    (tmp_path / "state.json").write_text(json.dumps(stored))
    assert memory.read() == position
    assert memory.set_aside is None


def test_what_is_known_to_be_genuine_is_kept_by_clip_and_person(tmp_path):
    memory, one, two = Memory(tmp_path), "1" * 64, "2" * 64
    said = {"A": Genuine(start_s=0.5, end_s=2.0), "B": Genuine(clip=two, name="é.mp4")}
    for person, what in said.items():
        assert memory.write_genuine(one, person, what)
    assert memory.genuine(one) == said
    assert memory.genuine(two) == {}
    assert memory.write_genuine(one, "A", None)
    assert memory.genuine(one) == {"B": said["B"]}
    assert not memory.write_genuine("../x", "A", said["A"])
    assert memory.genuine("../x") == {"A": said["A"]}  # until the panel is closed
    assert Memory(tmp_path).genuine("../x") == {}
    assert memory.set_aside is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": 1, "persons": {"A": {"end_s": 1e999}}}', "[" * 99_999],
)
def test_a_damaged_record_of_what_is_genuine_is_set_aside(tmp_path, text):
    memory, clip = Memory(tmp_path), "1" * 64
    file = tmp_path / "genuine" / f"{clip}.json"
    file.parent.mkdir()
    file.write_text(text)
    assert memory.genuine(clip) == {}
    assert memory.set_aside.read_text() == text
    assert memory.write_genuine(clip, "A", Genuine(end_s=2.0))
    assert Memory(tmp_path).genuine(clip) == {"A": Genuine(end_s=2.0)}


def test_what_others_said_is_not_lost_while_it_cannot_be_read(tmp_path, monkeypatch):
    memory, clip = Memory(tmp_path), "1" * 64
    memory.write_genuine(clip, "B", Genuine(end_s=1.0))

    def refuse(_path):
        raise OSError("too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(Memory, "_get", staticmethod(refuse))
        assert not memory.write_genuine(clip, "A", Genuine(end_s=2.0))
        assert memory.genuine(clip) == {"A": Genuine(end_s=2.0)}
    assert memory.set_aside is None
    assert memory.write_genuine(clip, "A", Genuine(end_s=3.0))
    kept = Memory(tmp_path).genuine(clip)
    assert kept == {"A": Genuine(end_s=3.0), "B": Genuine(end_s=1.0)}


@pytest.mark.parametrize("clip_name", ["../../x", "", "ab", "z" * 64])
def test_notes_cannot_leave_their_folder(tmp_path, clip_name):
    memory = Memory(tmp_path)
    assert memory.write_notes(clip_name, "text")
    assert [p.name for p in (tmp_path / "notes").iterdir()] == [f"{NO_CLIP}.txt"]
