"""The measuring command measures something, and says so when the analysis fails."""

from __future__ import annotations

import pytest

from toolkit.detectors.seamnet_small import SeamNetDetector
from toolkit.errors import ToolkitError
from toolkit.evaluation.studies import speed


@pytest.mark.slow
def test_measures_time_and_memory(sample, monkeypatch):
    times = speed._milliseconds
    monkeypatch.setattr(speed, "_milliseconds", lambda net, x, _runs: times(net, x, 1))
    result = speed.measure(sample("carphone_pristine"), runs=1, device="cpu")
    (row,) = result["runs"]
    assert 0 < sum(row["stages"].values()) < row["total_s"]
    assert 100 < row["peak_mb"] < 4000
    assert result["median_total_s"] == row["total_s"]
    (crop,) = result["crop_ms"].values()  # the body is not used in tests
    assert crop["batch"] == 4
    assert crop["analysis"] > 0
    assert crop["explanation"] > 0
    assert result["import_s"] > 0


def test_what_is_timed_as_explaining_is_the_folded_network(monkeypatch):
    judges, logits = [], SeamNetDetector.logits
    monkeypatch.setattr(
        SeamNetDetector, "logits", lambda self, rgb: judges.append(self) or logits(self, rgb)
    )
    speed.per_crop(device="cpu", runs=1)
    norms = [sum("BatchNorm" in type(m).__name__ for m in j.net.modules()) for j in judges]
    assert norms[1] > norms[-1] == 0


def test_a_failed_analysis_is_told(tmp_path):
    with pytest.raises(ToolkitError, match=r"absent\.mp4"):
        speed.measure(tmp_path / "absent.mp4", runs=1)
