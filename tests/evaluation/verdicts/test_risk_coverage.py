"""What abstaining would buy: known answers, the honest half, and sources that keep their weight."""

from __future__ import annotations

import pytest

from toolkit.evaluation.verdicts import page, risk_coverage
from toolkit.verdict import abstention


def benchmark(rows, *, weights="ab", threshold=0.0, chain=""):
    return {
        "clips": rows,
        "summary": {"net": {"threshold": threshold}},
        "settings": {"detectors": {"net": weights}, "reshare": chain},
    }


def row(number, *, fake, right=True, sharpness=100.0, scene="s", **more):
    conditions = dict.fromkeys(abstention.ABOVE, 50.0) | {"low_quality": sharpness, "pose": 0.0}
    return {
        "detector": "net",
        "path": f"{scene}-{number}.mp4",
        "label": "fake" if fake else "real",
        "dataset": "one",
        "scene": scene,
        "logit": 1.0 if fake == right else -1.0,
        "conditions": conditions,
    } | more


def blurred(scene, *, wrong_below, **more):
    """Twenty clips of sharpness 20 to 39; the detector is wrong on those below a sharpness."""
    return [
        row(n, fake=n % 2 == 1, right=n >= wrong_below, sharpness=20.0 + n, scene=scene, **more)
        for n in range(20)
    ]


def halves():
    """Return two scenes, the first of which is chosen on."""
    first, second = risk_coverage._halves([row(1, fake=True, scene=s) for s in ("a", "b")])
    return first[0]["scene"], second[0]["scene"]


def test_a_limit_that_helps_is_found_and_judged_on_other_scenes():
    here, there = halves()
    rows = blurred(here, wrong_below=4) + blurred(there, wrong_below=2)
    found = risk_coverage.curves([benchmark(rows)], "net")
    assert set(found) == set(abstention.ABOVE)
    chosen = found["low_quality"]["chosen"]
    assert chosen["here"]["error"] == 0
    assert chosen["here"]["coverage"] == pytest.approx(0.8)
    assert 23 < chosen["limit"] <= 24
    assert chosen["in_use"]["error"] == pytest.approx(0.1)  # one of ten of each label is wrong
    assert chosen["elsewhere"]["error"] == 0
    assert found["face_too_small"]["chosen"] is None  # all are alike: nothing to choose
    assert found["face_too_small"]["why"] == risk_coverage.NONE_HELPS
    first, *_, last = found["low_quality"]["curve"]
    assert (first["coverage"], first["real"], first["fake"]) == (1.0, 20, 20)
    assert first["fpr"] == pytest.approx(3 / 20)  # sharpness 20 and 22 here, 20 there
    assert first["error"] == pytest.approx(3 / 20)
    assert last["coverage"] <= 0.2
    parts = [p["coverage"] for p in found["low_quality"]["curve"]]
    assert parts == sorted(parts, reverse=True)


def test_a_lucky_limit_is_found_out():
    here, there = halves()
    rows = blurred(here, wrong_below=4) + [
        r | {"logit": -r["logit"]} for r in blurred(there, wrong_below=4)
    ]
    found = risk_coverage.curves([benchmark(rows)], "net")
    chosen = found["low_quality"]["chosen"]
    assert chosen["here"]["error"] == 0
    assert chosen["elsewhere"]["error"] == 1
    assert chosen["in_use"]["error"] == pytest.approx(0.8)
    told = risk_coverage.table(found)
    line = next(line for line in told.splitlines() if "low_quality" in line)
    assert line.split()[-3:] == ["0.80", "1.00", "0.80"]
    assert risk_coverage.NONE_HELPS in told


def test_neither_label_may_be_left_out():
    """Ten of twenty genuine clips are soft and wrong: without them there would be no error."""
    rows = [
        row(n, fake=fake, right=fake or n >= 10, sharpness=30.0 if fake or n >= 10 else 25.0)
        | {"scene": scene}
        for scene in halves()
        for fake, clips in ((False, 20), (True, 180))
        for n in range(clips)
    ]
    rule = risk_coverage.curves([benchmark(rows)], "net")["low_quality"]
    assert min(p["error"] for p in rule["curve"]) == 0
    assert (rule["chosen"], rule["why"]) == (None, risk_coverage.NONE_HELPS)


def test_leaving_a_source_out_buys_nothing():
    """One source is sharp and always right, the other soft and wrong half the time."""
    rows = []
    for scene in halves():
        rows += [row(n, fake=n % 2 == 1, scene=scene, dataset="sharp") for n in range(80)]
        rows += [
            row(n, fake=n % 2 == 1, right=n < 10, sharpness=30.0, scene=scene, dataset="soft")
            for n in range(20)
        ]
    rule = risk_coverage.curves([benchmark(rows)], "net")["low_quality"]
    assert [p["coverage"] for p in rule["curve"]] == [1.0, pytest.approx(0.8)]
    assert [p["error"] for p in rule["curve"]] == pytest.approx([0.1, 0.1])
    assert rule["why"] == risk_coverage.NONE_HELPS


def test_rules_that_abstain_above_are_turned_round():
    here, there = halves()
    rows = [
        row(n, fake=bool(n % 2), right=n < 16, scene=s) for s in (here, there) for n in range(20)
    ]
    for n, r in enumerate(rows):
        r["conditions"]["pose"] = 0.5 * (n % 20) / 20
    rule = risk_coverage.curves([benchmark(rows)], "net")["pose"]
    assert rule["above"]
    assert rule["chosen"]["limit"] == pytest.approx(0.375)
    assert rule["chosen"]["elsewhere"]["error"] == 0
    assert rule["curve"][0]["coverage"] == 1


def test_what_does_not_count():
    mine = blurred("a", wrong_below=4) + blurred("b", wrong_below=4)
    older = row(5, fake=True)
    del older["conditions"]
    odd = [
        row(1, fake=True, logit=None),
        row(2, fake=True, usable="marginal"),
        row(3, fake=True, detector="control.blur"),
        row(4, fake=True, conditions=None),
        older,
    ]
    one = risk_coverage.curves([benchmark(mine)], "net")
    assert risk_coverage.curves([benchmark([*mine, *odd])], "net") == one
    again = [benchmark(mine), benchmark(mine), benchmark(mine, weights="other", chain="crf40")]
    assert risk_coverage.curves(again, "net") == one
    more = risk_coverage.curves([benchmark(mine), benchmark(mine, chain="crf40")], "net")
    assert more["low_quality"]["in_use"]["real"] == 2 * one["low_quality"]["in_use"]["real"]
    assert risk_coverage.curves([benchmark([older])], "net") == {}
    assert risk_coverage.curves([benchmark(mine, threshold=None)], "net") == {}
    assert "nothing was measured" in risk_coverage.table({})


def test_what_is_not_a_number_is_beyond_every_limit():
    rows = blurred("a", wrong_below=0) + blurred("b", wrong_below=0)
    for r in rows[:10]:
        r["conditions"]["low_quality"] = None
    for r in rows:
        r["conditions"]["cut_off"] = None
        del r["conditions"]["weak_mesh"]
    found = risk_coverage.curves([benchmark(rows)], "net")
    assert not {"cut_off", "weak_mesh"} & set(found)
    assert found["low_quality"]["curve"][0]["coverage"] == 0.75


@pytest.mark.parametrize(
    "rows",
    [
        blurred("alone", wrong_below=4),
        [row(n, fake=False, scene=s, sharpness=20.0 + n) for s in "ab" for n in range(5)],
    ],
)
def test_too_few_scenes_or_one_label_choose_nothing(rows):
    rule = risk_coverage.curves([benchmark(rows)], "net")["low_quality"]
    assert (rule["chosen"], rule["why"]) == (None, risk_coverage.TOO_FEW)
    assert risk_coverage.TOO_FEW in risk_coverage.table({"low_quality": rule})
    assert risk_coverage.TOO_FEW in page._limits({"low_quality": rule})


def test_scenes_without_a_name_are_clips():
    rows = [r | {"scene": ""} for r in blurred("a", wrong_below=4)]
    first, second = risk_coverage._halves(rows)
    assert len(first) == len(second) == 10
    assert {r["path"] for r in first}.isdisjoint(r["path"] for r in second)


def test_the_page_draws_every_rule():
    rows = blurred("a", wrong_below=4) + blurred("b", wrong_below=4)
    found = risk_coverage.curves([benchmark(rows)], "net")
    shown = page._limits(found)
    assert shown.count("<polyline") == len(abstention.ABOVE)
    for code in abstention.ABOVE:
        assert code.replace("_", " ") in shown
    # its own chart, three in a row: all clips are left, one of five is wrong
    row, column = divmod(list(abstention.ABOVE).index("low_quality"), 3)
    x, y = 44 + column * 300 + 230, 30 + row * 190 + 120 * 0.8
    assert f'cx="{x:.1f}" cy="{y:.1f}" r="5"><title>the limit in use' in shown
    assert f'points="{x:.1f},{y:.1f} ' in shown
    chosen = found["low_quality"]["chosen"]
    assert f"<title>chosen: {chosen['limit']:.3g}, on the other half" in shown
    assert f"<td>{chosen['elsewhere']['coverage']:.2f}</td>" in shown
