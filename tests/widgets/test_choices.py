"""Menus that know a choice from being filled, and one selection for all panels."""

from __future__ import annotations

import pytest
from traitlets import TraitError

from tests.player.made_up import made
from toolkit import _i18n
from toolkit.player import Scene
from toolkit.widgets.choices import Buttons, LanguageSwitch, Menu, Slider
from toolkit.widgets.player import Player
from toolkit.widgets.selection import Selection

AB = [("Ay", "a"), ("Bee", "b")]


@pytest.mark.parametrize("kind", [Menu, Buttons, Slider])
def test_filling_is_no_choice(kind):
    menu, chosen = kind(options=[("–", "")]), []
    menu.on_choose(chosen.append)
    menu.offer(AB, "b")
    assert (menu.value, chosen) == ("b", [])
    menu.value = "a"
    assert chosen == ["a"]
    menu.offer([("A", "a"), ("B", "b")], "a")
    assert chosen == ["a"]


def test_new_words_keep_what_was_chosen():
    menu, chosen = Menu(options=[]), []
    menu.on_choose(chosen.append)
    menu.rename(AB, "b")
    assert (menu.value, chosen) == ("b", ["b"])  # nothing was chosen before: heard like a choice
    menu.rename([("A", "a"), ("B", "b")])
    assert (menu.value, chosen) == ("b", ["b"])
    menu.rename([("A", "a")])
    assert (menu.value, chosen) == ("a", ["b", "a"])
    menu.rename([])
    assert menu.value is None


def test_the_language_switch_changes_the_language_and_says_so():
    _i18n.set_language("en")
    heard = []
    switch = LanguageSwitch(lambda: heard.append(_i18n.language()))
    switch.value = "nl"
    switch.value = "en"
    assert heard == ["nl", "en"]


def test_a_selection_knows_its_people():
    selection = Selection(person="A")
    selection.people = ("A", "B")
    selection.person = "<b>"
    assert selection.person == "A"
    selection.person = "B"
    assert selection.person == "B"
    with pytest.raises(TraitError):
        selection.region = "ear"


def test_a_player_and_a_selection_follow_each_other_until_untied(face_models, tmp_path):
    clip = made(tmp_path, frames=40)
    player, selection = Player(Scene.of(clip.report, clip.copy, crops=clip.crops)), Selection()
    untie = selection.tie(player)
    assert (selection.person, selection.row) == (player.person, player.position)
    player.frame = 20
    assert selection.row == player.position
    track = clip.report.tracks[0].track
    selection.row = 3
    assert clip.copy.indices[player.frame] == track.indices[3]
    assert player.position == 3
    player.region = "mouth"
    assert selection.region == "mouth"
    selection.person = "B"
    assert player.person == "B"
    assert selection.row == player.position
    untie()
    player.frame, selection.region = 0, "nose"
    assert selection.person == "B"
    assert player.region == "mouth"
