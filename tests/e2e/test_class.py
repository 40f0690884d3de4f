"""A class on one app, in real browsers: own verdicts only, and an answer for the one too many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from toolkit.classroom import study

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_each_pupil_gets_the_verdict_of_the_own_clip_and_the_third_of_two_is_refused(
    executable, output, monkeypatch
):
    monkeypatch.setenv("CHROMIUM", executable)
    with ThreadPoolExecutor(1) as pool:  # Playwright wants a thread of its own: the other one runs
        result = pool.submit(
            study.run_class, 2, detector="seamnet-small", workers=1, pictures=output / "class"
        ).result()
    for outcome in result["sessions"]:
        assert outcome["problem"] == ""
        assert outcome["verdict"]
        assert outcome["is_own"]
        assert outcome["others"] == []
    assert result["longest_queue"] == 1
    assert result["is_refused"]
    assert result["left"] == []
    assert result["all_right"]
