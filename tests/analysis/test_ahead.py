"""How long judging takes is said before it starts: on the processor, and where it is long."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from toolkit import _i18n
from toolkit.analysis import pipeline
from toolkit.cli.common import TellAhead
from toolkit.figures import ahead_sentence
from toolkit.widgets.workbench.live import so_far


class Slow:
    """Takes seconds of a clock that only it moves."""

    batch, device = 4, "cpu"
    card = SimpleNamespace(threshold=0.0)

    def __init__(self):
        self.now, self.asked = 0.0, []

    def logits(self, rgb):
        self.asked.append(len(rgb))
        self.now += 9.0 if len(self.asked) == 1 else 2.0  # the first loads something
        return np.zeros(len(rgb), np.float32)


def faces(n=30):
    track = SimpleNamespace(
        pts=np.arange(n, dtype=float), person="A", seen=np.zeros((1, 2)), shots=np.zeros(n, int)
    )
    return SimpleNamespace(
        persons=((track, SimpleNamespace(rgb=np.zeros((n, 8, 8, 3), np.uint8))),)
    )


@pytest.fixture
def judge(monkeypatch):
    judge = Slow()
    monkeypatch.setattr(pipeline.time, "perf_counter", lambda: judge.now)
    return judge


def test_one_crop_is_timed_and_times_their_number_is_told(judge):
    heard = []
    scan = SimpleNamespace(video=None, persons=())
    told = pipeline.LiveResults(scan, judge, heard.append)
    told.faces(faces())
    told.cost(judge, faces())
    assert judge.asked == [1, 1]
    assert (heard[-1].faces_ahead, heard[-1].seconds_ahead) == (30, 60.0)
    assert heard[0].seconds_ahead is None


def test_nothing_is_timed_on_a_gpu_for_stretches_or_where_nobody_listens(judge):
    for change in ({"device": "cuda"}, {"batch": None}):
        other = SimpleNamespace(**{"device": "cpu", "batch": 4, "logits": judge.logits} | change)
        assert pipeline.seconds_per_face(other, faces()) is None
    assert pipeline.seconds_per_face(judge, SimpleNamespace(persons=())) is None
    scan = SimpleNamespace(video=None, persons=())
    pipeline.LiveResults(scan, judge, None).cost(judge, faces())
    assert judge.asked == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(29.9, ""), (None, ""), (31, "30 s"), (600, "10 min"), (36_000, "10 hours")],
)
def test_only_what_is_long_is_said(seconds, words):
    line = ahead_sentence(40, seconds)
    assert (words in line) if words else line == ""


def test_a_benchmark_says_it_once_for_all_clips():
    lines = []
    tell = TellAhead(lines.append, clips=100)
    tell(SimpleNamespace(faces_ahead=0, seconds_ahead=None))
    tell(SimpleNamespace(faces_ahead=40, seconds_ahead=6.0))
    tell(SimpleNamespace(faces_ahead=40, seconds_ahead=6.0))
    assert len(lines) == 1
    assert "4000 faces" in lines[0]
    assert "10 min" in lines[0]
    assert "GPU" in lines[0]


def test_the_panel_shows_it_in_the_language_in_use():
    partial = pipeline.Partial(None, 0.0, (), 200, 120.0)
    assert "about 2 min on this processor" in so_far(partial)
    _i18n.set_language("nl")
    assert "duurt op deze processor ongeveer 2 min" in so_far(partial)
    assert "dz-ahead" not in so_far(pipeline.Partial(None, 0.0, ()))
