"""Heads on a made-up body: they learn, repeat, resume, and are written as a detector."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.detectors import test_seamnet2
from toolkit import cli
from toolkit.detectors.seamnet2 import SeamNet2Detector
from toolkit.errors import UsageError
from toolkit.training import clip_head, pages, tokens

body = test_seamnet2.body
RECIPE = clip_head.Recipe(
    blocks=(4, 6), hidden=8, blends=6, steps=6, pairs=3, clips=2, tune_steps=40, seed=5
)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(tokens, "PART", 4)
    monkeypatch.setattr(tokens, "NORM_PAIRS", 2)
    monkeypatch.setattr(clip_head, "CHECKPOINT_STEPS", 2)
    monkeypatch.setattr(clip_head, "VALIDATION_PAIRS", 8)
    monkeypatch.setattr(clip_head, "THRESHOLD_PAIRS", 8)


class StopError(Exception):
    pass


def stop_at(name, number):
    def tick(stage, done, total):
        if stage == name and done == number:
            raise StopError

    return tick


def trained(folder, work, recipe=RECIPE, clips=()):
    trainer = clip_head.Trainer([folder], clips, work, recipe)
    trainer.run()
    return trainer


def test_resumed_equals_straight(body, faces_folder, tmp_path):
    straight = trained(faces_folder, tmp_path / "a")
    broken = clip_head.Trainer([faces_folder], (), tmp_path / "b", RECIPE)
    with pytest.raises(StopError):
        broken.run(tick=stop_at("train", 3))  # the checkpoint is of step 2
    resumed = clip_head.Trainer([faces_folder], (), tmp_path / "b", RECIPE)
    resumed.run()
    for name, value in straight.nets[0].state_dict().items():
        assert torch.equal(value, resumed.nets[0].state_dict()[name]), name
    assert any((value != 0).any() for value in resumed.nets[0].state_dict().values())
    other = dataclasses.replace(RECIPE, rate=0.5)  # has checkpoints of its own
    afresh = trained(faces_folder, tmp_path / "b", other)
    assert not torch.equal(afresh.nets[0].w1, resumed.nets[0].w1)


def test_tokens_are_computed_once(body, faces_folder, tmp_path):
    store = tokens.Store(tmp_path, [faces_folder], RECIPE.shape(1), seed=5)
    with pytest.raises(StopError):
        store.blends(6, tick=stop_at("blends", 5))  # within the second part
    first = store.blends(6)
    again = tokens.Store(tmp_path, [faces_folder], RECIPE.shape(1), seed=5)
    for a, b in zip(first.pairs([0, 5]), again.blends(6).pairs([0, 5]), strict=True):
        assert torch.equal(a, b)
    assert again._reader is None  # nothing was left to compute
    x, tiles, _usable = first.pairs([1])
    assert x.shape == (1, 2, 196, 2 * 768)
    assert x.abs().max() <= 8
    assert x.std() == pytest.approx(1, abs=0.5)
    assert 0 < tiles.mean() < 1
    raw = again.reader(tokens._pictures(_pair(faces_folder)))
    exact = torch.from_numpy((raw - again.scale().mean) / again.scale().std).clamp(-8, 8)
    assert (tokens.unpack(again.scale().pack(raw)) - exact).abs().max() <= 0.5 / tokens.STEP + 1e-6


def _pair(folder):
    return tokens.Blends([folder], seed=5, length=6)[0][0]


@pytest.mark.parametrize("small", [0.0, 0.3])
def test_what_is_trained_is_what_judges(body, faces_folder, tmp_path, small):
    recipe = dataclasses.replace(RECIPE, small_weight=small)
    trainer = trained(faces_folder, tmp_path, recipe)
    out = tmp_path / "head.safetensors"
    facts = trainer.export(out)
    assert facts["steps_done"] == 6
    assert facts["beside_small"] == (small > 0)
    whole, kept = trainer.together(), trainer.store.blends(8, validation=True)
    logits = trainer.judge(whole, kept, np.arange(8))
    assert facts["threshold"] == pytest.approx(np.quantile(logits[:, 0], 0.95))
    detector = SeamNet2Detector(device="cpu", weights=out)
    mine = detector.logits(np.stack(tokens._pictures(_pair(faces_folder))))
    theirs = trainer.judge(whole, trainer.blends, np.array([0]))[0]
    assert mine == pytest.approx(theirs, abs=0.05)  # stored tokens are rounded


def test_it_learns_what_clips_teach(body, faces_folder, tmp_path):
    recipe = dataclasses.replace(RECIPE, tune_weight=5.0, small_weight=0.0)
    clips = [tokens.ListedClip(tmp_path / f"{n}.mp4", n == "fake", n, n) for n in ("real", "fake")]
    rng = np.random.default_rng(0)
    known = {n: np.int8(rng.integers(-20, 20, (3, 196, 2 * 768))) for n in ("real", "fake")}
    known["fake"][:, :40, :50] += 40
    seen = {n: tokens.ClipTokens(x, np.zeros((3, 196), np.float32)) for n, x in known.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens.Store, "clip", lambda _self, path: seen[path.stem])
        trainer = trained(faces_folder, tmp_path, recipe, clips)
        whole = trainer.together()
        told = {n: trainer.judge_clip(whole, tmp_path / f"{n}.mp4") for n in known}
    judged = {n: trainer._asked(trainer.nets[1], tokens.unpack(x))[0] for n, x in known.items()}
    assert not torch.equal(trainer.nets[0].w1, trainer.nets[1].w1)
    assert judged["fake"].min() > judged["real"].max()
    assert told["fake"].min() > told["real"].max()
    assert len(told["real"]) == 3
    facts = trainer.export(tmp_path / "head.safetensors")
    assert facts["heads"] == 2
    assert facts["pages_of_forgeries"] == ["fake"]
    assert facts["training_clips"] == ["fake", "real"]


def test_each_page_is_judged_by_heads_that_saw_others(body, faces_folder, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = ["path,label,dataset"]
    seen = {}
    for page in ("one", "two", "other"):
        for label in ("fake", "real"):
            (tmp_path / f"{page}-{label}.mp4").write_bytes(b"")
            rows.append(f"{page}-{label}.mp4,{label},{page}")
            made = np.int8(rng.integers(-20, 20, (2, 196, 2 * 768)))
            seen[f"{page}-{label}"] = tokens.ClipTokens(made, np.zeros((2, 196), np.float32))
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    monkeypatch.setattr(tokens.Store, "clip", lambda _self, path: seen[path.stem])
    monkeypatch.setattr(pages, "index_folder", lambda *_a, **_k: faces_folder)
    trained_on = []
    run = clip_head.Trainer.run

    def noted(trainer, **more):
        trained_on.append({c.page for c in trainer.listed})
        run(trainer, **more)

    monkeypatch.setattr(clip_head.Trainer, "run", noted)
    recipe = dataclasses.replace(RECIPE, tune_steps=2)
    asked = ([(tmp_path, 1.0)], tmp_path / "clips.csv", tmp_path / "work", recipe)
    found = pages.judge(*asked, under=["one", "two"])
    assert trained_on == [{"two"}, {"one"}, {"one", "two"}]
    assert [(r["page"], r["left_out"]) for r in found] == [
        ("one", "one"),
        ("one", "one"),
        ("two", "two"),
        ("two", "two"),
        ("other", None),
        ("other", None),
    ]
    assert all(len(r["logits"]) == 2 for r in found)
    # the first head is shared, the second one is not
    kept = [p.name.split("-")[1] for p in (tmp_path / "work").glob("head-*.pt")]
    assert sorted(kept) == ["0", "1", "1", "1"]
    with pytest.raises(UsageError, match="no clip that may train"):
        pages.judge(*asked, under=["none"])


def test_forgeries_alone_are_refused(body, faces_folder, tmp_path):
    clip = tokens.ListedClip(tmp_path / "a.mp4", True, "page", "page/swap")
    with pytest.raises(UsageError, match="all clips are forged"):
        clip_head.Trainer([faces_folder], [clip], tmp_path, RECIPE)


def test_lists_of_clips(tmp_path):
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.mp4").write_bytes(b"")
    rows = [
        "path,label,dataset,method,usable",
        "a.mp4,fake,one,swap,yes",
        "b.mp4,real,one,,yes",
        "c.mp4,fake,two,sync,yes",
        "d.mp4,real,two,,demo-only",
    ]
    file = tmp_path / "clips.csv"
    file.write_text("\n".join(rows))
    found = tokens.read_clips([(file, 0.5)])
    assert [(c.path.stem, c.is_fake, c.group) for c in found] == [
        ("a", True, "one/swap"),
        ("b", False, "one"),
        ("c", True, "two/sync"),
    ]
    assert {c.weight for c in found} == {0.5}
    assert [c.path.stem for c in tokens.read_clips([(file, 1)], leave_out=["one"])] == ["c"]
    assert [c.path.stem for c in tokens.read_clips([(file, 1)], under=["a", "c"])] == ["a", "c"]
    with pytest.raises(UsageError, match="three"):
        tokens.read_clips([(file, 1)], leave_out=["three"])
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(UsageError, match="missing"):
        tokens.read_clips([(file, 1)])
    with pytest.raises(UsageError, match="cannot be read"):
        tokens.read_clips([(tmp_path / "none.csv", 1)])
    (tmp_path / "odd.csv").write_text("file\na.mp4")
    with pytest.raises(UsageError, match="column path"):
        tokens.read_clips([(tmp_path / "odd.csv", 1)])


def test_the_command_trains_heads(body, faces_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("toolkit.training.train.with_allocator", lambda: None)
    monkeypatch.setattr(clip_head, "index_folder", lambda *_a, **_k: faces_folder)
    out = tmp_path / "head.safetensors"
    asked = ["--network", "clip-head", "--faces", "any", "--out", str(out), "--blends", "4"]
    asked += ["--work", str(tmp_path), "--steps", "2", "--blocks", "6,4", "--hidden", "8"]
    assert cli.main(["train", *asked]) == 0
    assert "in order" in capsys.readouterr().out
    facts = json.loads(out.with_suffix(".json").read_text())
    assert facts["blocks"] == [4, 6]
    assert facts["recipe"]["hidden"] == 8
    assert cli.main(["train", *asked, "--workers", "2"]) == 2
    assert cli.main(["train", *asked, "--blocks", "all"]) == 2
    assert cli.main(["train", *asked, "--steps", "0"]) == 2
    assert cli.main(["train", *asked, "--small-weight", "1"]) == 2
