"""Every route: random weights in the published layout, saved, added, loaded: the same logits."""

from __future__ import annotations

import json
import shutil
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from toolkit.detectors import added, gend, hub, listing, recipe, registry
from toolkit.detectors.kinds import kind_of
from toolkit.detectors.reading import NORMALISATIONS, Answer, Reading
from toolkit.errors import DetectorError, FetchError, ModelError, UsageError

RNG = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


def crops(size, n=3):
    return RNG.integers(0, 256, (n, size, size, 3)).astype(np.uint8)


def read(rgb, name="half"):
    mean, std = NORMALISATIONS[name]
    return Reading(mean, std).read(torch.from_numpy(rgb).permute(0, 3, 1, 2).float())


@torch.inference_mode()
def difference(net, x):
    out = net(x)
    out = getattr(out, "logits", out)
    return (out[:, 1] - out[:, 0]).numpy()


# --- Hugging Face


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory):
    """A small classifier in the layout of the hub, with its processor; and the network."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    config = transformers.ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=48,
        patch_size=16,
        id2label={0: "Fake", 1: "Real"},
    )
    net = transformers.ViTForImageClassification(config).eval()
    folder = tmp_path_factory.mktemp("hf") / "a-model"
    net.save_pretrained(folder)
    processor = transformers.ViTImageProcessor(size={"height": 48, "width": 48})
    processor.save_pretrained(folder)
    return folder, net, processor


def test_a_classifier_of_the_hub_answers_the_same(hf_folder):
    folder, net, processor = hf_folder
    draft = added.draft_of(str(folder), work=folder)
    assert [q.field for q in draft.questions] == ["spec"]
    with pytest.raises(UsageError, match="Which crops was it trained on"):
        added.add("mine", draft, {})
    kept, detector = added.add("mine", draft, {"crop": "box", "margin": 0.3})
    assert kept.answer == Answer((0,), (1,))
    rgb = crops(48)
    # their processor and their network, beside ours
    pixels = processor(list(rgb), return_tensors="pt")["pixel_values"]
    truth = -difference(net, pixels)
    assert detector.logits(rgb) == pytest.approx(truth, abs=1e-4)
    again = registry.load("mine", device="cpu")
    assert again.logits(rgb) == pytest.approx(truth, abs=1e-4)
    assert kind_of(again) == "network"
    assert "mine" in registry.names()
    assert "mine" in registry.available()
    x = torch.from_numpy(rgb).permute(0, 3, 1, 2).float()
    assert again.net(x).numpy() == pytest.approx(truth, abs=1e-4)
    direct = registry.load(f"hf:{folder}", device="cpu")
    assert direct.logits(rgb) == pytest.approx(truth, abs=1e-4)


def test_a_folder_with_code_is_refused(hf_folder, tmp_path):
    folder = tmp_path / "evil"
    shutil.copytree(hf_folder[0], folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(ModelError, match="wants code of its own"):
        added.draft_of(str(folder), work=tmp_path)


def test_a_folder_whose_weights_are_another_networks_is_refused(hf_folder, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(hf_folder[0], folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["more"] = torch.zeros(1)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    draft = added.draft_of(str(folder), work=tmp_path)
    with pytest.raises(ModelError, match="do not belong to this network: more"):
        added.add("other", draft, {"crop": "box"})
    assert registry.further() == ()


def test_unknown_classes_are_asked_for(hf_folder, tmp_path):
    folder = tmp_path / "labels"
    shutil.copytree(hf_folder[0], folder)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "LABEL_0", "1": "LABEL_1"}
    (folder / "config.json").write_text(json.dumps(config))
    draft = added.draft_of(str(folder), work=tmp_path)
    with pytest.raises(UsageError, match=r"Which output means fake.*0 = LABEL_0"):
        added.add("labels", draft, {"crop": "box"}, assume=True)
    added.add("labels", draft, {"crop": "box", "answer": Answer((1,), (0,))})


def test_a_processor_that_cuts_the_middle_shrinks_the_margin():
    from toolkit.detectors.hugging_face import read_processor

    found = read_processor(
        {
            "do_center_crop": True,
            "size": {"shortest_edge": 256},
            "crop_size": {"height": 224, "width": 224},
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        }
    )
    assert (found["size"], found["middle"]) == (224, 0.875)
    draft = recipe.Draft("huggingface", __file__ and recipe.Path(__file__), (), found)
    kept = recipe.settle(draft, "a", {"answer": Answer((0,)), "crop": "box", "margin": 0.15})
    assert 1 + 2 * kept.spec.margin == pytest.approx(1.3 * 0.875)


def test_without_the_package_the_remedy_is_told(hf_folder, monkeypatch):
    monkeypatch.setattr("toolkit.detectors.hugging_face.find_spec", lambda _name: None)
    draft = added.draft_of(str(hf_folder[0]), work=hf_folder[0])
    with pytest.raises(DetectorError, match=r"transformers.*--with hub"):
        added.add("mine", draft, {"crop": "box"})


# --- timm


def timm_net(outputs=2):
    import timm

    torch.manual_seed(4)
    return timm.create_model("mobilenetv3_small_050", num_classes=outputs).eval()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_state_dict_by_timms_name(tmp_path, suffix):
    net = timm_net()
    path = tmp_path / f"w{suffix}"
    state = {f"module.{k}": v for k, v in net.state_dict().items()}
    save_file(state, path) if suffix == ".safetensors" else torch.save({"model": state}, path)
    draft = added.draft_of(str(path), work=tmp_path, network="mobilenetv3_small_050")
    assert {q.field for q in draft.questions} == {"spec", "answer", "reading"}
    given = {"answer": Answer((1,), (0,)), "reading": Reading.named("half"), "crop": "oval"}
    _kept, detector = added.add("m", draft, given)
    rgb = crops(224)
    truth = difference(net, read(rgb))
    assert detector.logits(rgb) == pytest.approx(truth, abs=1e-4)
    path.unlink()
    assert registry.load("m", device="cpu").logits(rgb) == pytest.approx(truth, abs=1e-4)


def test_the_wrong_name_or_number_of_classes_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(timm_net(5).state_dict(), path)
    given = {"answer": Answer((1,), (0,)), "reading": Reading(), "crop": "oval"}
    draft = added.draft_of(str(path), work=tmp_path, network="mobilenetv3_small_050")
    assert "5 outputs" in str(next(q.text for q in draft.questions if q.field == "answer"))
    with pytest.raises(ModelError, match="expected"):
        added.add("m", draft, given)
    with pytest.raises(ModelError, match="do not belong"):
        added.draft_of(str(path), work=tmp_path, network="resnet18")
    with pytest.raises(UsageError, match="timm knows no such network"):
        added.draft_of(str(path), work=tmp_path, network="resnet_of_mine")
    with pytest.raises(UsageError, match="cannot be given"):
        added.draft_of(
            str(path), work=tmp_path, network="resnet18", arguments={"pretrained_cfg": "x"}
        )
    nameless = added.draft_of(str(path), work=tmp_path)
    with pytest.raises(UsageError, match="Which network is it"):
        added.add("m", nameless, given)


def test_weights_that_changed_after_they_were_added_are_refused(tmp_path, store):
    path = tmp_path / "w.safetensors"
    save_file(timm_net().state_dict(), path)
    draft = added.draft_of(str(path), work=tmp_path, network="mobilenetv3_small_050")
    given = {"answer": Answer((1,), (0,)), "reading": Reading(), "crop": "oval"}
    added.add("m", draft, given)
    file = store / "m" / "w.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(ModelError, match="damaged or another one"):
        registry.load("m", device="cpu")
    card = store / "m" / listing.FILE
    changed = json.loads(card.read_text())
    changed["sha256"] = sha256(file.read_bytes()).hexdigest()
    changed["canary"] += 1
    card.write_text(json.dumps(changed))
    with pytest.raises(ModelError, match="canary logit"):
        registry.load("m", device="cpu")
    for bad in ("{}", "no json", json.dumps(changed | {"file": "../../etc/passwd"})):
        card.write_text(bad)
        with pytest.raises(ModelError, match="card of a detector"):
            registry.load("m", device="cpu")


# --- ONNX


def onnx_bytes(*, size=32, last=False, batch="N", sigmoid=False, external=False, squared=False):
    """A linear network: the mean of each colour, weighted; two outputs."""
    onnx = pytest.importorskip("onnx")
    h = onnx.helper
    shape = [batch, size, size, 3] if last else [batch, 3, size, size]
    axes = [1, 2] if last else [2, 3]
    weight = onnx.numpy_helper.from_array(
        np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]], np.float32), "w"
    )
    if external:
        onnx.external_data_helper.set_external_data(weight, "w.bin")
        weight.ClearField("raw_data")
    nodes = [
        h.make_node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
        h.make_node("MatMul", ["m", "w"], ["y" if not sigmoid else "z"]),
    ]
    if squared:
        nodes[1].output[0] = "z"
        nodes.append(h.make_node("Mul", ["z", "z"], ["y"]))
    if sigmoid:
        nodes.append(h.make_node("Softmax", ["z"], ["y"], axis=1))
    graph = h.make_graph(
        nodes,
        "g",
        [h.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [h.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [batch, 2])],
        [weight, onnx.numpy_helper.from_array(np.array(axes, np.int64), "axes")],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def linear(rgb, name="half"):
    mean, std = np.array(NORMALISATIONS[name])
    colours = ((rgb / 255 - mean) / std).mean(axis=(1, 2))
    out = colours @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]])
    return out[:, 1] - out[:, 0]


GIVEN = {"answer": Answer((1,), (0,)), "reading": Reading.named("half"), "crop": "oval"}


@pytest.mark.parametrize("last", [False, True], ids=["colours first", "colours last"])
@pytest.mark.parametrize("batch", ["N", 1, 2])
def test_an_onnx_file_in_any_layout(tmp_path, last, batch):
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes(last=last, batch=batch))
    draft = added.draft_of(str(path), work=tmp_path)
    assert {q.field for q in draft.questions} == {"spec", "reading", "answer"}
    _kept, detector = added.add("o", draft, GIVEN)
    rgb = crops(32, 5)
    assert detector.logits(rgb) == pytest.approx(linear(rgb), abs=1e-4)
    assert kind_of(registry.load("o", device="cpu")) == "black_box"


def test_a_size_that_the_file_does_not_tell_is_asked_for(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes(size="S"))
    draft = added.draft_of(str(path), work=tmp_path)
    with pytest.raises(UsageError, match="How large are its pictures"):
        added.add("o", draft, GIVEN)
    _kept, detector = added.add("o", draft, {**GIVEN, "size": 40})
    assert detector.spec.size == 40


def test_a_softmax_inside_is_noticed_and_must_be_named(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes(sigmoid=True))
    draft = added.draft_of(str(path), work=tmp_path)
    given = {**GIVEN, "answer": Answer((1,), (0,), "probabilities")}
    _kept, detector = added.add("o", draft, given)
    rgb = crops(32)
    assert detector.logits(rgb) == pytest.approx(linear(rgb), abs=1e-3)


def test_what_is_no_network_of_pictures_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    for content, cause in (
        (b"", "cannot be run"),
        (b"garbage", "cannot be run"),
        (onnx_bytes(external=True), "cannot be run"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=cause):
            added.draft_of(str(path), work=tmp_path)


# --- GenD


def clip_tensors(layers=2):
    """CLIP-L/14's vision tower in reduced depth, as GenD publishes it; and the tower."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(5)
    config = transformers.CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=layers,
        num_attention_heads=16,
        image_size=224,
        patch_size=14,
        projection_dim=768,
    )
    tower = transformers.CLIPVisionModelWithProjection(config).eval()
    tensors = {f"feature_extractor.{k}": v for k, v in tower.state_dict().items()}
    return tensors, tower


def gend_folder(folder, tensors, backbone, head, width):
    head_net = nn.Linear(width, 2)
    tensors = tensors | {f"model.linear.{k}": v for k, v in head_net.state_dict().items()}
    folder.mkdir()
    save_file(
        {k: v.detach().contiguous() for k, v in tensors.items()}, folder / "model.safetensors"
    )
    config = {"model_type": "GenD", "backbone": backbone, "head": head, "auto_map": {"a": "b.C"}}
    (folder / "config.json").write_text(json.dumps(config))
    return head_net


@pytest.mark.parametrize("head", gend.HEADS)
def test_gend_with_clip(tmp_path, head):
    tensors, tower = clip_tensors()
    folder = tmp_path / "g"
    linear_net = gend_folder(folder, tensors, "openai/clip-vit-large-patch14", head, 1024)
    rgb = crops(224, 2)
    with torch.inference_mode():
        features = tower.vision_model(read(rgb, "clip")).pooler_output
        if head == "LinearNorm":
            features = features / features.norm(dim=1, keepdim=True)
        out = linear_net(features)
        truth = (out[:, 1] - out[:, 0]).numpy()
    draft = added.draft_of(f"gend:{folder}", work=tmp_path)
    assert draft.questions == ()
    kept, detector = added.add("g", draft, {})
    assert detector.logits(rgb) == pytest.approx(truth, abs=1e-4)
    assert (kept.spec.crop, kept.spec.margin, kept.spec.size) == ("five_points", 0.15, 224)
    assert "MIT" in kept.licence


def test_gend_with_perception_encoder(tmp_path):
    import timm

    torch.manual_seed(6)
    name = "vit_pe_core_large_patch14_336"
    tower = timm.create_model(name, num_classes=0, dynamic_img_size=True, depth=1).eval()
    tensors = {f"feature_extractor.backbone.{k}": v for k, v in tower.state_dict().items()}
    linear_net = gend_folder(tmp_path / "g", tensors, name, "linear", 1024)
    rgb = crops(336, 1)
    with torch.inference_mode():
        out = linear_net(tower(read(rgb, "half")))
    _kept, detector = added.add("g", added.draft_of(str(tmp_path / "g"), work=tmp_path), {})
    assert detector.logits(rgb) == pytest.approx((out[:, 1] - out[:, 0]).numpy(), abs=1e-4)


@pytest.mark.parametrize("named", ["layer.", "model.layer."])
def test_gend_with_dinov3(tmp_path, named):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(7)
    tower = transformers.DINOv3ViTModel(
        transformers.DINOv3ViTConfig(
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_register_tokens=4,
            patch_size=16,
        )
    ).eval()
    tensors = {
        f"feature_extractor.backbone.{k.replace('model.layer.', named)}": v
        for k, v in tower.state_dict().items()
    }
    backbone = "facebook/dinov3-vitl16-pretrain-lvd1689m"
    linear_net = gend_folder(tmp_path / "g", tensors, backbone, "LinearNorm", 128)
    rgb = crops(224, 1)
    with torch.inference_mode():
        features = tower(pixel_values=read(rgb, "imagenet")).last_hidden_state[:, 0]
        out = linear_net(nn.functional.normalize(features, dim=1))
    kept, detector = added.add("g", added.draft_of(str(tmp_path / "g"), work=tmp_path), {})
    assert detector.logits(rgb) == pytest.approx((out[:, 1] - out[:, 0]).numpy(), abs=1e-4)
    assert "not MIT" in kept.licence


def test_gend_takes_its_own_names_only(tmp_path):
    tensors, _tower = clip_tensors(1)
    gend_folder(tmp_path / "a", tensors | {"more": torch.zeros(1)}, "clip", "linear", 1024)
    tensors.pop("feature_extractor.vision_model.post_layernorm.bias")
    gend_folder(tmp_path / "b", tensors, "clip", "linear", 1024)
    gend_folder(tmp_path / "c", tensors, "resnet50", "linear", 1024)
    for name in "ab":
        draft = added.draft_of(str(tmp_path / name), work=tmp_path)
        with pytest.raises(ModelError, match="do not belong"):
            added.add("g", draft, {})
    with pytest.raises(ModelError, match="backbone"):
        added.draft_of(str(tmp_path / "c"), work=tmp_path)


# --- the hub


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as is asked: what a model consists of, and its files."""

    files: ClassVar[dict[str, bytes]] = {}
    lies = False
    commit = "c" * 40

    def log_message(self, *_args):
        """Say nothing."""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        path = self.path.split("?")[0]
        if path.startswith("/api/models/o/m/revision/"):
            siblings = [
                {
                    "rfilename": n,
                    "size": len(c),
                    "blobId": "b",
                    "lfs": {"sha256": sha256(c).hexdigest(), "size": len(c), "pointerSize": 1},
                }
                for n, c in self.files.items()
            ]
            content = json.dumps(
                {
                    "id": "o/m",
                    "sha": self.commit,
                    "siblings": siblings,
                    "cardData": {"license": "mit"},
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                    "private": False,
                }
            ).encode()
            self.reply(content, body)
        elif path.startswith(f"/o/m/resolve/{self.commit}/"):
            content = self.files[path.rpartition("/")[2]]
            self.reply(content[::-1] if self.lies else content, body)
        else:
            self.send_error(404)

    def reply(self, content, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def served(hf_folder):
    Hub.files = {p.name: p.read_bytes() for p in hf_folder[0].iterdir()} | {"x.py": b"import os"}
    Hub.lies = False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_of_the_hub_is_shown_first_then_fetched_and_works_offline(
    served, hf_folder, tmp_path
):
    shown = []
    draft = added.draft_of(
        "hub:o/m",
        work=tmp_path,
        confirm=lambda o: shown.append(o) or True,
        endpoint=served,
    )
    (offered,) = shown
    assert offered.licence == "mit"
    assert offered.revision == Hub.commit
    assert {n for n, _size, _sha in offered.files} == {
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
    }
    kept, _detector = added.add("m", draft, {"crop": "box"})
    assert (kept.source, kept.revision, kept.licence) == ("hub:o/m", Hub.commit, "mit")
    rgb = crops(48)
    pixels = hf_folder[2](list(rgb), return_tensors="pt")["pixel_values"]
    offline = registry.load("hub:o/m", device="cpu")
    assert offline.logits(rgb) == pytest.approx(-difference(hf_folder[1], pixels), abs=1e-4)


def test_nothing_is_fetched_unasked_or_believed(served, tmp_path):
    with pytest.raises(DetectorError, match=r"--download"):
        registry.load("hub:o/m")
    with pytest.raises(UsageError, match="nothing was fetched"):
        added.draft_of("hub:o/m", work=tmp_path, confirm=lambda _o: False, endpoint=served)
    assert list(tmp_path.rglob("*.safetensors")) == []
    Hub.lies = True
    with pytest.raises(FetchError, match="not what was offered"):
        added.draft_of("hub:o/m", work=tmp_path, confirm=lambda _o: True, endpoint=served)
    with pytest.raises(FetchError, match="could not be fetched"):
        hub.look("o/other", endpoint=served)
    for bad in ("one", "a/b/c", "../x", "a/..", "http://x/y"):
        with pytest.raises(UsageError, match="OWNER/NAME"):
            hub.look(bad, endpoint=served)


# --- the store


def test_names_of_others_and_odd_names_are_refused(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes())
    draft = added.draft_of(str(path), work=tmp_path)
    for name in ("seamnet", "meso4"):
        with pytest.raises(UsageError, match="another detector"):
            added.add(name, draft, GIVEN)
    for name in ("", "A", "a b", "../a", "control.x", "a:b", "x" * 60):
        with pytest.raises(UsageError, match="no name"):
            added.add(name, draft, GIVEN)
    added.add("o", draft, GIVEN)
    with pytest.raises(UsageError, match="added before"):
        added.add("o", draft, GIVEN)
    added.add("o", draft, {**GIVEN, "title": "second"}, replace=True)
    assert added.read("o").title == "second"
    kept = added.remove("o")
    assert (kept / listing.FILE).is_file()
    assert registry.further() == ()
    with pytest.raises(DetectorError, match="no detector of that name"):
        added.remove("o")
    with pytest.raises(DetectorError, match="there is no detector of that name"):
        registry.load("o")
    for source in ("nothing/here", str(tmp_path / "store" / "x.txt")):
        with pytest.raises(UsageError, match="no such file"):
            added.draft_of(source, work=tmp_path)


# --- plug-ins


def test_a_package_brings_a_detector(tmp_path, monkeypatch):
    package = tmp_path / "site"
    info = package / "louder-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: louder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[doorzicht.detectors]\nlouder = louder:load\nbroken = louder:gone\n"
    )
    (package / "louder.py").write_text(
        "import numpy as np\n"
        "class Louder:\n"
        "    size, fake, name = 24, 0, 'louder'\n"
        "    def __call__(self, crops):\n"
        "        return crops.mean(axis=(1, 2, 3)) - 128\n"
        "def load(device):\n"
        "    return Louder()\n"
    )
    monkeypatch.syspath_prepend(str(package))
    assert {"louder", "broken"} <= set(registry.names())
    detector = registry.load("louder")
    rgb = crops(24)
    assert detector.logits(rgb) == pytest.approx(rgb.mean(axis=(1, 2, 3)) - 128, abs=1e-3)
    with pytest.raises(DetectorError, match="plug-in cannot be loaded"):
        registry.load("broken")
