"""What can be compared with the result on screen, and the fields that each choice needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import ipywidgets

from toolkit import figures
from toolkit._i18n import _
from toolkit.storage.cache import Cache
from toolkit.types import TrackResult
from toolkit.widgets.choices import Menu
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench.chooser import detector_title
from toolkit.widgets.workbench.gallery import analysed
from toolkit.widgets.workbench.state import Genuine

if TYPE_CHECKING:
    from toolkit.types import Examination

_WIDE = {"width": "auto", "max_width": "640px"}
_NARROW = {"width": "20em"}
_STYLE = {"description_width": "11em"}
_ROW = {"flex_flow": "row wrap"}

Kind = Literal["moment", "person", "seconds", "detector", "clip"]


@dataclass(frozen=True)
class Other:
    """What the clip on screen can be compared with: a person's letter or a cache entry's name."""

    kind: Kind
    name: str = ""


class CompareFields(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The menu of what to compare with, and the fields of what is chosen in it.

    Parameters
    ----------
    cache
        Where other results are found.
    now_s
        Returns the second that the player beside it shows, or None.
    on_other
        Called when something else is chosen to compare with.
    on_genuine
        Called with a clip that the user calls genuine; with None when he takes that back.

    Attributes
    ----------
    cards
        What is known of each result in the menu, by the name of its cache entry.
    """

    def __init__(
        self,
        cache: Cache,
        now_s: Callable[[], float | None],
        *,
        on_other: Callable[[], None],
        on_genuine: Callable[[Genuine | None], None],
    ) -> None:
        self._cache, self._now_s = cache, now_s
        self._on_genuine = on_genuine
        self.cards: dict[str, dict[str, Any]] = {}
        self.other = classed(Menu(layout=_WIDE, style=_STYLE), "dz-other")
        self.other.on_choose(lambda _other: on_other())
        self.first = classed(Menu(layout=_WIDE, style=_STYLE), "dz-first")
        self.second = classed(Menu(layout=_WIDE, style=_STYLE), "dz-second")
        self.offset = classed(
            ipywidgets.FloatText(step=0.04, layout=_NARROW, style=_STYLE), "dz-later"
        )
        self.start_s, self.end_s = (
            classed(
                ipywidgets.BoundedFloatText(min=0, max=1e6, step=0.1, layout=_NARROW, style=_STYLE),
                name,
            )
            for name in ("dz-known-from", "dz-known-to")
        )
        self.from_here, self.to_here = (
            classed(ipywidgets.Button(layout={"width": "auto"}), name)
            for name in ("dz-from-here", "dz-to-here")
        )
        self.from_here.on_click(lambda _button: self._take_moment(self.start_s))
        self.to_here.on_click(lambda _button: self._take_moment(self.end_s))
        self._from_row = ipywidgets.HBox([self.start_s, self.from_here], layout=_ROW)
        self._to_row = ipywidgets.HBox([self.end_s, self.to_here], layout=_ROW)
        self.genuine = classed(
            ipywidgets.Checkbox(indent=False, layout={"width": "auto"}), "dz-genuine"
        )
        self._ticked = False  # what the box says without the user
        self.genuine.observe(self._on_tick, "value")
        super().__init__(
            [
                self.other,
                self.first,
                self.second,
                self.offset,
                self._from_row,
                self._to_row,
                self.genuine,
            ]
        )

    @property
    def kind(self) -> Kind | None:
        """What is chosen to compare with; None where there is nothing."""
        return self.other.value.kind if self.other.value else None

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self.other.description = _("Compare with")
        self.first.description = _("Left")
        self.second.description = _("Right")
        self.offset.description = _("Right is later by (s)")
        self.start_s.description = _("Genuine from (s)")
        self.end_s.description = _("Genuine to (s)")
        self.from_here.description = _("From the moment on screen")
        self.to_here.description = _("To the moment on screen")
        self.genuine.description = _("The right one is known to be genuine")

    def fill(self, examination: Examination | None, person: str, said: Genuine | None) -> None:
        """Offer what a person can be compared with; what was chosen stays chosen.

        Parameters
        ----------
        examination, person
            What is on screen; None offers nothing.
        said
            What is known to be genuine: it is chosen where nothing else was.
        """
        others = self._others(examination, person)
        offered, chosen = [value for _title, value in others], self.other.value
        usual = self._where_known(examination, said)
        usual = usual if usual in offered else next(iter(offered), None)
        self.other.offer(others, chosen if chosen in offered else usual)
        moments = _moments(_result(examination, person))
        rows = [row for _title, row in moments]
        for menu, end in ((self.first, 0), (self.second, -1)):
            before = menu.value
            menu.offer(moments, before if before in rows else (rows[end] if rows else None))
        self.show(said)

    def forget_choice(self) -> None:
        """Let the next `fill` begin with what is known to be genuine."""
        self.other.offer(self.other.options, None)

    def show(self, said: Genuine | None) -> None:
        """Show the fields of what is chosen, and whether that is known to be genuine."""
        for field, kinds in (
            (self.first, {"moment"}),
            (self.second, {"moment"}),
            (self.offset, {"clip"}),
            (self.genuine, {"clip"}),
            (self._from_row, {"seconds"}),
            (self._to_row, {"seconds"}),
        ):
            field.layout.display = None if self.kind in kinds else "none"
        clip = self.cards[self.other.value.name]["sha256"] if self.kind == "clip" else None
        self._ticked = said is not None and said.clip == clip
        self.genuine.value = self._ticked

    def _others(self, examination: Examination | None, person: str) -> list[tuple[str, Other]]:
        if examination is None:
            return []
        report, mine = examination.report, _result(examination, person)
        others = [
            (_("Person {person} in the same clip").format(person=r.track.person), r.track.person)
            for r in report.tracks
            if r is not mine
        ]
        offered = [(title, Other("person", letter)) for title, letter in others]
        if len(_moments(mine)) > 1:
            offered.append((_("Another moment of the same person"), Other("moment")))
        if mine is not None and not mine.verdict.abstained:
            title = _("Seconds of this clip that are known to be genuine")
            offered.append((title, Other("seconds")))
        entries = analysed(self._cache)
        self.cards = {entry.name: entry.card for entry in entries}
        for entry in entries:
            who = detector_title(entry.card["detector"])
            if entry.card["sha256"] != report.video.sha256:
                title = _("{clip}, judged by {detector}")
                title = title.format(clip=entry.card["name"], detector=who)
                offered.append((title, Other("clip", entry.name)))
            elif entry.card["detector"] != report.settings["detector"]["name"]:
                title = _("The same clip, judged by {detector}").format(detector=who)
                offered.append((title, Other("detector", entry.name)))
        return offered

    def _where_known(self, examination: Examination | None, said: Genuine | None) -> Other | None:
        """Return the choice in the menu that what is known belongs to, if it is there."""
        if said is None or examination is None:
            return None
        if not said.clip:
            return Other("seconds")
        judged_by = {
            card["detector"]: name
            for name, card in self.cards.items()
            if card["sha256"] == said.clip
        }
        detector = examination.report.settings["detector"]["name"]
        name = judged_by.get(detector, next(iter(judged_by.values()), None))
        return Other("clip", name) if name else None

    def _take_moment(self, field: Any) -> None:
        """Put the second that the player shows into a field."""
        now = self._now_s()
        if now is not None:
            field.value = round(now, 2)

    def _on_tick(self, change: Any) -> None:
        if change["new"] == self._ticked or self.kind != "clip":
            return
        self._ticked = bool(change["new"])
        card = self.cards[self.other.value.name]
        said = Genuine(clip=card["sha256"], name=card["name"])
        self._on_genuine(said if self._ticked else None)


def _result(examination: Examination | None, person: str) -> TrackResult | None:
    tracks = examination.report.tracks if examination else ()
    return next((r for r in tracks if r.track.person == person), None)


def _moments(result: TrackResult | None) -> list[tuple[str, int]]:
    """Return the key frames of a person, strongest evidence first."""
    if result is None:
        return []
    rows = sorted((k.position for k in result.key_frames), key=lambda p: -result.logit_at(p))
    return [(figures.frame_sentence(result, row), row) for row in rows]
