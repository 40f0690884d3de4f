"""Commands that others script against: exit codes, one line on stderr, files written."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from toolkit import _i18n
from toolkit.analysis import pipeline
from toolkit.cli import analyse, study
from toolkit.cli import main as cli
from toolkit.storage.cache import Cache


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "toolkit", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.mark.slow
def test_analyse_writes_what_it_promises(planted_piece, tmp_path):
    done = run("analyse", planted_piece, "--out", tmp_path / "out", "--frames", 16)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["tracks"][0]["frames"]) == 16
    assert json.loads((tmp_path / "out" / "run.json").read_text())["seconds"]["scan"] > 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert report["video"]["sha256"] in page


def test_analyse_compares_with_what_is_known_to_be_genuine(sample, tmp_path, monkeypatch, capsys):
    clip, out = sample("planted_cap12"), tmp_path / "out"
    asked = ("analyse", str(clip), "--out", str(out), "--frames", "60", "--no-explain")
    read = pipeline.examine  # the second command reads the same clip: once is enough
    monkeypatch.setattr(
        pipeline, "examine", functools.partial(read, cache=Cache(tmp_path / "cache"))
    )
    assert cli.main([*asked, "--known-seconds", "0", "3.9"]) == 0  # the mouth is forged later
    assert "it speaks for forged." in capsys.readouterr().out
    written = json.loads((out / "comparison.json").read_text())
    found = written["comparison"]
    assert found["is_higher"]
    assert found["difference"] > found["limit"] > 0
    assert found["known"]["span"][1] <= 3.9 < found["questioned"]["span"][0]
    assert written["known_video"] == written["questioned_video"]  # the same file
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    # refused before the work, not after
    assert cli.main([*asked, "--known", str(tmp_path / "missing.mp4")]) == 3
    assert cli.main([*asked, "--known-seconds", "3", "3"]) == 2
    assert capsys.readouterr().out == ""
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    with pytest.raises(SystemExit):
        cli.main([*asked, "--known-seconds", "0", "3", "--known", str(clip)])


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"just text, no video\n" * 20, "not a video"),
        ("page.mp4", b"<!doctype html><html>gone</html>", "HTML"),
        ("missing.mp4", None, ""),
    ],
)
def test_refused_input(tmp_path, capsys, name, content, word):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["analyse", str(path), "--out", str(tmp_path / "out")]) == 3
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert word.lower() in lines[0].lower()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["directory", "fifo", "address"])
def test_refused_kinds_of_path(tmp_path, capsys, kind):
    path = str(tmp_path)
    if kind == "fifo":
        path = str(tmp_path / "fifo.mp4")
        os.mkfifo(path)
    if kind == "address":
        path = "https://example.org/clip.mp4"
    assert cli.main(["analyse", path, "--out", str(tmp_path / "out")]) == 3
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_usage_errors(tmp_path, capsys):
    assert cli.main([]) == 2
    for wrong in (["analyse"], ["analyse", "x", "--out", "y", "--frames", "3"], ["fly"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(wrong)
        assert stop.value.code == 2
    clips = tmp_path / "clips.csv"
    clips.write_text("path,label\na.mp4,perhaps\n")
    assert cli.main(["benchmark", str(clips), "--out", str(tmp_path / "x.json")]) == 2
    assert "perhaps" in capsys.readouterr().err


def test_full_disk_leaves_no_half_report(sample, tmp_path, capsys, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("toolkit.files.os.fsync", full)
    out = tmp_path / "out"
    path = str(sample("carphone_pristine"))
    assert cli.main(["analyse", path, "--out", str(out), "--frames", "16"]) == 1
    said = capsys.readouterr().err
    assert "No space left" in said
    assert str(out) in said
    assert list(out.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_before_the_work(sample, tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    out = tmp_path / "file" / "out"
    path = str(sample("planted_cap12"))
    assert cli.main(["analyse", path, "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert str(out) in said.err
    assert "scan" not in said.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_unknown_detector_is_a_usage_error(sample, tmp_path, capsys):
    arguments = ["analyse", str(sample("carphone_pristine")), "--out", str(tmp_path / "o")]
    assert cli.main([*arguments, "--detector", "oracle"]) == 2
    capsys.readouterr()
    assert cli.main([*arguments, "--person", "B"]) == 2  # without --known it would do nothing
    assert "Give --known or --known-seconds too" in capsys.readouterr().err


def test_interrupt_stops_at_once_and_leaves_nothing(sample, tmp_path):
    command = [sys.executable, "-m", "toolkit", "analyse", str(sample("franck"))]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    time.sleep(4)  # franck takes far longer; whatever stage this hits must stop
    # not SIGINT: whoever runs the tests in the background may have it ignored
    process.send_signal(signal.SIGTERM)
    _, complaint = process.communicate(timeout=20)
    # Python may end itself by SIGINT after an import that was interrupted: a shell sees 130 in both
    assert process.returncode in (130, -signal.SIGINT), complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_library_that_swallows_the_interrupt_is_part_of_the_stop(
    number, tmp_path, monkeypatch, capsys
):
    def swallow(_options):
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None

    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(analyse, "_analyse", swallow)
    try:
        assert cli.main(["analyse", "x.mp4", "--out", str(tmp_path / "o")]) == 130
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
    assert capsys.readouterr().err == "cancelled\n"


def test_no_network_is_touched(sample, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a socket was connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    path = sample("carphone_pristine")
    assert cli.main(["analyse", str(path), "--out", str(tmp_path), "--frames", "16"]) == 0


def test_plant_and_its_truth(sample, tmp_path, capsys):
    from toolkit import media

    out = tmp_path / "planted.mp4"
    arguments = ["plant", str(sample("carphone_pristine")), "--out", str(out), "--regions", "mouth"]
    assert cli.main([*arguments, "--from", "1.0", "--to", "2.5"]) == 0
    truth = json.loads(out.with_suffix(".truth.json").read_text())
    assert truth["regions"] == ["mouth"]
    assert 1.0 <= truth["start_s"] < truth["end_s"] <= 2.5
    assert media.probe(out).sha256 == truth["sha256"]
    assert cli.main([*arguments, "--from", "2", "--to", "1"]) == 2
    assert cli.main([*arguments[:-1], "hat", "--from", "1", "--to", "2"]) == 2
    assert cli.main([*arguments, "--from", "1", "--to", "2", "--kind", "magic"]) == 2


def test_doctor_reports(face_models, capsys):
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "canary logit as on its card" in said
    assert "face_mesh" in said


@pytest.mark.parametrize("words", study.COMMANDS, ids=" ".join)
def test_a_command_that_is_handed_on_says_its_own_name(words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*words, "--help"])
    assert stop.value.code == 0
    usage = capsys.readouterr().out
    assert f"usage: python -m toolkit {' '.join(words)} " in " ".join(usage.split())


def test_the_help_lists_what_is_handed_on(capsys):
    for asked in (["study", "--help"], ["train", "--help"], ["--help"]):
        with pytest.raises(SystemExit):
            cli.main(asked)
    listed = capsys.readouterr().out
    assert all(words[-1] in listed for words in study.COMMANDS)
    for wrong in (["study"], ["study", "nonsense"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(wrong)
        assert stop.value.code == 2


def test_a_refusal_of_a_command_that_is_handed_on_is_one_line(tmp_path, capsys):
    out = tmp_path / "x.json"
    code = cli.main(["study", "two-persons", "--out", str(out), "--detector", "oracle"])
    assert code != 0
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_language_holds_for_one_command(tmp_path, capsys):
    command = ["analyse", "no_such_file.mp4", "--out", str(tmp_path)]
    assert cli.main(["--language", "nl", *command]) == cli.EXIT_REFUSED
    assert "geweigerd" in capsys.readouterr().err
    assert cli.main(command) == cli.EXIT_REFUSED
    assert "refused" in capsys.readouterr().err


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_language_may_stand_anywhere_about_a_study(place, monkeypatch):
    heard = []
    monkeypatch.setattr(
        "toolkit.evaluation.studies.two_persons.main",
        lambda argv: heard.append((argv, _i18n.language())) or 0,
    )
    words = ["study", "two-persons", "--out", "x"]
    words[place:place] = ["--language", "nl"]
    assert cli.main(words) == 0
    assert heard == [(["--out", "x"], "nl")]
    assert _i18n.language() == "en"
