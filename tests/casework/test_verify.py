"""Whatever is done to a case, `verify` names it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.casework import casework
from tests.widgets import made_up
from toolkit import media
from toolkit.casework import case as cases
from toolkit.casework import log, operations, publish, verify
from toolkit.casework.case import Case, CaseError
from toolkit.casework.lock import BusyError, Lock
from toolkit.cli.main import main
from toolkit.detectors import registry
from toolkit.errors import Cancelled, ModelError, UsageError
from toolkit.types import Sampling


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return casework.clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("key") / "key.pem"
    return path, operations.new_key(path)


@pytest.fixture(scope="session")
def made(tmp_path_factory, clip, key):
    """A case with everything in it: an analysis, a note, a report, a signature."""
    case = casework.make(tmp_path_factory.mktemp("case") / "c", clip)
    publish.report(case, language="en", video=False)
    operations.sign(case, key[0])
    return case


@pytest.fixture
def case(made, tmp_path):
    return Case(shutil.copytree(made.folder, tmp_path / "c"))


def check(case, **how):
    how = {"hashes_only": True, **how}
    return verify.verify(case.folder, examine=casework.examine_two, **how)


def named(case, **how):
    return [str(p) for p in check(case, **how).differences]


def write(path, data):
    if path.exists():
        path.chmod(0o644)
    path.write_bytes(data)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    write(path, bytes(data))


TAMPER = {
    "flipped": flip,
    "cut": lambda path: write(path, path.read_bytes()[:-1]),
    "extended": lambda path: write(path, path.read_bytes() + b"\n"),
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: write(path, b""),
}


def test_a_case_is_intact(made):
    found = check(made, hashes_only=False)
    assert found.is_intact
    assert "head is also known elsewhere" in " ".join(found.notes)


@pytest.mark.parametrize("how", TAMPER)
def test_every_file_changed_is_named(case, how):
    """One after the other, each put back before the next."""
    names = [*case.files(), cases.MANIFEST]
    assert len(names) > 30
    for name in names:
        path = case.path(name)
        before, mode = path.read_bytes(), path.stat().st_mode
        TAMPER[how](path)
        assert any(line.startswith(f"{name}: ") for line in named(case)), (how, name)
        write(path, before)
        path.chmod(mode)
    assert check(case).is_intact


def test_swapped_files_are_both_named(case):
    names = sorted(case.files())
    for a, b in pairwise(names):
        one, two = case.path(a).read_bytes(), case.path(b).read_bytes()
        if one == two:
            continue
        write(case.path(a), two)
        write(case.path(b), one)
        lines = named(case)
        assert any(line.startswith(f"{a}: ") for line in lines)
        assert any(line.startswith(f"{b}: ") for line in lines)
        write(case.path(a), one)
        write(case.path(b), two)


def test_files_that_do_not_belong_are_named(case):
    case.path("work/E1.txt").write_text("x")
    case.path("report/R1/log.jsonl.bak").write_text("x")
    case.path("a link").symlink_to("/etc/passwd")
    lines = named(case)
    for name in ("work/E1.txt", "report/R1/log.jsonl.bak", "a link"):
        assert f"{name}: is not in the log" in lines


def test_a_file_replaced_by_a_link_is_named(case):
    path = case.path("work/E1.mp4")
    path.unlink()
    path.symlink_to(case.path("original/E1.mp4"))
    assert "work/E1.mp4: cannot be read as an ordinary file" in named(case)


# -- the log


@pytest.mark.parametrize("how", ["flipped", "cut", "extended", "emptied"])
def test_a_changed_log_is_named(case, how):
    TAMPER[how](case.path(cases.LOG))
    assert not check(case).is_intact


def lines_of(case):
    return case.path(cases.LOG).read_bytes().splitlines(keepends=True)


def put(case, lines):
    case.path(cases.LOG).write_bytes(b"".join(lines))


def test_two_lines_in_another_order(case):
    lines = lines_of(case)
    for i in range(len(lines) - 1):
        put(case, [*lines[:i], lines[i + 1], lines[i], *lines[i + 2 :]])
        assert any("does not follow" in line for line in named(case))


def test_a_line_left_out_anywhere(case):
    lines = lines_of(case)
    for i in range(len(lines)):
        put(case, [*lines[:i], *lines[i + 1 :]])
        assert not check(case).is_intact, i


def cut_after(case, entries):
    """Cut the log after some entries, and remove everything that the rest had made."""
    put(case, lines_of(case)[:entries])
    kept = set(case.files())
    for name in list(cases.walk(case.folder)):
        if name not in kept:
            case.path(name).unlink()
    case.path(cases.MANIFEST).write_text(cases.dump(cases.manifest_of(case.entries())))


def test_a_case_cut_back_without_trace_is_seen_by_head_and_key(made, case, key):
    head = made.entries()[-2].sha256
    cut_after(case, 4)
    assert check(case).is_intact  # nothing inside can tell
    assert "head that was given" in named(case, head=head)[0]
    assert "key that was given" in named(case, public_key=key[1])[0]


def test_a_log_made_anew_is_seen_by_head_and_key(case, key):
    """Somebody writes another log over the same files, with right hashes and a new signature."""
    head = case.head
    entries = case.entries()
    case.path(cases.LOG).unlink()
    for e in entries:
        facts = {**e.facts, "rewritten": True} if e.event == "received" else e.facts
        log.append(case.path(cases.LOG), e.event, facts=facts, files=e.files)
    case.path(cases.MANIFEST).write_text(cases.dump(cases.manifest_of(case.entries())))
    lines = named(case, head=head, public_key=key[1])
    assert any(line.startswith("the head that was given") for line in lines)
    assert any(line.startswith("the key that was given") for line in lines)
    assert any(line.startswith("report/R1/report.json: gives a head") for line in lines)


def test_printed_head_and_signature_hold(made, key):
    printed = made.read_json("report/R1/report.json")["log"]["head"]
    assert check(made, head=printed, public_key=key[1]).is_intact
    assert check(made, head=printed.upper()).is_intact
    pasted = "\u200b".join(printed[i : i + 8] for i in range(0, 64, 8))  # as the PDF breaks it
    assert check(made, head=f" {pasted[:30]}\n{pasted[30:]} ").is_intact
    assert not check(made, head=printed[:-1]).is_intact


def test_a_forged_signature_is_named(case):
    name = next(n for n in case.files() if n.startswith("signatures/"))
    found = json.loads(case.path(name).read_bytes())
    found["signature"] = "00" * 64
    write(case.path(name), json.dumps(found).encode())
    assert f"{name}: the signature does not hold" in named(case)


def test_an_interrupted_last_step_is_a_note(case):
    before = case.path(cases.MANIFEST).read_bytes()
    case.note(text="one more")
    case.path(cases.MANIFEST).write_bytes(before)
    found = check(case)
    assert found.is_intact
    assert "1 steps behind" in found.notes[0]


def test_an_original_outside_of_the_case(tmp_path, clip):
    source = shutil.copy(clip, tmp_path / "source.mp4")
    case = cases.create(tmp_path / "c")
    operations.add(case, source, keep=False, examine=casework.examine_two)
    assert check(case).is_intact
    flip(tmp_path / "source.mp4")
    assert "E1: its original, kept outside of the case, was altered" in named(case)
    (tmp_path / "source.mp4").unlink()
    found = check(case)
    assert found.is_intact
    assert "was not found" in " ".join(found.notes)


def test_a_case_that_is_worked_on_is_not_judged(case, capsys):
    with Lock(case.folder, "test"):
        case.path(".step-00").mkdir()
        case.path(".step-00/half").write_text("x")
        with pytest.raises(BusyError, match="another process"):
            check(case)
        assert main(["verify", str(case.folder), "--hashes-only"]) == 1
    assert "another process works on this case" in capsys.readouterr().err
    assert ".step-00/half: is not in the log" in named(case)


# -- again


def test_another_result_is_named_number_by_number(made):
    def other(*args, **how):
        found = casework.examine_two(*args, **how)
        first = found.report.tracks[0]
        verdict = dataclasses.replace(first.verdict, logit=first.verdict.logit + 1e-9)
        tracks = (dataclasses.replace(first, verdict=verdict), *found.report.tracks[1:])
        return dataclasses.replace(found, report=dataclasses.replace(found.report, tracks=tracks))

    found = verify.verify(made.folder, examine=other)
    assert len(found.differences) == 1
    assert "derived/E1/A1.tracks[0].verdict.logit" in str(found.differences[0])


def test_another_machine_may_differ_a_little(made, monkeypatch):
    def nearly(*args, by=5e-4, **how):
        found = casework.examine_two(*args, **how)
        first = found.report.tracks[0]
        logits = (first.evidence.logits + np.float32(by)).astype(np.float32)
        evidence = dataclasses.replace(first.evidence, network_logits=logits)
        tracks = (dataclasses.replace(first, evidence=evidence), *found.report.tracks[1:])
        return dataclasses.replace(found, report=dataclasses.replace(found.report, tracks=tracks))

    monkeypatch.setattr(operations, "environment", lambda: "another\n")
    found = verify.verify(made.folder, examine=nearly)
    assert found.is_intact
    assert "0.001 on the logit" in " ".join(found.notes)
    found = verify.verify(made.folder, examine=lambda *a, **h: nearly(*a, by=5e-3, **h))
    assert not found.is_intact
    assert len(found.differences) <= verify.LINES_MAX + 1


def test_what_ran_on_a_cpu_runs_on_one_again_and_another_device_is_a_note(made):
    asked = []

    def elsewhere(*args, device, **how):
        asked.append(device)
        found = casework.examine_two(*args, **how)
        settings = {**found.report.settings, "device": "cuda", "toolkit": "9.9"}
        return dataclasses.replace(
            found, report=dataclasses.replace(found.report, settings=settings)
        )

    found = verify.verify(made.folder, examine=elsewhere)
    assert asked == ["cpu"]
    assert found.is_intact
    said = " ".join(found.notes)
    assert "device was cpu, and is cuda here" in said
    assert "toolkit was" in said
    assert "0.001 on the logit" in said


def test_a_report_that_would_be_made_differently_is_named(made, monkeypatch):
    for module in ("tree", "figures"):
        name = f"toolkit.report.sections.{module}.disclaimer"
        monkeypatch.setattr(name, lambda: "It is all proven.")
    found = verify.verify(made.folder, examine=casework.examine_two)
    names = {d.where for d in found.differences}
    assert {"report/R1/report.html", "report/R1/report.pdf", "report/R1/report.json"} <= names


def test_nothing_is_analysed_again_where_hashes_differ(case):
    flip(case.path("work/E1.mp4"))

    def never(*_args, **_how):
        raise AssertionError

    found = verify.verify(case.folder, examine=never)
    assert "Nothing was analysed again" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("a", "b", "exact", "lines"),
    [
        ({"x": 1}, {"x": 1}, True, 0),
        ({"x": 1}, {"x": 1.0}, True, 1),
        ({"x": 1.0}, {"x": 1.0005}, False, 0),
        ({"x": 1.0}, {"x": 1.0005}, True, 1),
        ({"x": 1.0}, {"x": None}, False, 1),
        ({"x": 1.0}, {"x": float("nan")}, False, 1),
        ({"x": True}, {"x": 1}, False, 1),
        ({"x": 3}, {"x": 4}, False, 1),
        ({"x": [1]}, {"x": [1, 2]}, False, 1),
        ({"x": 1}, {"y": 1}, False, 2),
        ({"x": "a"}, {"x": "b"}, False, 1),
    ],
)
def test_differences(a, b, exact, lines):
    assert len(list(verify.differences(a, b, "r", exact=exact))) == lines


def test_a_rounded_network_may_differ_more_on_another_machine():
    a, b = {"logit": 1.0, "n": 3}, {"logit": 1.2, "n": 3}
    assert list(verify.differences(a, b, "r", exact=False))
    within = verify.tolerance({"rounding": 0.3})
    assert not list(verify.differences(a, b, "r", exact=False, within=within))
    assert list(verify.differences(a, b, "r", exact=True, within=within))
    assert verify.tolerance({}) == verify.tolerance({"rounding": None}) == verify.TOLERANCE


def test_the_small_network_is_found_under_the_name_it_had(clip):
    facts = json.loads(registry.weights("seamnet-small").with_suffix(".json").read_text())
    asked = []

    def examine(path, *, detector, **_more):
        asked.append(detector)
        return made_up.examination(media.probe(path), detector=detector)

    settings = {"detector": "seamnet", "sampling": Sampling(frames=20).to_dict(), "seed": 0}
    was = {"name": "seamnet", "weights_sha256": facts["sha256"]}
    stored = {"settings": {"detector": was, "device": "cpu"}, "notices": []}
    again, _run = verify.repeat(clip, settings, stored, examine=examine, tick=lambda *_: None)
    assert asked == ["seamnet-small"]
    assert again["settings"]["detector"]["name"] == "seamnet"


def test_who_stood_in_stands_in_again_for_the_same_reason(clip):
    """Whatever is here now: the notices of then are compared to the letter."""
    facts = json.loads(registry.weights("seamnet-small").with_suffix(".json").read_text())
    asked = []

    def examine(path, *, detector, **_more):
        asked.append(detector.card)
        return made_up.examination(media.probe(path), detector=detector.card.name)

    settings = {"detector": "seamnet", "sampling": Sampling(frames=20).to_dict(), "seed": 0}
    was = {"name": "seamnet-small", "weights_sha256": facts["sha256"], "instead_of": "seamnet"}
    reason = {"code": "stand_in_reason", "text": "A {file} was not there.", "at_s": None}
    stored = {"settings": {"detector": was, "device": "cpu"}, "notices": [reason]}
    again, _run = verify.repeat(clip, settings, stored, examine=examine, tick=lambda *_: None)
    (card,) = asked
    assert (card.name, card.instead_of) == ("seamnet-small", "seamnet")
    assert str(card.because) == "A {file} was not there."
    assert again["settings"]["detector"]["name"] == "seamnet-small"


def test_nobody_stands_in_when_an_analysis_is_repeated(clip):
    """Without its body the detector cannot repeat what it said, and another one must not."""
    settings = {"detector": "seamnet", "sampling": Sampling(frames=20).to_dict(), "seed": 0}
    was = {"name": "seamnet", "weights_sha256": "ab" * 32}
    stored = {"settings": {"detector": was, "device": "cpu"}, "notices": []}
    with pytest.raises(ModelError, match="body of SeamNet is not here"):
        verify.repeat(clip, settings, stored, examine=None, tick=lambda *_: None)


@pytest.mark.parametrize("stage", ["verify", "detect"])
def test_cancel(made, stage):
    """Also while it analyses again: that is no difference."""

    def stop(name, *_):
        if name == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        check(made, hashes_only=False, tick=stop)


# -- without the case


@pytest.fixture
def report(made, tmp_path):
    return shutil.copytree(made.path("report/R1"), tmp_path / "sent")


def test_a_report_is_checked_without_its_case(made, report, clip, tmp_path):
    assert verify.verify_bundle(report).is_intact
    assert verify.verify_bundle(made.path("report/R1.zip")).is_intact
    found = verify.verify_bundle(report, original=clip, examine=casework.examine_two)
    assert found.is_intact
    assert "E1 was analysed again" in " ".join(found.notes)
    other = casework.clip(tmp_path / "other.mp4", shade=70)
    found = verify.verify_bundle(report, original=other, examine=casework.examine_two)
    assert "is not an exhibit" in str(found.differences[0])


@pytest.mark.parametrize("how", TAMPER)
def test_every_file_of_a_report_changed_is_named(report, how):
    for path in sorted(p for p in report.rglob("*") if p.is_file()):
        name, before = path.relative_to(report).as_posix(), path.read_bytes()
        TAMPER[how](path)
        lines = [str(d) for d in verify.verify_bundle(report).differences]
        if (name, how) == ("manifest.json", "flipped"):  # then the file whose hash it was is named
            assert lines
        else:
            assert any(line.startswith(f"{name}: ") for line in lines), (how, name)
        path.write_bytes(before)
    assert verify.verify_bundle(report).is_intact


def test_files_of_a_report_swapped_are_named(report):
    names = sorted(p.relative_to(report).as_posix() for p in report.rglob("*") if p.is_file())
    for a, b in pairwise(names):
        one, two = (report / a).read_bytes(), (report / b).read_bytes()
        (report / a).write_bytes(two)
        (report / b).write_bytes(one)
        lines = [str(d) for d in verify.verify_bundle(report).differences]
        known = {a, b} if cases.MANIFEST not in {a, b} else {cases.MANIFEST}  # it knows the others
        for name in known:
            assert any(line.startswith(f"{name}: ") for line in lines), (a, b)
        (report / a).write_bytes(one)
        (report / b).write_bytes(two)


def test_a_damaged_zip_is_a_difference(made, tmp_path):
    data = made.path("report/R1.zip").read_bytes()
    for number, at in enumerate(range(40, len(data), len(data) // 12)):
        place = tmp_path / f"{number}.zip"
        place.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        assert main(["verify", str(place)]) == 4, at
    (tmp_path / "cut.zip").write_bytes(data[:-100])
    assert main(["verify", str(tmp_path / "cut.zip")]) == 4


def test_what_is_no_report(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no")
    for place in (tmp_path, tmp_path / "x.zip", tmp_path / "none"):
        with pytest.raises(CaseError):
            verify.verify_bundle(place)


def test_a_zip_cannot_write_outside(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as box:
        box.writestr("../out.txt", "x")
    with pytest.raises(CaseError, match="may not"):
        verify.verify_bundle(tmp_path / "x.zip")


# -- keys and command line


def test_keys(key, tmp_path, made):
    path, public = key
    assert len(public) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="there is a file"):
        operations.new_key(path)
    (tmp_path / "bad.pem").write_text("no key")
    for bad in ("bad.pem", "none.pem"):
        with pytest.raises(UsageError, match="key"):
            operations.sign(made, tmp_path / bad)


def test_exit_codes(case, capsys):
    assert main(["verify", str(case.folder), "--hashes-only"]) == 0
    assert "Intact" in capsys.readouterr().out
    flip(case.path("case.json"))
    assert main(["verify", str(case.folder), "--hashes-only", "--language", "nl"]) == 4
    assert capsys.readouterr().out.startswith("case.json: ")
    assert main(["--language", "en", "verify", str(case.folder / "none")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("name", [cases.CASE, cases.LOG, cases.MANIFEST])
def test_the_command_names_what_makes_a_case_when_it_is_gone(case, capsys, name):
    case.path(name).unlink()
    assert main(["verify", str(case.folder), "--hashes-only"]) == 4
    assert f"{name}: is missing" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("name", ["report.json", "report.html", "log.jsonl", "manifest.json"])
def test_the_command_names_what_is_gone_from_a_report(report, capsys, name):
    (report / name).unlink()
    assert main(["verify", str(report)]) == 4
    assert f"{name}: is missing" in capsys.readouterr().out.splitlines()


def test_a_log_that_is_a_folder_is_named(case):
    case.path(cases.LOG).unlink()
    case.path(cases.LOG).mkdir()
    assert f"{cases.LOG}: cannot be read as an ordinary file" in named(case)


def test_names_from_a_strange_log_are_printed_escaped(case):
    with case.working("test"):
        case.path("notes/\x1b[2Jx").write_text("x")
        case.record("noted", files=["notes/\x1b[2Jx"])
    case.path("notes/\x1b[2Jx").unlink()
    (line,) = named(case)
    assert "\x1b" not in line
    assert "u001b" in line


def test_a_chain_that_holds_but_makes_no_sense_is_a_difference(case):
    """Right hashes, wrong facts: somebody wrote the log by hand."""
    with case.working("test"):
        case.record("received", facts={"exhibit": ["E1"]})
    found = verify.verify(case.folder, examine=casework.examine_two)
    assert not found.is_intact
    assert all(d.where for d in found.differences)


def test_a_case_that_an_older_version_made_opens_and_verifies(tmp_path):
    """The folder was written by commit 3a5cc16, with the same stand-in for the analysis."""
    with zipfile.ZipFile(Path(__file__).parent / "data" / "old_case.zip") as packed:
        packed.extractall(tmp_path / "c")
    found = verify.verify(tmp_path / "c", examine=casework.examine_two)
    assert found.is_intact, found.differences
    case = Case(tmp_path / "c")
    again = operations.examination(case, case.exhibit("E1"))
    assert [r.track.person for r in again.report.tracks] == ["A", "B"]
    assert again.report.tracks[0].evidence.logits.dtype == float
    assert len(again.crops["A"].rgb) == len(again.report.tracks[0].track.pts)
