"""Who is looked at, when and where: one selection that all panels of a result share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets

from toolkit.types import REGIONS

if TYPE_CHECKING:
    from toolkit.widgets.player import Player

_OF_PLAYER = {"person": "person", "row": "position", "region": "region"}
"""What a player calls the same."""


class Selection(traitlets.HasTraits):
    """What is looked at in one result.

    A panel sets it when its user chooses, and follows it whoever set it. Setting what is set
    already calls nobody, so that panels need not know whose choice it was.

    Attributes
    ----------
    people
        Who can be selected; empty = whoever is named.
    person
        Letter of a track; empty = nobody.
    row
        Row of that person's track; -1 = the video stands where the person is not judged.
    region
        One of `types.REGIONS`, or empty.
    """

    people: tuple[str, ...] = ()
    person = traitlets.Unicode("")
    row = traitlets.Int(-1)
    region = traitlets.Enum(("", *REGIONS), "")

    @traitlets.validate("person")
    def _stay_with_people(self, proposal: Any) -> str:
        """Ignore whom nobody knows: a name may come from a page."""
        person = str(proposal["value"])
        is_known = not person or not self.people or person in self.people
        return person if is_known else str(self.person)

    def tie(self, player: Player) -> Callable[[], None]:
        """Let a player show what is selected, and select what it shows, beginning with the latter.

        Returns
        -------
        callable
            Call it when the player shows something else.
        """
        names = {theirs: mine for mine, theirs in _OF_PLAYER.items()}

        def select(change: Any) -> None:
            setattr(self, names[change["name"]], change["new"])

        def show(change: Any) -> None:
            setattr(player, _OF_PLAYER[change["name"]], change["new"])

        for mine, theirs in _OF_PLAYER.items():
            setattr(self, mine, getattr(player, theirs))
        player.observe(select, list(names))
        self.observe(show, list(_OF_PLAYER))

        def untie() -> None:
            player.unobserve(select, list(names))
            self.unobserve(show, list(_OF_PLAYER))

        return untie
