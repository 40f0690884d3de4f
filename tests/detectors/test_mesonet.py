"""MesoNet: the port against the published figures, the conversion, and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from tests.fakes import crops_of
from toolkit import models
from toolkit.cli import main as cli
from toolkit.detectors import mesonet, registry
from toolkit.errors import DetectorError, ModelError

PICTURES = ("df/df00204", "df/df01254", "real/real00240", "real/real00772")
GENUINE = {
    "meso4": (0.052, 0.020, 0.990, 0.997),
    "mesoinception4": (0.022, 0.001, 1.000, 1.000),
    "meso4_f2f": (0.836, 0.687, 0.881, 0.944),
    "mesoinception4_f2f": (0.999, 1.000, 1.000, 0.999),
}


@pytest.fixture(scope="module")
def published(shared):
    return shared / "data" / "weights" / "mesonet"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.mark.parametrize("name", registry.MESONETS)
def test_the_port_gives_the_published_figures(name, published, cache):
    source = published / mesonet.PUBLISHED[name].file
    assert registry.add_weights(source) == (name, cache / f"{name}.safetensors")
    assert name in registry.available()
    detector = registry.load(name, device="cpu")
    rgb = np.stack(
        [
            cv2.resize(
                cv2.imread(str(published / "test_images" / f"{p}.jpg"))[..., ::-1],
                (256, 256),
                interpolation=cv2.INTER_LINEAR,
            )
            for p in PICTURES
        ]
    )
    genuine = 1 / (1 + np.exp(detector.logits(rgb).astype(float)))
    assert genuine == pytest.approx(GENUINE[name], abs=0.01)
    assert detector.card.name == name
    evidence = detector.evidence(crops_of(rgb))
    assert evidence.patches is None
    assert evidence.logits == pytest.approx(detector.logits(rgb), abs=1e-4)


@pytest.mark.parametrize("inception", [False, True])
def test_shapes_and_number_of_parameters(inception):
    net = mesonet.MesoNet(inception=inception).eval()
    assert net(torch.zeros(3, 3, 256, 256)).shape == (3,)
    # batch normalisation's running figures are in the files, but are not trained
    assert sum(p.numel() for p in net.parameters()) == (28_615 if inception else 27_977)


def test_the_flattening_is_rows_columns_channels():
    net = mesonet.MesoNet(inception=False).eval()
    maps = torch.arange(1024.0).reshape(1, 16, 8, 8)
    net.body = torch.nn.Identity()
    net.head = torch.nn.Sequential(torch.nn.Linear(1024, 1))
    with torch.no_grad():
        net.head[0].weight.zero_()[0, 1] = 255.0  # second number: channel 1 of the first cell
        net.head[0].bias.zero_()
        assert net(maps).item() == pytest.approx(-64.0)


def test_another_file_is_refused(tmp_path, cache, capsys):
    wrong = tmp_path / "Meso4_DF.h5"
    wrong.write_bytes(bytes(mesonet.PUBLISHED["meso4"].bytes))
    with pytest.raises(ModelError, match=r"not a published MesoNet file.*SHA-256"):
        registry.add_weights(wrong)
    assert cli.main(["weights", str(wrong)]) == cli.EXIT_INSTALLATION
    assert "Meso4_DF.h5" in capsys.readouterr().err
    with pytest.raises(ModelError, match="cannot be read"):
        registry.add_weights(tmp_path / "none.h5")
    assert not cache.exists()


def test_without_weights_the_remedy_is_told(cache):
    assert not set(registry.available()) & set(registry.MESONETS)
    with pytest.raises(ModelError, match=r"Meso4_DF\.h5.*python -m toolkit weights"):
        registry.load("meso4")
    cache.mkdir()
    registry.weights("meso4").write_bytes(b"not these")
    with pytest.raises(ModelError, match="damaged or another one"):
        registry.load("meso4")


def test_another_answer_is_refused(published, cache, monkeypatch):
    registry.add_weights(published / "Meso4_DF.h5")
    monkeypatch.setattr(mesonet, "BN_EPS", 0.1)
    with pytest.raises(ModelError, match="canary"):
        registry.load("meso4", device="cpu")


def test_names():
    assert registry.NAMES[0] == "seamnet"
    assert {"meso4", "mesoinception4"} <= set(registry.NAMES)
    with pytest.raises(DetectorError, match="oracle"):
        registry.load("oracle")
