"""The page that plays by itself: all is inside, and nothing runs but its own script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.player.made_up import made
from toolkit import _i18n
from toolkit.player import Scene
from toolkit.report import playable


@pytest.fixture(scope="module")
def clip(face_models, tmp_path_factory):
    return made(tmp_path_factory.mktemp("clip"), frames=30)


def block(page: str, name: str) -> str:
    return re.search(rf'<script type="[^"]+" id="{name}">(.*?)</script>', page, re.DOTALL)[1]


def test_everything_is_inside_and_nothing_outside(clip, tmp_path):
    out = playable.write(clip.report, tmp_path / "page.html", display=clip.copy, crops=clip.crops)
    page = out.read_text(encoding="utf-8")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert not re.search(r"\b(src|href)=", page)
    scene = Scene.of(clip.report, clip.copy, crops=clip.crops)
    assert base64.b64decode(block(page, "video-0")) == clip.copy.read_bytes()
    assert base64.b64decode(block(page, "data-0")) == scene.data
    state = json.loads(block(page, "state"))
    assert state["scenes"] == [json.loads(json.dumps(scene.facts))]
    assert clip.video.sha256 in page
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_only_its_own_script_may_run(clip):
    page = playable.page(Scene.of(clip.report, clip.copy))
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert f"script-src &#x27;sha256-{digest}&#x27;;" in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert "default-src &#x27;none&#x27;" in policy


def test_hostile_text_stays_text(clip):
    hostile = "</script><img src=x onerror=alert(1)><!--"
    report = replace(
        clip.report,
        video=replace(clip.video, path=Path(f"/tmp/{hostile}.mp4")),
        settings=clip.report.settings | {"toolkit": hostile},
    )
    scene = Scene.of(report, clip.copy, label=hostile)
    page = playable.page(scene)
    assert "<img" not in page
    assert page.count("</script>") == 4
    assert "<!--" not in page
    assert json.loads(block(page, "state"))["strings"][0]["label"] == hostile


def test_language_is_that_of_the_page(clip, tmp_path):
    out = playable.write(clip.report, tmp_path / "nl.html", display=clip.copy, language="nl")
    page = out.read_text(encoding="utf-8")
    assert '<html lang="nl">' in page
    assert json.loads(block(page, "state"))["strings"][0]["play"] == "Afspelen"
    assert "Hoe dit te lezen" in page
    assert _i18n.language() == "en"


def test_same_input_same_page(clip):
    first, second = (playable.page(Scene.of(clip.report, clip.copy)) for _ in range(2))
    assert first == second
