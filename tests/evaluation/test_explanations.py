"""The explanation benchmark: alignment, masks, scores with a known answer, and a planted pair."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from toolkit import cli, media
from toolkit.detectors.base import Card, InputSpec
from toolkit.errors import Cancelled, UsageError
from toolkit.evaluation import explanations
from toolkit.evaluation.explanations import (
    Told,
    benchmark,
    controls,
    find_truth,
    method_keys,
    read_pairs,
    scene_interval,
    score,
    top_overlap,
)
from toolkit.types import PLAYERS, Evidence, PatchHead

SPEC = InputSpec(size=224, margin=0.125)
HEADER = "original,fake,method,scene,kind,n_common_frames,crop_x\n"


class Blocks:
    """Calls a tile forged by its share of red: it knows the answer, as the scores must show."""

    spec = SPEC
    card = Card("blocks", "test", "0" * 64, 0.0, "none", ())
    device = "cpu"

    def evidence(self, crops, *, tick=lambda *_: None):
        rgb = crops.rgb.astype(float)
        red = rgb[..., 0] - rgb[..., 1] > 100
        n = len(red)
        tiles = red.reshape(n, 14, 16, 14, 16).mean(axis=(2, 4)).astype(np.float32)
        patches = 8 * tiles - 2
        logits = np.log(np.exp(4 * patches.astype(float)).mean(axis=(1, 2))) / 4
        head = PatchHead(4.0, 1.0, 0.0, np.full((14, 14), -2, np.float32))
        spans = np.stack([np.arange(n)] * 2, axis=1)
        return Evidence(logits.astype(np.float32), spans, patches, head)


@pytest.fixture(scope="module")
def pair_list(sample, tmp_path_factory):
    """Return a list of one pair: a genuine stretch, and its copy with a planted mouth."""
    from toolkit.forge.plant import plant

    folder = tmp_path_factory.mktemp("pairs")
    options = {"regions": ["mouth"], "start_s": 1.0, "end_s": 3.0, "keep": (24.0, 26.0)}
    source = sample("cap12_edit")
    plant(source, folder / "fake.mp4", kind="colour", strength=3.0, **options)
    plant(source, folder / "original.mp4", kind="colour", strength=0.0, **options)
    (folder / "pairs.csv").write_text(HEADER + "original.mp4,fake.mp4,planted,one,mouth,,0\n")
    return folder / "pairs.csv"


def test_the_changed_area_is_the_planted_one(pair_list):
    (pair,) = read_pairs(pair_list)
    truth = find_truth(pair, SPEC, frames=4)
    assert truth.masks.shape == (4, 224, 224)
    assert truth.by_pixel
    assert truth.ratio > 2
    assert PLAYERS[truth.regions[0]] == "mouth"
    inside = truth.crops.players == PLAYERS.index("mouth")
    assert (truth.masks & inside).sum() > 0.6 * truth.masks.sum()
    assert truth.masks.any(axis=(1, 2)).tolist() == [False, False, True, True]  # from 1.0 s on
    assert truth.masks.mean() < 0.15


def test_a_method_that_knows_beats_the_controls(pair_list, tmp_path):
    keys = ["ledger", "intervention"]
    pairs = read_pairs(pair_list)
    result = benchmark(pairs, detector=Blocks(), methods=keys, frames=4, faces=2)
    json.dumps(result, allow_nan=False)
    assert set(result["methods"]) == {*keys, *explanations.CONTROLS}
    assert result["detected"] == {"pairs": 1, "called_fake": 1}
    told, centre = result["methods"]["ledger"], result["methods"]["control.centre"]
    assert told["mass"] > 0.5
    assert told["mass"] > centre["mass"] + 0.3
    assert told["lift_centre"] == pytest.approx(told["mass"] - centre["mass"])
    assert told["hit"] == 1
    assert told["region_hit"] == 1
    assert told["passes"] == 0
    assert told["intervals"]["mass"] is None  # one scene says nothing about another
    assert told["flagged"]["pairs"] == told["common"]["pairs"] == 1
    assert centre["lift_centre"] == 0
    assert result["leads"]["ledger"] == {"planted": {"mouth": 1}}
    (row,) = result["pairs"]
    assert row["truth"] == "pixels"
    assert "mouth" in row["changed"]
    again = benchmark(pairs, detector=Blocks(), methods=["ledger"], frames=4, faces=2)
    assert again["methods"]["ledger"]["mass"] == told["mass"]
    assert "ledger" in explanations.table(result)


def test_the_command_runs_with_the_bundled_detector(pair_list, tmp_path, capsys):
    out = tmp_path / "out.json"
    options = ["--methods", "ledger,captum.grad_cam", "--faces", "1"]
    assert cli.main(["explain-benchmark", str(pair_list), "--out", str(out), *options]) == 0
    result = json.loads(out.read_text())
    assert result["schema"] == explanations.SCHEMA
    assert {"ledger", "captum.grad_cam", "control.centre", "control.random"} <= set(
        result["methods"]
    )
    for key in ("mass", "hit", "rank", "lift_centre", "lift_random", "passes", "seconds"):
        assert result["methods"]["captum.grad_cam"][key] is not None
    assert "captum.grad_cam" in capsys.readouterr().out


def test_a_shifted_original_is_registered_not_resized(pair_list, tmp_path):
    (pair,) = read_pairs(pair_list)
    video = media.probe(pair.original)
    pictures = [
        cv2.copyMakeBorder(f.rgb, 0, 0, 6, 6, cv2.BORDER_REFLECT)
        for f in media.read(video, np.arange(20))
    ]
    media.write_h264(tmp_path / "wide.mp4", pictures, video.pts[:20], crf=12)
    row = f"wide.mp4,{pair.fake},planted,one,mouth,20,"
    (tmp_path / "right.csv").write_text(HEADER + row + "6\n")
    (right,) = read_pairs(tmp_path / "right.csv")
    truth = find_truth(right, SPEC, frames=2)
    assert PLAYERS[truth.regions[0]] == "mouth"
    (tmp_path / "wrong.csv").write_text(HEADER + row + "20\n")
    (wrong,) = read_pairs(tmp_path / "wrong.csv")
    with pytest.raises(UsageError, match="crop_x"):
        find_truth(wrong, SPEC, frames=2)
    result = benchmark([wrong], detector=Blocks(), methods=["ledger"])
    assert "crop_x" in result["pairs"][0]["reason"]
    assert result["methods"]["ledger"]["mass"] is None


def test_nothing_changed_is_no_pair(pair_list, tmp_path):
    (pair,) = read_pairs(pair_list)
    (tmp_path / "same.csv").write_text(f"original,fake\n{pair.fake},{pair.fake}\n")
    result = benchmark(read_pairs(tmp_path / "same.csv"), detector=Blocks(), methods=["ledger"])
    assert result["pairs"][0]["reason"] == "nothing was changed"
    assert result["detected"]["pairs"] == 0


def test_scores_of_maps_with_a_known_answer():
    mask = np.zeros((20, 20), bool)
    mask[:5, :4] = True  # a twentieth
    regions = np.eye(10)[0]

    def of(heat):
        return score(Told(heat, regions, heat == heat.max(), 0, 0.0), mask, [0])

    assert of(mask.astype(float)) == {"mass": 1, "hit": 1, "rank": 1, "region_hit": 1}
    flat = of(np.ones((20, 20)))
    assert flat["mass"] == flat["hit"] == flat["rank"] == pytest.approx(0.05)
    assert of(-mask.astype(float))["mass"] == 0  # no positive mass counts 0
    half = np.zeros((20, 20))
    half[:10, :4] = 1.0
    assert of(half)["mass"] == pytest.approx(0.5)
    assert of(half)["rank"] == pytest.approx(0.5)
    assert top_overlap(half, np.zeros_like(mask)) == 0


def test_controls_score_the_area_and_repeat():
    players = np.arange(10, dtype=np.uint8).repeat(10)[:, None].repeat(100, 1)
    mask = np.zeros((100, 100), bool)
    mask[:20] = True
    made = controls(100, players, seed=1)
    scores = [score(t, mask, []) for t in made["control.random"]]
    assert np.mean([s["mass"] for s in scores]) == pytest.approx(0.2, abs=0.03)
    assert score(made["control.area"][0], mask, [])["rank"] == pytest.approx(0.2)
    assert score(made["control.centre"][0], mask, [])["mass"] < 0.15
    again = controls(100, players, seed=1)
    assert (again["control.random"][3].heat == made["control.random"][3].heat).all()


def test_intervals_are_over_scenes():
    values = np.array([0.0, 0.0, 0.0, 1.0])
    assert scene_interval(values, ["a"] * 4, seed=0) is None
    low, high = scene_interval(values, ["a", "a", "a", "b"], seed=0)
    assert (low, high) == (0, 1)
    assert scene_interval(np.full(4, 0.3), list("abcd"), seed=0) == pytest.approx((0.3, 0.3))


def test_lists_and_names_are_checked(tmp_path):
    path = tmp_path / "list.csv"
    for text, wrong in (
        ("", "empty"),
        ("original\na\n", "lacks a column"),
        ("original,fake,crop_x\na,b,left\n", "whole number"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=wrong):
            read_pairs(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_pairs(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="unknown method"):
        method_keys(["lime"])
    assert "captum.occlusion" in method_keys()
    assert method_keys(["control.centre"]) == ()


def test_it_can_be_cancelled(pair_list):
    def tick(stage, done, total):
        if stage == "intervene":
            raise Cancelled

    with pytest.raises(Cancelled):
        benchmark(read_pairs(pair_list), detector=Blocks(), methods=["intervention"], tick=tick)
