"""A case: evidence that is not touched, steps that are saved or never were."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.casework import casework, kill
from tests.widgets.workbench import made_up_inquiry
from toolkit import samples
from toolkit.analysis.pipeline import to_dict
from toolkit.casework import case as cases
from toolkit.casework import operations, verify
from toolkit.casework.case import Case, CaseError
from toolkit.casework.lock import BusyError, Lock
from toolkit.casework.log import IntegrityError
from toolkit.errors import Cancelled, UsageError, VideoError
from toolkit.explain import session
from toolkit.types import no_tick


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return casework.clip(tmp_path_factory.mktemp("clips") / "Anna's holiday.mp4")


@pytest.fixture(scope="session")
def made(tmp_path_factory, clip):
    """A case that nobody changes."""
    return casework.make(tmp_path_factory.mktemp("case") / "c", clip)


@pytest.fixture
def case(made, tmp_path):
    """A case of one's own."""
    return Case(shutil.copytree(made.folder, tmp_path / "c"))


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def events(case):
    return [e.event for e in case.entries()]


# -- taking in


def test_a_file_is_taken_in_and_stays_as_it_was(made, clip):
    exhibit = made.exhibit()
    assert exhibit.id == "E1"
    assert exhibit.original == "original/E1.mp4"
    assert exhibit.working_copy == "work/E1.mp4"
    for name in (exhibit.original, exhibit.working_copy):
        path = made.path(name)
        assert path.read_bytes() == clip.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
    facts = exhibit.facts
    assert facts["sha256"] == sha256(clip)
    assert facts["bytes"] == clip.stat().st_size
    assert facts["original_name"] == "Anna's holiday.mp4"
    assert (facts["received_from"], facts["received_by"]) == ("a sender", "N. N.")
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700


def test_no_name_of_the_input_in_the_log_or_in_a_file_name(made):
    text = made.path(cases.LOG).read_text() + "".join(cases.walk(made.folder))
    assert "Anna" not in text
    assert "example.org" not in text


def test_every_file_is_in_the_log_and_no_other_is_there(made):
    names = set(cases.walk(made.folder))
    assert names == set(made.files())
    for name, wanted in made.files().items():
        assert sha256(made.path(name)) == wanted
    manifest = json.loads(made.path(cases.MANIFEST).read_text())
    assert manifest == cases.manifest_of(made.entries())


def test_pictures_are_traceable_to_frame_and_time(made):
    folder = made.exhibit().analyses[0]
    listed = made.read_json(f"{folder}/pictures.json")
    report = operations.examination(made, made.exhibit()).report
    assert listed
    for p in listed:
        assert sha256(made.path(f"{folder}/{p['file']}")) == p["sha256"]
        assert p["pts"] == float(report.video.pts[p["frame"]])
    stored = {p.name for p in made.path(folder).glob("*.png")}
    assert stored == {p["file"] for p in listed}


def test_what_is_stored_is_what_was_found(made):
    exhibit = made.exhibit()
    found = casework.examine_two(made.path(exhibit.working_copy), sampling=None)
    again = operations.examination(made, exhibit)
    assert to_dict(again.report) == to_dict(found.report)
    for person, crops in found.crops.items():
        assert (again.crops[person].rgb == crops.rgb).all()
    stored = made.read_json(f"{exhibit.analyses[0]}/analysis.json")
    assert stored["video"]["path"] == "work/E1.mp4"


def test_used_and_unused_frames_are_all_that_were_sampled(made):
    for c in made.read_json(f"{made.exhibit().analyses[0]}/conditions.json"):
        report = operations.examination(made, made.exhibit()).report
        track = next(r.track for r in report.tracks if r.track.person == c["person"])
        used, unused = set(track.indices.tolist()), {f["index"] for f in c["unused"]}
        assert not used & unused
        assert sorted(used | unused) == c["sampled"]


def test_an_original_may_stay_where_it_is(tmp_path, clip):
    case = cases.create(tmp_path / "c")
    operations.add(case, clip, keep=False, examine=casework.examine_two)
    assert case.exhibit().original is None
    assert not case.path("original").exists()
    assert case.exhibit().facts["original_path"] == str(clip)


def test_a_file_is_taken_in_once(case, clip):
    with pytest.raises(CaseError, match="in the case already: E1"):
        operations.add(case, clip, examine=casework.examine_two)
    other = casework.clip(clip.with_name("other.mp4"), shade=120)
    assert operations.add(case, other, examine=casework.examine_two).id == "E2"
    with pytest.raises(CaseError, match="which exhibit"):
        case.exhibit()


@pytest.mark.parametrize("name", ["../x", "", "a b", "CON", "e1", "x" * 33, "é", "E1.mp4", "-x"])
def test_names_that_cannot_be(case, clip, name):
    other = casework.clip(clip.with_name("names.mp4"), shade=60)
    with pytest.raises(CaseError):
        operations.add(case, other, exhibit=name, examine=casework.examine_two)
    assert len(case.exhibits()) == 1


def test_what_is_no_file_is_refused(case, tmp_path, clip):
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "empty.mp4").touch()
    for bad in (link, tmp_path, tmp_path / "pipe.mp4", tmp_path / "empty.mp4", tmp_path / "none"):
        with pytest.raises(VideoError):
            operations.add(case, bad, examine=casework.examine_two)
    assert len(case.exhibits()) == 1


def test_a_file_that_is_no_video_is_evidence_all_the_same(case, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError):
        operations.add(case, tmp_path / "text.mp4", examine=casework.examine_two)
    assert case.exhibit("E2").facts["suffix"] == ".bin"
    assert events(case)[-2:] == ["received", "refused"]


def appending(path):
    """Return an analysis during which a byte is appended to a file."""

    def examine(*args, **how):
        found = casework.examine_two(*args, **how)
        mode = path.stat().st_mode
        path.chmod(0o644)
        with path.open("ab") as file:
            file.write(b"x")
        path.chmod(mode)
        return found

    return examine


def test_a_byte_appended_during_the_run_stops_it(tmp_path, clip):
    source = Path(shutil.copy(clip, tmp_path / "source.mp4"))
    case = cases.create(tmp_path / "c")
    with pytest.raises(IntegrityError, match="original changed"):
        operations.add(case, source, examine=appending(source))
    assert events(case) == ["opened", "received", "integrity_error"]
    assert not case.exhibit().analyses
    assert "source.mp4" not in case.path(cases.LOG).read_text()


@pytest.mark.parametrize("copy", ["original/E1.mp4", "work/E1.mp4"])
def test_a_byte_appended_to_a_copy_stops_it(tmp_path, clip, copy):
    case = cases.create(tmp_path / "c")
    with pytest.raises(IntegrityError, match="copy in the case"):
        operations.add(case, clip, examine=appending(case.path(copy)))
    assert events(case)[-1] == "integrity_error"


def test_an_original_that_is_deleted_during_the_run_is_still_hashed(tmp_path, clip):
    source = Path(shutil.copy(clip, tmp_path / "source.mp4"))
    case = cases.create(tmp_path / "c")

    def examine(*args, **how):
        source.unlink()
        return casework.examine_two(*args, **how)

    operations.add(case, source, examine=examine)
    assert case.entries()[-1].facts["check"]["received_file"] == "gone"


def test_a_cancelled_analysis_keeps_what_was_taken_in(tmp_path, clip):
    case = cases.create(tmp_path / "c")

    def tick(stage, done, total):
        if stage == "detect":
            raise Cancelled

    with pytest.raises(Cancelled):
        operations.add(case, clip, examine=casework.examine_two, tick=tick)
    assert events(case) == ["opened", "received", "cancelled"]
    # the same file again goes on where it stopped
    assert operations.add(case, clip, examine=casework.examine_two).analyses == ("derived/E1/A1",)
    assert events(case)[3:] == ["analysed"]


def test_changed_parameters_and_the_notebook_are_logged(case, tmp_path, monkeypatch):
    (tmp_path / "n.ipynb").write_text("{}")
    monkeypatch.setenv(operations.NOTEBOOK_VARIABLE, str(tmp_path / "n.ipynb"))
    operations.analyse(case, "E1", seed=5, examine=casework.examine_two)
    facts = case.entries()[-1].facts
    assert facts["changed"] == ["seed"]
    assert facts["settings"]["seed"] == 5
    assert facts["notebook_sha256"] == sha256(tmp_path / "n.ipynb")
    assert case.exhibit().analyses == ("derived/E1/A1", "derived/E1/A2")


# -- notes


def test_notes_are_kept(case):
    case.note("propositions", h1="altered", h2="not altered", by="B.")
    case.note("alternative", alternative="make_up", state="tested", text="seen live")
    kinds = [(n["kind"], n["by"]) for n in case.notes()]
    assert kinds == [("text", "N. N."), ("propositions", "B."), ("alternative", "N. N.")]
    assert case.notes()[0]["frames"] == [[3, 5]]


@pytest.mark.parametrize(
    "note",
    [
        {"kind": "text"},
        {"kind": "text", "text": "  "},
        {"kind": "odd", "text": "x"},
        {"kind": "propositions", "h1": "x"},
        {"kind": "alternative", "alternative": "x", "state": "maybe"},
        {"text": "x", "regions": ["ear"]},
        {"text": "x", "frames": [(5, 3)]},
        {"text": "x", "interval_s": (2.0, 1.0)},
        {"text": "x", "interval_s": (0.0, float("nan"))},
        {"text": "x", "exhibit": "E9"},
    ],
)
def test_notes_that_do_not_fit(case, note):
    before = case.head
    with pytest.raises((UsageError, CaseError)):
        case.note(**note)
    assert case.head == before


# -- the folder


def test_a_case_is_made_next_to_nothing_else(tmp_path, made):
    (tmp_path / "x").touch()
    for folder in (tmp_path, tmp_path / "x", made.folder):
        with pytest.raises(CaseError):
            cases.create(folder)
    with pytest.raises(CaseError, match="no case"):
        Case(tmp_path).entries()
    assert not list(tmp_path.glob(".lock"))
    with pytest.raises(CaseError, match="no case"):
        Case(tmp_path).note(text="x")
    assert not list(tmp_path.glob(".lock"))


def test_two_at_once_refuse_to_clash(case, clip):
    with Lock(case.folder, "test"):
        for step in (
            lambda: case.note(text="x"),
            lambda: operations.add(case, clip, examine=casework.examine_two),
            lambda: operations.analyse(case, examine=casework.examine_two),
        ):
            with pytest.raises(BusyError, match="another process"):
                step()
    case.note(text="x")


def test_what_an_interrupted_step_left_is_set_aside_and_logged(case):
    (case.path("derived/E1") / "A2").mkdir()
    (case.path("derived/E1/A2") / "x.json").write_text("half")
    case.path(".step-00").mkdir()
    case.path(f".{'0' * 16}.part").touch()
    with case.path(cases.LOG).open("ab") as file:
        file.write(b'{"half')
    case.path(cases.MANIFEST).unlink()
    case.path("link").symlink_to("/etc/passwd")
    case.note(text="on we go")
    assert events(case)[-2:] == ["set_aside", "noted"]
    assert set(cases.walk(case.folder)) == set(case.files())
    kept = [p.read_bytes() for p in case.path("set_aside").iterdir()]
    assert b"half" in kept
    assert b'{"half' in kept
    assert not case.path("derived/E1/A2").exists()
    assert json.loads(case.path(cases.MANIFEST).read_text())["head"] == case.head


def test_whatever_somebody_puts_into_the_folder_the_work_goes_on(case):
    aside = case.path("set_aside")
    aside.mkdir()
    (aside / "Anna: holiday.txt").write_text("kept")
    (aside / "a\\b").write_text("kept too")
    os.mkfifo(case.path("pipe"))
    case.note(text="on we go")
    assert events(case)[-2:] == ["set_aside", "noted"]
    assert "Anna" not in case.path(cases.LOG).read_text()
    kept = {p.read_bytes() for p in aside.iterdir()}
    assert {b"kept", b"kept too"} <= kept
    assert set(cases.walk(case.folder)) == set(case.files())


def test_a_changed_file_is_not_read(case):
    name = f"{case.exhibit().analyses[0]}/analysis.json"
    case.path(name).write_text("{}")
    with pytest.raises(IntegrityError, match="altered"):
        case.read_json(name)


def test_a_changed_log_stops_everything(case):
    path = case.path(cases.LOG)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(IntegrityError, match="line 2"):
        case.note(text="x")


def test_a_full_disk_leaves_the_case_as_it_was(case, monkeypatch):
    before = (case.head, sorted(cases.walk(case.folder)))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(operations.archive, "write", full)
    with pytest.raises(OSError, match="No space"):
        operations.analyse(case, examine=casework.examine_two)
    assert (case.head, sorted(cases.walk(case.folder))) == before


# -- killed


@pytest.mark.slow
def test_killed_at_any_moment_nothing_saved_is_lost_and_the_work_goes_on(tmp_path, clip):
    """20 moments of taking in, analysing and reporting; `kill.py` does the same for real."""
    longest = 0.0
    with kill.Worker(clip) as worker:
        for moment in range(20):
            case = cases.create(tmp_path / f"{moment}")
            case.note(text="before")
            before = case.entries()
            # the first is not killed: it tells how long the work takes
            wait_s = None if moment == 0 else longest * (moment - 0.5) / 19
            said, took = worker.run(case.folder, kill_after_s=wait_s)
            longest = longest or took
            kill.check(case, before, said)
            assert verify.verify(case.folder, hashes_only=True).is_intact


def test_the_case_asks_for_trust_as_the_panel_on_screen_does(face_models, tmp_path, monkeypatch):
    """Every frame is green: without a donor no region is named, and the panel has donors."""
    clip = tmp_path / "donor.mp4"
    clip.write_bytes(b"a donor")
    faces = made_up_inquiry.crops(green=())
    monkeypatch.setattr(session, "read_donors", lambda *_clips, **_how: faces)
    monkeypatch.setattr(samples, "donor_clips", lambda _sha256: (clip,))
    frames = tuple(range(made_up_inquiry.FRAMES))
    questioned = made_up_inquiry.examination(green=frames, persons="A")
    judge = made_up_inquiry.Green()
    stored = operations._trust(judge, questioned, 0, no_tick)
    subject = session.PersonExplainer(questioned, "A", detector=judge, donors=[clip])
    position = session.strongest(subject.result)
    panel = subject.trust(position)
    assert stored["names_regions"]
    assert stored["reference"] == panel.reference.kind == "donor"
    assert stored["donors"] == [
        {"file": "donor.mp4", "sha256": hashlib.sha256(b"a donor").hexdigest()}
    ]
    assert stored["frame"] == subject.result.track.indices[position]
    assert stored["shares_by_intervention"] == panel.intervention.shares.tolist()
    assert [(f["name"], f["value"]) for f in stored["figures"]] == [
        (f.name, f.value) for f in panel.figures
    ]
