"""What abstaining would buy: known answers, the honest half, and the way to terminal and page."""

from __future__ import annotations

import pytest

from toolkit.evaluation import coverage, page
from toolkit.verdict import abstention


def benchmark(rows, *, weights="ab", threshold=0.0):
    return {
        "clips": rows,
        "summary": {"net": {"threshold": threshold}},
        "settings": {"detectors": {"net": weights}},
    }


def row(number, *, fake, logit, sharpness=100.0, scene="s", **more):
    conditions = dict.fromkeys(abstention.ABOVE, 50.0) | {"low_quality": sharpness, "pose": 0.0}
    return {
        "detector": "net",
        "path": f"{number}.mp4",
        "label": "fake" if fake else "real",
        "scene": scene,
        "logit": logit,
        "conditions": conditions,
    } | more


def blurred(scene, *, wrong_below):
    """Twenty clips of growing sharpness; the detector is wrong on those below a sharpness."""
    return [
        row(n, fake=n % 2 == 1, sharpness=float(n), scene=scene, logit=1.0 if n % 2 else -1.0)
        if n >= wrong_below
        else row(n, fake=n % 2 == 1, sharpness=float(n), scene=scene, logit=-1.0 if n % 2 else 1.0)
        for n in range(20)
    ]


def scenes():
    """Return a scene of each half, as this list happens to be split."""
    by_half = {}
    for n in range(50):
        by_half.setdefault(coverage._half({"scene": f"scene {n}"}), f"scene {n}")
    return by_half[0], by_half[1]


def test_a_limit_that_helps_is_found_and_judged_on_other_scenes():
    here, there = scenes()
    rows = blurred(here, wrong_below=4) + blurred(there, wrong_below=2)
    found = coverage.curves([benchmark(rows)], "net")
    assert set(found) == set(abstention.ABOVE)
    chosen = found["low_quality"]["chosen"]
    assert chosen["here"]["error"] == 0
    assert chosen["here"]["coverage"] == pytest.approx(0.8)
    assert 3 < chosen["limit"] <= 4
    assert chosen["without"]["error"] == pytest.approx(0.1)  # one of ten of each label is wrong
    assert chosen["elsewhere"]["error"] == 0
    assert found["face_too_small"]["chosen"] is None  # all are alike: nothing to choose
    first, *_, last = found["low_quality"]["curve"]
    assert (first["coverage"], first["real"], first["fake"]) == (1.0, 20, 20)
    assert first["fpr"] == pytest.approx(3 / 20)  # sharpness 0 and 2 here, 0 there
    assert first["error"] == pytest.approx(3 / 20)
    assert last["coverage"] <= 0.2
    assert [p["coverage"] for p in found["low_quality"]["curve"]] == sorted(
        (p["coverage"] for p in found["low_quality"]["curve"]), reverse=True
    )


def test_a_lucky_limit_is_found_out():
    here, there = scenes()
    rows = blurred(here, wrong_below=4) + [
        r | {"logit": -r["logit"]} for r in blurred(there, wrong_below=4)
    ]
    chosen = coverage.curves([benchmark(rows)], "net")["low_quality"]["chosen"]
    assert chosen["here"]["error"] == 0
    assert chosen["elsewhere"]["error"] == 1
    assert chosen["without"]["error"] == pytest.approx(0.8)
    told = coverage.table(coverage.curves([benchmark(rows)], "net"))
    line = next(line for line in told.splitlines() if "low_quality" in line)
    assert line.split()[-2:] == ["1.00", "0.80"]
    assert "no limit that leaves enough clips lowers the error" in told


def test_rules_that_abstain_above_are_turned_round():
    here, there = scenes()
    rows = [
        row(n, fake=bool(n % 2), scene=s, logit=(1.0 if n % 2 else -1.0) * (1 if n < 16 else -1))
        for s in (here, there)
        for n in range(20)
    ]
    for r in rows:
        r["conditions"]["pose"] = float(r["path"][:-4]) / 20
    rule = coverage.curves([benchmark(rows)], "net")["pose"]
    assert rule["above"]
    assert rule["chosen"]["limit"] == pytest.approx(0.75)
    assert rule["chosen"]["elsewhere"]["error"] == 0
    assert rule["curve"][0]["coverage"] == 1


def test_what_does_not_count():
    here, _ = scenes()
    mine = blurred(here, wrong_below=4)
    odd = [
        row(1, fake=True, logit=None),
        row(2, fake=True, logit=9.0, usable="marginal"),
        row(3, fake=True, logit=9.0) | {"detector": "control.blur"},
        row(4, fake=True, logit=9.0) | {"conditions": None},
    ]
    older = {k: v for k, v in row(5, fake=True, logit=9.0).items() if k != "conditions"}
    one = coverage.curves([benchmark(mine)], "net")
    assert coverage.curves([benchmark([*mine, *odd, older])], "net") == one
    assert coverage.curves([benchmark(mine), benchmark(mine, weights="other")], "net") == one
    twice = coverage.curves([benchmark(mine), benchmark(mine)], "net")
    assert twice["low_quality"]["curve"][0]["real"] == 2 * one["low_quality"]["curve"][0]["real"]
    assert coverage.curves([benchmark([older])], "net") == {}
    assert coverage.curves([benchmark(mine, threshold=None)], "net") == {}


def test_one_label_alone_has_no_error():
    rows = [row(n, fake=False, logit=-1.0, sharpness=float(n)) for n in range(5)]
    rule = coverage.curves([benchmark(rows)], "net")["low_quality"]
    assert rule["chosen"] is None
    assert rule["shipped"]["error"] is None
    assert rule["curve"][0]["fpr"] == 0
    assert " - " in coverage.table({"low_quality": rule})
    assert "none helps" in page._limits({"low_quality": rule})


def test_the_page_draws_every_rule():
    here, there = scenes()
    found = coverage.curves(
        [benchmark(blurred(here, wrong_below=4) + blurred(there, wrong_below=4))], "net"
    )
    shown = page._limits(found)
    assert shown.count("<polyline") == len(abstention.ABOVE)
    for code in abstention.ABOVE:
        assert code.replace("_", " ") in shown
