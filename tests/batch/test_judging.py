"""A real analysis: the same bytes from `analyse`, from one worker and from several."""

from __future__ import annotations

import json
import shutil

import nbformat
import pytest

import toolkit
from toolkit.batch.journal import TABLE
from toolkit.cli.main import main
from toolkit.errors import OutOfRangeError, UnknownNameError, UsageError
from toolkit.types import Settings

FAST = ["--detector", "seamnet-small", "--frames", "16"]


@pytest.fixture(scope="module")
def clips(sample, genuine_piece, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch") / "clips"
    sources = {"carphone_pristine": sample("carphone_pristine"), "cap13_edit2": genuine_piece}
    for number, (name, source) in enumerate(sources.items()):
        place = folder / f"source{number}"
        place.mkdir(parents=True)
        shutil.copy(source, place / f"{name}.mp4")
    (folder / "source0" / "page.mp4").write_text("<html>")
    return folder


@pytest.fixture(scope="module")
def results(clips):
    out = clips.parent / "one"
    assert main(["batch", str(clips), "--out", str(out), "--workers", "1", *FAST]) == 0
    return toolkit.batch.open(out)


@pytest.mark.slow
def test_the_report_is_the_same_from_analyse_from_one_worker_and_from_two(clips, results):
    two = toolkit.batch(
        clips,
        out=clips.parent / "two",
        workers=2,
        keep=True,
        settings=Settings(detector="seamnet-small").but(frames=16),
        progress=False,
    )
    recalled = toolkit.batch(
        clips,
        out=clips.parent / "recalled",
        workers=1,
        settings=Settings(detector="seamnet-small").but(frames=16),
        progress=False,
    )
    judged = [row for row in recalled if row["status"] == "analysed"]
    assert all(row["saved_s"] > 0.1 for row in judged)  # what two processes kept at once
    for clip in ("source0/carphone_pristine.mp4", "source1/cap13_edit2.mp4"):
        out = clips.parent / "alone"
        assert main(["analyse", str(clips / clip), "--out", str(out), *FAST]) == 0
        alone = (out / "report.json").read_bytes()
        for some in (results, two, recalled):
            row = next(r for r in some if r["path"].endswith(clip))
            assert (some.folder / row["report"] / "report.json").read_bytes() == alone


def test_each_clip_has_its_report_and_the_table_says_the_same(results):
    frame = results.to_dataframe().set_index("path")
    assert sorted(frame["status"]) == ["analysed", "analysed", "refused"]
    for row in results:
        if row["report"] is None:
            assert "not a video" in row["reason"]
            continue
        folder = results.folder / row["report"]
        verdict = json.loads((folder / "report.json").read_text())["verdict"]
        assert verdict["logit"] == row["logit"]
        assert verdict["reason_code"] == row["reason_code"]
        assert row["face_px"] > 20
        assert (folder / "face.jpg").stat().st_size > 500
        assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
        nbformat.validate(nbformat.read(folder / "workbench.ipynb", as_version=4))
    import pandas as pd

    kept = pd.read_parquet(results.folder / TABLE).set_index("path")
    assert kept["logit"].equals(frame["logit"].loc[kept.index])


def test_results_open_a_clip_by_the_end_of_its_path(results):
    analysis = results["source1/cap13_edit2.mp4"]
    assert analysis.verdict.logit == next(r["logit"] for r in results if "cap13" in r["path"])
    assert results["cap13_edit2.mp4"].video.sha256 == analysis.video.sha256
    with pytest.raises(UnknownNameError, match="no such clip"):
        _ = results["nobody.mp4"]
    with pytest.raises(UsageError, match="no report"):
        _ = results["page.mp4"]


def test_results_show_themselves(results):
    assert repr(results).endswith("2 analysed, 1 refused)")
    page = results._repr_html_()
    assert "cap13_edit2.mp4" in page
    assert "1 refused" in page
    assert results.page.is_file()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"workers": 0}, OutOfRangeError),
        ({"retries": -1}, OutOfRangeError),
        ({"timeout_seconds": 0}, OutOfRangeError),
        ({"detector": object()}, UsageError),
        ({"workers": 1, "client": object()}, UsageError),
        ({"colour": 1}, UnknownNameError),
    ],
)
def test_options_that_do_not_fit_are_refused_before_the_work(tmp_path, options, error):
    with pytest.raises(error):
        toolkit.batch([tmp_path / "a.mp4"], out=tmp_path / "out", progress=False, **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_results_cannot_be_opened(tmp_path):
    with pytest.raises(UsageError, match="no results of a batch"):
        toolkit.batch.open(tmp_path)


def test_the_command_says_what_came_of_it(results, clips, capsys):
    command = ["batch", str(clips), "--out", str(results.folder), *FAST]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "2 clips were judged." in shown.out
    assert "Known from before: 3." in shown.out
    assert "results.parquet" in shown.err
    assert main([*command, "--seed", "4"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert main(["batch", str(clips / "nothing"), "--out", str(results.folder)]) == 2
