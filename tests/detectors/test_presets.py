"""Each preset says what the guide's table says."""

from __future__ import annotations

import re

import pytest

from toolkit.detectors import presets
from toolkit.detectors.reading import Answer, Reading
from toolkit.errors import UnknownNameError

NORMALISED = {
    "half": (".5/.5",),
    "imagenet": ("ImageNet",),
    "clip": ("CLIP",),
    "none": ("x/255 only",),
}


@pytest.fixture(scope="module")
def table(shared):
    text = (shared / "guide" / "detector.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \|(.+)\|$", text, re.MULTILINE)
    return {name.strip(): [cell.strip() for cell in rest.split("|")] for name, rest in rows}


@pytest.mark.parametrize("name", list(presets.read_all()))
def test_a_preset_says_what_the_guide_says(name, table):
    preset = presets.read(name)
    cells = [c for n, c in table.items() if n.startswith(preset.row) and len(c) == 6]
    assert len(cells) == 1, "a preset belongs to one row"
    size, normalise, crop, output, where, licence = cells[0]
    assert str(preset.size) in size
    if preset.normalise is None:  # the row leaves it to the model's own configuration
        assert re.search("processor|its config", normalise)
    else:
        assert normalise.strip("*").startswith(NORMALISED[preset.normalise])
    if preset.row.startswith("DeepfakeBench") and crop == "same":
        crop = table[next(n for n in table if n.startswith("DeepfakeBench xception"))][2]
    scale = re.search(r"(?:scale |x)(1\.\d)", crop) or (
        preset.crop == "five_points" and re.search("same", crop)
    )
    part = re.search(r"\+ ?(?:(1)/([38]) per side|(\d+) %)", crop)
    if part:
        one, of, percent = part.groups()
        expected = int(one) / int(of) if one else int(percent) / 100
        assert preset.margin == pytest.approx(expected, abs=1e-3)
    elif scale:
        factor = 1.3 if scale is True or scale.lastindex is None else float(scale[1])
        assert 1 + 2 * preset.margin == pytest.approx(factor)
    else:
        assert preset.crop is None or "same" in crop
    if preset.fake is None:
        assert "unread" in output
    elif output.startswith("sigmoid"):
        assert (preset.fake, preset.real) == ((0,), ())
    elif "1 - softmax[0]" in output:
        assert (preset.fake, preset.real) == ((1, 2, 3, 4), (0,))
    else:
        assert re.search(r"softmax\[1\]|index 1|1 Fake", output)
        assert (preset.fake, preset.real) == ((1,), (0,))
    assert preset.licence.split()[0].strip(",") in licence
    assert where


def test_every_preset_can_be_used():
    import timm

    for preset in presets.read_all().values():
        given = preset.given()
        assert given["preset"] == preset.name
        assert isinstance(given.get("answer", Answer((0,))), Answer)
        assert isinstance(given.get("reading", Reading()), Reading)
        assert preset.network is None or timm.is_model(preset.network)
    with pytest.raises(UnknownNameError, match="deepfakebench"):
        presets.read("mine")
