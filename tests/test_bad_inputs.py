"""The corpus of odd and hostile clips, made from a clip with one face, through the whole road."""

from __future__ import annotations

import csv
import shutil
import subprocess
import time

import pytest

from toolkit.analysis import pipeline
from toolkit.detectors import registry
from toolkit.errors import ToolkitError
from toolkit.report import html
from toolkit.types import Sampling

ROWS_LAYERS = {"analysis", "report"}
SAMPLING = Sampling(frames=16, scan_limit=120)  # what is tested is the outcome, not the score
CANARY = "CANARY-7f3a91"


@pytest.fixture(scope="module")
def corpus(shared, sample, tmp_path_factory):
    if not shutil.which("bash") or not shutil.which("ffmpeg"):
        pytest.skip("bash and ffmpeg are needed to build the corpus")
    out = tmp_path_factory.mktemp("bad") / "corpus"
    script = shared / "tools" / "make_bad_inputs.sh"
    clips = [str(sample("cap12_edit")), str(sample("franck"))]
    subprocess.run(["bash", str(script), str(out), *clips], check=True, capture_output=True)
    yield out
    shutil.rmtree(out)


@pytest.mark.slow
def test_every_row_of_analysis_and_report(corpus, tmp_path):
    detector = registry.load("seamnet", device="cpu")
    with (corpus / "expected.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["layer"] in ROWS_LAYERS]
    assert len(rows) > 15
    wrong = []
    for row in rows:
        path = corpus / "cases" / row["file"]
        before, start = path.read_bytes(), time.process_time()
        try:
            report = pipeline.analyse(path, detector=detector, sampling=SAMPLING)
        except ToolkitError as error:
            got, text = "refuse", str(error)
        else:
            said = [str(report.verdict.reason or ""), *map(str, report.notices)]
            got = "warn" if report.verdict.abstained or report.notices else "ok"
            text = " ".join(said)
            page = html.write(report, tmp_path / "report.html").read_text(encoding="utf-8")
            assert "<script>alert" not in page
            assert "<img src=x" not in page
            assert CANARY not in page + text
        if row["keyword"].lower() not in text.lower() or row["expected"] not in (got, "ok"):
            wrong.append((row["file"], row["expected"], row["keyword"], got, text))
        assert path.read_bytes() == before
        assert time.process_time() - start < 60
    assert wrong == []
    assert not list(tmp_path.glob("**/PWNED"))
