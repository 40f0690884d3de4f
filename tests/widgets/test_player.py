"""The player's widgets: traits, messages and words; no browser."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets

from tests.player.made_up import made
from toolkit import _i18n
from toolkit.player import Scene
from toolkit.widgets.player import Player, RegionAsked, SideBySide


@pytest.fixture(scope="module")
def clip(face_models, tmp_path_factory):
    return made(tmp_path_factory.mktemp("clip"), frames=40)


@pytest.fixture
def scene(clip):
    return Scene.of(clip.report, clip.copy, crops=clip.crops)


def test_an_empty_player_shows_nothing_and_can_be_filled(scene):
    player = Player()
    assert player.scenes == []
    assert (player.frame, player.person, player.region, player.position) == (0, "", "", -1)
    player.show(scene)
    assert len(player.scenes) == 1
    assert player.scenes[0]["video"] == scene.copy.read_bytes()
    assert (player.person, player.position) == ("A", 0)
    player.show(None)
    assert (player.scenes, player.person, player.position) == ([], "", -1)


def test_position_follows_frame_and_person(scene, clip):
    player, moved = Player(scene), []
    player.observe(lambda change: moved.append(change["new"]), "position")
    track = clip.report.tracks[0].track
    player.frame = int(track.indices[3])
    assert player.position == 3
    player.person = "B"
    assert player.position == 3  # B was judged in the same frames
    player.frame = 26  # A is away
    player.person = "A"
    assert player.position == -1
    assert moved[0] == 3


def test_a_frame_beyond_the_end_is_no_accident(scene):
    player = Player(scene)
    player.frame = 10_000
    assert player.position >= 0
    with pytest.raises(traitlets.TraitError):
        player.frame = -1


def test_only_real_regions_may_be_chosen(scene):
    player = Player(scene)
    player.region = "nose"
    with pytest.raises(traitlets.TraitError):
        player.region = "ear"


def test_a_click_in_the_picture_is_told_to_all_who_listen(scene):
    player, first, second = Player(scene), [], []
    stop = player.on_region(first.append)
    player.on_region(second.append)
    click = {"type": "region", "region": "mouth", "person": "A", "position": 4, "frame": 12}
    player._handle_custom_msg({**click, "side": 0}, [])
    stop()
    stop()
    player._handle_custom_msg({**click, "region": "nose"}, [])
    player._handle_custom_msg({"type": "other"}, [])
    player._handle_custom_msg("nonsense", [])
    assert first == [RegionAsked("mouth", "A", 4, 12, 0)]
    assert [asked.region for asked in second] == ["mouth", "nose"]


def test_another_language_sends_words_only(scene):
    player, changed = Player(scene), []
    player.observe(lambda change: changed.append(change["name"]))
    _i18n.set_language("nl")
    player.retranslate()
    assert changed == ["strings"]
    assert player.strings[0]["play"] == "Afspelen"


def test_repr_is_short_and_names_shapes(scene):
    said = repr(Player(scene))
    assert said.startswith("Player(Scene(DisplayCopy(copy.mp4, 640x360, 40 frames")
    assert len(said) < 250


def test_a_poster_stands_in_where_widgets_do_not_run(scene):
    data, _metadata = Player(scene)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "calls this video forged" in data["text/html"]
    assert data["text/html"].count("<img") == len(scene.report.tracks[0].key_frames)


def test_a_comparison_within_one_video_sends_it_once(clip, scene):
    right = Scene.of(clip.report, clip.copy, crops=clip.crops, only="B", label="B")
    both = SideBySide(scene, right)
    assert both.scenes[0]["video"]
    assert both.scenes[1]["video"] == b""
    assert [len(s["facts"]["persons"]) for s in both.scenes] == [2, 1]


def test_the_right_side_is_asked_at_its_own_time(clip):
    left = Scene.of(clip.report, clip.copy, only="A")
    right = Scene.of(clip.report, clip.copy, only="B")
    both = SideBySide(left, right, offset_s=0.5)
    both.frame, both.person = 5, "B"
    seconds = float(clip.copy.pts[5]) + 0.5
    expected = int(np.abs(clip.report.tracks[1].track.pts - seconds).argmin())
    assert abs(both.position - expected) <= 1
    both.show(left, right)
    assert (both.offset_s, both.frame, both.person) == (0.0, 0, "A")
