"""Training on faces drawn by code: it learns, repeats, and resumes where it stopped."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from toolkit import models
from toolkit.cli import main as cli
from toolkit.detectors.seamnet_small import SeamNetDetector
from toolkit.errors import ModelError, UsageError
from toolkit.training import data, train


@pytest.fixture
def imagenet():
    try:
        models.path("imagenet_lite0")
    except ModelError as error:
        pytest.skip(str(error))


RECIPE = train.TrainingRecipe(steps=4, pairs=2, seed=5)


def test_item_depends_on_seed_and_number_alone(faces_folder):
    first = data.Blends([faces_folder], seed=1, length=10)
    again = data.Blends([faces_folder], seed=1, length=10)
    again[7]
    for a, b in zip(first[3], again[3], strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first[3][0], data.Blends([faces_folder], seed=2, length=10)[3][0])


def test_pairs_are_what_they_say(faces_folder):
    for item in range(6):
        pictures, tiles, usable = data.Blends([faces_folder], seed=3, length=6)[item]
        assert pictures.shape == (2, 3, 224, 224)
        assert pictures.dtype == torch.uint8
        assert set(tiles.unique().tolist()) <= {0.0, 1.0}
        if usable:
            assert (pictures[0] != pictures[1]).any()


def test_identities_are_kept_apart(faces_folder):
    training = {p.path for p in faces_folder.photos if not p.in_validation}
    validation = {p.path for p in faces_folder.photos if p.in_validation}
    assert training
    assert validation
    same = data.Photo(
        faces_folder.photos[0].path.with_name("Face0_0002.png"), faces_folder.photos[0].mesh
    )
    assert same.in_validation == faces_folder.photos[0].in_validation


def test_empty_folder_is_refused(face_models, tmp_path):
    with pytest.raises(UsageError):
        data.index_folder(tmp_path / "none", tmp_path, weight=1)
    (tmp_path / "faces").mkdir()
    with pytest.raises(UsageError):
        data.index_folder(tmp_path / "faces", tmp_path, weight=1)


def test_rate_is_one_cycle():
    rates = [train.learning_rate(s, train.TrainingRecipe(steps=100)) for s in range(100)]
    assert np.argmax(rates) == 7
    assert rates[-1] < 0.02 * max(rates)


@pytest.mark.slow
def test_resumed_equals_straight(imagenet, faces_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "CHECKPOINT_STEPS", 2)
    monkeypatch.setattr(train, "VALIDATE_STEPS", 10**9)
    monkeypatch.setattr(train, "VALIDATION_PAIRS", 2)
    monkeypatch.setattr(train, "THRESHOLD_FACES", 8)

    class StopError(Exception):
        pass

    def stop_at_two(stage, done, total):
        if done == 2:
            raise StopError

    straight = train.Trainer([faces_folder], tmp_path / "a", RECIPE, device="cpu")
    straight.run(workers=0)
    broken = train.Trainer([faces_folder], tmp_path / "b", RECIPE, device="cpu")
    with pytest.raises(StopError):
        broken.run(workers=0, tick=stop_at_two)
    resumed = train.Trainer([faces_folder], tmp_path / "b", RECIPE, device="cpu")
    assert resumed.resume()
    assert resumed.step == 2
    resumed.run(workers=0)
    for name, value in straight.ema.items():
        assert torch.allclose(value.float(), resumed.ema[name].float(), atol=1e-6), name
    with pytest.raises(UsageError, match="another recipe"):
        train.Trainer(
            [faces_folder], tmp_path / "b", train.TrainingRecipe(seed=6), device="cpu"
        ).resume()

    out = tmp_path / "net.safetensors"
    straight.export(out)
    facts = json.loads(out.with_suffix(".json").read_text())
    assert facts["steps_done"] == 4
    SeamNetDetector(device="cpu", weights=out)  # reads its own card and answers its canary
    again = train.Trainer([faces_folder], tmp_path / "c", RECIPE, start=out, device="cpu")
    for name, value in again.averaged().state_dict().items():
        assert torch.equal(value, straight.averaged().state_dict()[name]), name
    assert all(p.requires_grad for p in again.net.parameters())
    assert again.started_from == facts["sha256"]
    (tmp_path / "c").mkdir()
    again.save()
    with pytest.raises(UsageError, match="another recipe"):  # one that began elsewhere
        train.Trainer([faces_folder], tmp_path / "c", RECIPE, device="cpu").resume()


def test_order_of_a_pair_counts():
    """Of two networks with the same plain loss, the one that tells the pair apart is better."""

    class Fixed(torch.nn.Module):
        def __init__(self, real, fake):
            super().__init__()
            self.z = torch.tensor([real, fake])

        def forward(self, x):
            return self.z.repeat(len(x) // 2), torch.zeros(len(x), 14, 14)

    batch = (torch.zeros(3, 2, 3, 224, 224, dtype=torch.uint8), torch.zeros(3, 14, 14))
    usable = torch.ones(3)
    plain = train.TrainingRecipe(order_weight=0.0)

    def cost(net, recipe, weight=usable):
        return float(train.loss_of(net, *batch, weight, recipe))

    apart, turned = Fixed(-2.0, 2.0), Fixed(2.0, -2.0)
    assert cost(apart, train.TrainingRecipe()) - cost(apart, plain) < 0.02
    assert cost(turned, train.TrainingRecipe()) - cost(turned, plain) > 1.9
    nothing = torch.zeros(3)  # a forgery that cannot be seen teaches no order
    assert cost(turned, train.TrainingRecipe(), nothing) == cost(turned, plain, nothing)


@pytest.mark.slow
def test_it_learns(imagenet, faces_folder, tmp_path):
    """Thirty steps on eight fixed pairs lower the loss: labels and pictures fit together."""
    torch.manual_seed(0)
    net = train.new_network()
    items = [data.Blends([faces_folder], seed=1, length=8)[i] for i in range(8)]
    pictures, tiles, usable = (torch.stack(x) for x in zip(*items, strict=True))
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3)
    losses = []
    for step in range(30):
        half = slice(0, 4) if step % 2 else slice(4, 8)
        loss = train.loss_of(net, pictures[half], tiles[half], usable[half], RECIPE)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])


def test_each_part_of_the_recipe_can_be_asked_for(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(train, "with_allocator", lambda: None)
    monkeypatch.setattr(train, "train", lambda *args, **_options: asked.append(args[3]))
    options = "--steps 9 --rate 0.1 --pairs 3 --patch-weight 0 --order-weight 0.25 --seed 4"
    assert cli.main(["train", "--faces", str(tmp_path), *options.split()]) == 0
    (recipe,) = asked
    assert recipe == train.TrainingRecipe(
        steps=9, rate=0.1, pairs=3, patch_weight=0.0, order_weight=0.25, seed=4
    )
