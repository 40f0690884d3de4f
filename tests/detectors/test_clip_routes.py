"""One real pretrained transformer, OpenAI's CLIP ViT-B/16, goes through three routes alike."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from toolkit import media, models
from toolkit.detectors import added, clip_body, listing, registry
from toolkit.detectors.base import InputSpec
from toolkit.detectors.clip_tower import float_body
from toolkit.detectors.reading import Answer, Reading
from toolkit.faces.crops import CropCollector
from toolkit.faces.mesh import LargestFace

pytestmark = pytest.mark.slow

DEPTH, WIDTH = 12, 768
NAME = "vit_base_patch16_clip_quickgelu_224"
ARGUMENTS = {"global_pool": "avg", "final_norm": False, "fc_norm": False}
GIVEN = {
    "answer": Answer((1,), (0,)),
    "reading": Reading.named("clip"),
    "crop": "oval",
    "margin": 0.125,
}


@pytest.fixture(scope="module")
def tower():
    pytest.importorskip("transformers")
    pytest.importorskip("onnxscript")
    if not (models.CACHE / models.find(clip_body.ID).file).is_file():
        pytest.skip("CLIP's tower was not fetched")
    return float_body([DEPTH])


@pytest.fixture(scope="module")
def faces(sample):
    """Crops of a genuine and a planted sample, four of each."""
    finder, rows = LargestFace(), []
    for name in ("cap12_edit", "planted_cap12"):
        collector = CropCollector(InputSpec(224, 0.125))
        video = media.probe(sample(name))
        middle = len(video.pts) // 2
        for frame in media.read(video, middle + 4 * np.arange(4)):
            if (face := finder.detect(frame.rgb)) is not None:
                collector.add(frame.rgb, *face)
        rows.append(collector.crops().rgb)
    return rows


@pytest.fixture(scope="module")
def head(tower, faces):
    """A linear head, fitted to tell the two apart by the mean of the last tokens."""
    with torch.inference_mode():
        features = [mean_tokens(tower, rgb) for rgb in faces]
    x = torch.cat(features).clone()
    y = torch.cat([torch.full((len(f),), i) for i, f in enumerate(features)])
    torch.manual_seed(0)
    net = nn.Linear(WIDTH, 2)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(200):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    return net


def mean_tokens(tower, rgb):
    x = torch.from_numpy(rgb).permute(0, 3, 1, 2).float()
    return torch.cat([tower(part)[:, 0].mean(1) for part in x.split(4)])


@pytest.fixture(scope="module")
def in_hugging_face(tower, head, tmp_path_factory):
    """The network in Hugging Face's layout, and the folder where it is saved."""
    import transformers

    config = transformers.CLIPConfig(
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "num_hidden_layers": DEPTH,
            "num_attention_heads": 12,
            "image_size": 224,
            "patch_size": 16,
        },
        text_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1},
    )
    config.id2label, config.label2id = {0: "real", 1: "fake"}, {"real": 0, "fake": 1}
    net = transformers.CLIPForImageClassification(config).eval()
    ours = tower.state_dict()
    state = dict(net.state_dict())
    base = next(k for k in state if k.endswith("class_embedding")).removesuffix(
        "embeddings.class_embedding"
    )
    state[f"{base}embeddings.class_embedding"] = ours["first"]
    state[f"{base}embeddings.patch_embedding.weight"] = ours["patches.weight"]
    state[f"{base}embeddings.position_embedding.weight"] = ours["places"]
    for part in ("weight", "bias"):
        state[f"{base}pre_layrnorm.{part}"] = ours[f"norm.{part}"]
        for i in range(DEPTH):
            theirs, mine = f"{base}encoder.layers.{i}.", f"blocks.{i}."
            for j, letter in enumerate("qkv"):
                state[f"{theirs}self_attn.{letter}_proj.{part}"] = ours[f"{mine}qkv.{part}"].chunk(
                    3
                )[j]
            for a, b in (
                ("self_attn.out_proj", "proj"),
                ("mlp.fc1", "fc1"),
                ("mlp.fc2", "fc2"),
                ("layer_norm1", "norm1"),
                ("layer_norm2", "norm2"),
            ):
                state[f"{theirs}{a}.{part}"] = ours[f"{mine}{b}.{part}"]
        state[f"classifier.{part}"] = head.state_dict()[part]
    net.load_state_dict(state)
    folder = tmp_path_factory.mktemp("routes") / "clip"
    net.save_pretrained(folder)
    transformers.CLIPImageProcessor().save_pretrained(folder)
    return net, folder


def in_timm(tower, head, path):
    ours = tower.state_dict()
    state = {
        "cls_token": ours["first"].view(1, 1, -1),
        "pos_embed": ours["places"][None],
        "patch_embed.proj.weight": ours["patches.weight"],
    }
    for part in ("weight", "bias"):
        state[f"norm_pre.{part}"] = ours[f"norm.{part}"]
        for i in range(DEPTH):
            for a, b in (
                ("attn.qkv", "qkv"),
                ("attn.proj", "proj"),
                ("mlp.fc1", "fc1"),
                ("mlp.fc2", "fc2"),
                ("norm1", "norm1"),
                ("norm2", "norm2"),
            ):
                state[f"blocks.{i}.{a}.{part}"] = ours[f"blocks.{i}.{b}.{part}"]
        state[f"head.{part}"] = head.state_dict()[part]
    save_file({k: v.detach().clone().contiguous() for k, v in state.items()}, path)


class Logits(nn.Module):
    """What is exported: a classifier's outputs alone."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(pixel_values=x).logits


def in_onnx(net, path):
    torch.onnx.export(
        Logits(net),
        (torch.zeros(1, 3, 224, 224),),
        str(path),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


@pytest.mark.parametrize("route", ["hf", "timm", "onnx"])
def test_each_route_gives_the_same_logits(
    route, tower, head, faces, in_hugging_face, tmp_path, monkeypatch
):
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "store"))
    rgb = np.concatenate([f[::3] for f in faces])
    with torch.inference_mode():
        out = head(mean_tokens(tower, rgb))
        truth = (out[:, 1] - out[:, 0]).numpy()
    n = len(faces[0][::3])
    assert truth[:n].max() < truth[n:].min()  # the head does tell the two clips apart
    net, source = in_hugging_face
    network = None
    if route == "timm":
        source, network = tmp_path / "clip.safetensors", NAME
        in_timm(tower, head, source)
    elif route == "onnx":
        source = tmp_path / "clip.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own
            in_onnx(net, source)
    draft = added.draft_of(
        str(source),
        work=tmp_path,
        network=network,
        arguments=ARGUMENTS if network else None,
    )
    given = {k: v for k, v in GIVEN.items() if k not in draft.known}
    added.add(route, draft, given)
    answers = registry.load(route, device="cpu").logits(rgb)
    apart = float(np.abs(answers - truth).max())
    print(f"{route}: logits {apart:.1e} apart, of size {np.abs(truth).max():.1f}")
    assert apart < 1e-4
