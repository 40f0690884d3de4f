"""The benchmark's figures on made-up rows, and a small run of the whole."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from toolkit.detectors.base import Card
from toolkit.errors import UsageError
from toolkit.evaluation.verdicts import baselines, scores
from toolkit.evaluation.verdicts import benchmark as verdicts
from toolkit.types import Sampling
from toolkit.verdict import calibration


def write_list(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_list_is_checked(tmp_path):
    good = {
        "path": "a.mp4",
        "label": "real",
        "method": "",
        "dataset": "d",
        "scene": "s",
        "usable": "yes",
    }
    path = write_list(tmp_path / "c.csv", [good, good | {"usable": "demo-only"}])
    (clip,) = verdicts.read_list(path)
    assert clip.path == tmp_path / "a.mp4"
    assert (clip.scene, clip.group, clip.is_marginal) == ("s", "s", False)
    for wrong in ([good | {"label": "maybe"}], [{"path": "a.mp4"}]):
        with pytest.raises(UsageError):
            verdicts.read_list(write_list(tmp_path / "w.csv", wrong))
    with pytest.raises(UsageError):
        verdicts.read_list(tmp_path / "none.csv")


# --- made-up rows

CARD = Card("net", "", "ab" * 32, 0.5, "", ())


def made_up(tmp_path):
    """Return clips and rows: six footages, each an original and fakes by two methods; two odd."""
    rng = np.random.default_rng(1)
    listed, logits = [], []
    for n in range(6):
        for method in ("", "swap", "mouth"):
            listed.append(
                {
                    "path": f"{n}{method}.mp4",
                    "label": "fake" if method else "real",
                    "method": method,
                    "dataset": "studio",
                    "scene": f"s{n // 2}",
                    "target_scene": f"t{n}",
                    "usable": "yes",
                }
            )
            logits.append({"": 0.0, "swap": 3.0, "mouth": 0.4}[method] + rng.normal(0, 0.5))
    street = {"method": "", "label": "real", "dataset": "street", "target_scene": ""}
    listed += [
        street | {"path": "a.mp4", "scene": "a", "usable": "yes"},
        street | {"path": "b.mp4", "scene": "b", "usable": "marginal"},
    ]
    logits += [9.0, 9.0]
    clips = verdicts.read_list(write_list(tmp_path / "c.csv", listed))
    rows = [
        {"detector": "net", **c.row, "logit": z, "abstained": False, "seconds": 1.0}
        for c, z in zip(clips, logits, strict=True)
    ]
    return clips, rows


def summarise(clips, rows, card=CARD):
    net = SimpleNamespace(card=card)
    blur = [r | {"logit": float(i % 3 == 0), "seconds": None} for i, r in enumerate(rows)]
    return verdicts.summarise(clips, {"net": rows, baselines.BLUR: blur}, {"net": net})


def test_figures_per_source_and_method(tmp_path):
    clips, rows = made_up(tmp_path)
    s = summarise(clips, rows)["net"]
    assert s["per_method"]["studio / swap"]["auc"] == 1.0
    assert s["per_method"]["studio / swap"]["eer"] == 0.0
    assert 0.5 < s["per_method"]["studio / mouth"]["auc"] < 1.0
    studio = s["per_source"]["studio"]
    each = [s["per_method"][f"studio / {m}"]["auc"] for m in ("mouth", "swap")]
    assert studio["mean_auc"] == pytest.approx(np.mean(each))
    low, high = studio["mean_auc_interval"]
    assert low < studio["mean_auc"] < high
    street = s["per_source"]["street"]
    assert (street["auc"], street["eer"], street["mean_auc"], street["fake"]) == (None,) * 4
    assert street["real"]["clips"] == street["real"]["called_fake"] == 1
    assert s["marginal"]["street"]["real"]["clips"] == 1
    hits = [r["logit"] >= 0.5 for r in rows if r["label"] == "real" and r["usable"] == "yes"]
    assert s["fpr"] == pytest.approx(np.mean(hits))
    assert s["fpr_interval"][0] <= s["fpr"] <= s["fpr_interval"][1]
    assert s["likelihood_ratios"] is None


def test_abstained_clips_count_by_force_only(tmp_path):
    clips, rows = made_up(tmp_path)
    before = summarise(clips, rows)["net"]
    for row in rows[1::3]:
        row["abstained"] = True
    after = summarise(clips, rows)["net"]
    swap = after["per_method"]["studio / swap"]["fake"]
    assert (swap["abstained"], swap["rate"], swap["forced_rate"], swap["scored"]) == (6, None, 1, 6)
    assert after["forced_tpr"] == before["forced_tpr"]
    assert after["per_source"]["studio"]["auc"] == before["per_source"]["studio"]["auc"]
    assert after["abstained"] == pytest.approx(6 / 19)
    rows[0]["logit"] = None
    assert summarise(clips, rows)["net"]["per_source"]["studio"]["real"]["scored"] == 5


def test_a_control_has_no_threshold_and_is_compared(tmp_path):
    clips, rows = made_up(tmp_path)
    summary = summarise(clips, rows)
    blur = summary[baselines.BLUR]
    assert (blur["threshold"], blur["fpr"], blur["differences"]) == (None, None, {})
    assert blur["per_source"]["studio"]["auc"] == 0.0
    (found,) = summary["net"]["differences"]["studio"].values()
    assert found["turned"]  # it separates perfectly when turned round: nothing to be ahead of
    assert found["difference"] == pytest.approx(
        summary["net"]["per_source"]["studio"]["mean_auc"] - 1
    )
    assert found["clips"] == 18


def test_likelihood_ratios_only_on_footage_not_fitted_on(tmp_path, monkeypatch):
    clips, rows = made_up(tmp_path)
    usable = [i for i, c in enumerate(clips) if not c.is_marginal]
    told = []

    def use(groups, card=CARD):
        labels = [clips[i].is_fake for i in usable]
        logits = [rows[i]["logit"] for i in usable]
        fitted = calibration.fit(logits, labels, groups)
        monkeypatch.setattr(calibration, "find", lambda _name, _sha, **_rule: fitted)
        summary = summarise(clips, rows, card)
        lines = verdicts.table({"settings": {"reshare": None}, "summary": summary}).splitlines()
        told.append([line.partition("Cllr")[0].strip() for line in lines if "Cllr" in line])
        return fitted, summary["net"]["likelihood_ratios"]

    fitted, found = use([f"elsewhere{i}" for i in usable])
    ratios = fitted.map(np.array([rows[i]["logit"] for i in usable]))
    labels = [clips[i].is_fake for i in usable]
    assert (found["fakes"], found["reals"]) == (12, 7)
    assert found["cllr"] == pytest.approx(calibration.cllr(ratios, labels))
    assert found["cllr_cal"] == pytest.approx(found["cllr"] - found["cllr_min"])
    costs = zip(usable, calibration.costs(ratios, labels), strict=True)
    of_scenes = [(clips[i].scene, clips[i].is_fake, float(cost)) for i, cost in costs]
    assert found["cllr_interval"] == scores.bootstrap_cost(of_scenes, seed=0)
    _, found = use([f"t{i % 4}" for i in range(len(usable))])
    assert (found["fakes"], found["reals"]) == (4, 3)
    _, found = use([clips[i].group for i in usable])
    assert found is None
    # a list may name no footage; then files have the names of what was fitted on, or trained on
    _, found = use(["0", "1", *[f"elsewhere{i}" for i in usable[2:]]])
    assert (found["fakes"], found["reals"]) == (12, 5)
    trained = replace(CARD, trained_on=("2", "3swap"))
    _, found = use([f"elsewhere{i}" for i in usable], trained)
    assert (found["fakes"], found["reals"]) == (11, 6)
    assert told[0] == ["", "studio:"]
    assert told[2] == []
    assert not [t for t in told if t and t[0]]


# --- controls


def test_the_learned_control_never_sees_the_scene_it_judges():
    rng = np.random.default_rng(0)
    scenes = [f"s{i // 4}" for i in range(24)]
    labels = [i % 2 == 0 for i in range(24)]
    # the label shows in the first number; the scene's own mark in the second could be learned
    features = [np.array([y + rng.normal(0, 0.2), rng.normal()]) for y in labels]
    out = baselines.held_out_logits(features, labels, scenes, [True] * 24)
    assert np.mean([(z > 0) == y for z, y in zip(out, labels, strict=True)]) == 1
    flipped = [not y if s == "s0" else y for y, s in zip(labels, scenes, strict=True)]
    again = baselines.held_out_logits(features, flipped, scenes, [True] * 24)
    assert again[:4] == pytest.approx(out[:4])
    assert again[4:] != pytest.approx(out[4:])
    only = baselines.held_out_logits([None, *features[1:]], labels, ["s"] * 24, [True] * 24)
    assert only == [None] * 24


def test_names_are_checked(tmp_path):
    clips, _ = made_up(tmp_path)
    for names, word in (
        (["control.luck"], "no such control"),
        (["control.imagenet"], "ImageNet"),
        (["control.blur", "control.blur"], "differ"),
        ([], "differ"),
    ):
        with pytest.raises(UsageError, match=word):
            verdicts.benchmark(clips, detectors=names)
    with pytest.raises(UsageError, match="zoom"):
        verdicts.benchmark(clips, detectors=["control.blur"], chain="zoom3")


# --- the whole


@pytest.fixture
def clips(planted_piece, genuine_piece, tmp_path):
    rows = [
        {
            "path": str(planted_piece),
            "label": "fake",
            "method": "planted",
            "extra": "kept",
        },
        {"path": str(tmp_path / "absent.mp4"), "label": "real", "method": "", "extra": ""},
        {"path": str(genuine_piece), "label": "real", "method": "", "extra": ""},
    ]
    rows = [r | {"dataset": "samples", "scene": r["path"]} for r in rows]
    return verdicts.read_list(write_list(tmp_path / "c.csv", rows))


@pytest.mark.parametrize(
    ("logits", "decisive", "of_the_clip", "whose"),
    [
        ([0.5, 2.0], "B", 2.0, "B"),
        ([-3.0, 4.0], None, -3.0, "A"),  # both abstain: the verdict is that of the first
        ([None, 4.0, 5.0], None, None, "C"),
        ([None], None, None, None),
        ([], None, None, None),
    ],
)
def test_whose_logit_counts(logits, decisive, of_the_clip, whose):
    def said(logit):
        return SimpleNamespace(logit=logit)

    tracks = [
        SimpleNamespace(track=SimpleNamespace(person=p), verdict=said(z))
        for p, z in zip("ABC", logits, strict=False)
    ]
    report = SimpleNamespace(tracks=tracks, verdict=said(of_the_clip), decisive=decisive)
    found = verdicts.speaking(report)
    assert (found and found.track.person) == whose


def test_small_run(clips):
    names = ["seamnet-small", *baselines.NAMES[:2]]
    result = verdicts.benchmark(clips, detectors=names, device="cpu", sampling=Sampling(frames=16))
    assert [r["detector"] for r in result["clips"]] == [n for n in names for _ in clips]
    planted, absent, genuine = result["clips"][:3]
    assert planted["extra"] == "kept"
    assert planted["faces"] == genuine["faces"] == 1
    assert planted["conditions"]["face_too_small"] > 64
    assert absent["abstained"]
    assert (absent["logit"], absent["conditions"]) == (None, None)
    assert "absent.mp4" in absent["reason"]
    source = result["summary"]["seamnet-small"]["per_source"]["samples"]
    assert source["real"]["clips"] == 2
    assert source["real"]["abstained"] == 1
    assert source["auc"] in (0.0, 1.0)
    size, blur = (result["clips"][i : i + 3] for i in (3, 6))
    video = clips[0].path.stat().st_size
    assert video / 20 < size[0]["logit"] < video
    assert blur[0]["logit"] < 0
    assert (size[1]["logit"], blur[1]["logit"]) == (None, None)
    assert "absent.mp4" in blur[1]["reason"]
    json.dumps(result, allow_nan=False)
    text = verdicts.table(result)
    assert "samples" in text
    assert "control.blur" in text


def test_controls_alone_and_behind_a_chain(clips):
    run = {"detectors": ["control.size", "control.blur"], "sampling": Sampling(frames=16)}
    plain = verdicts.benchmark(clips[:2], **run)
    shared = verdicts.benchmark(clips[:2], chain="scale120,crf40", **run)
    assert shared["settings"]["reshare"] == "scale120,crf40"
    before, after = ([r["logit"] for r in x["clips"]] for x in (plain, shared))
    assert after[0] < before[0]  # fewer bytes
    assert after[2] > before[2]  # more blur
    assert after[1] is None
    assert "absent.mp4" in shared["clips"][1]["reason"]
