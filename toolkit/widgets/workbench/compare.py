"""Two things side by side under one scrubber: clips, detectors, persons or moments.

What is known to be genuine can be said of one of them; then the other is held against it, until the
user takes that back: it is remembered with the clip and the person.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import ipywidgets

from toolkit import figures
from toolkit._i18n import N_, _
from toolkit.errors import ToolkitError, UsageError
from toolkit.media import show_name
from toolkit.storage.cache import Cache, Entry
from toolkit.types import FaceCrops, Tick
from toolkit.verdict import comparison
from toolkit.widgets import html as fragments
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench.chooser import detector_title
from toolkit.widgets.workbench.gallery import analysed
from toolkit.widgets.workbench.state import Genuine, Memory

if TYPE_CHECKING:
    from toolkit.media.display import DisplayCopy
    from toolkit.player import Scene
    from toolkit.types import Examination
    from toolkit.widgets.player import Comparison

_WIDE = {"width": "auto", "max_width": "640px"}
_STYLE = {"description_width": "11em"}

SAME_PLACE = 0.75
"""Of the side of a face's square: farther apart at one moment, two faces are two persons."""

NO_LONGER_KEPT = N_("the clip that is known to be genuine is no longer kept")
JUDGED_ELSEWHERE = N_("the clip that is known to be genuine was judged by another detector")

Kind = Literal["moment", "person", "seconds", "detector", "clip"]

Run = Callable[[Callable[[Tick], Any], Callable[[Any], None]], None]
"""Runs work in the background, then hands its result over."""


@dataclass(frozen=True)
class Other:
    """What the clip on screen can be compared with: a person's letter or a cache entry's name."""

    kind: Kind
    name: str = ""


@dataclass(frozen=True, eq=False)
class Known:
    """Faces of a person of an examination that the user called genuine."""

    examination: Examination
    person: str
    faces: FaceCrops


@dataclass(frozen=True, eq=False)
class _Pair:
    left: Scene
    right: Scene
    offset_s: float
    frame: int | None


def _placed(said: Genuine, examination: Examination, person: str) -> Genuine:
    """Return what was said, with where the person was in the middle of the track."""
    crops, pts = examination.crops[person], _pts(examination, person)
    middle = len(pts) // 2
    x, y = _centre(crops, middle)
    return replace(said, at_s=float(pts[middle]), x=x, y=y)


def _is_same(said: Genuine, examination: Examination, person: str) -> bool:
    """Return whether the person was where the one was of whom it was said, about that moment."""
    crops, pts = examination.crops[person], _pts(examination, person)
    nearest = int(abs(pts - said.at_s).argmin())
    x, y = _centre(crops, nearest)
    side = crops.rgb.shape[1] * math.hypot(*crops.to_frame[nearest][:, 0])
    return bool(math.hypot(x - said.x, y - said.y) < SAME_PLACE * side)


def _pts(examination: Examination, person: str) -> Any:
    return next(r.track.pts for r in examination.report.tracks if r.track.person == person)


def _centre(crops: FaceCrops, moment: int) -> tuple[float, float]:
    half = crops.rgb.shape[1] / 2
    x, y = crops.to_frame[moment] @ (half, half, 1.0)
    return float(x), float(y)


class Compare(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Choose what to compare with; then both play in step.

    Parameters
    ----------
    cache
        Where other results and their display copies are found.
    run
        How work that takes time is run.
    memory
        Where it is kept what the user called genuine.
    on_known
        Called with what the user has just called genuine; with None when it does not hold any more.
    now_s
        Returns the second that the player beside it shows, or None.
    on_stage
        Called when two things came to stand side by side, or left.
    """

    def __init__(
        self,
        cache: Cache,
        run: Run,
        memory: Memory,
        *,
        on_known: Callable[[Known | None], None] = lambda _known: None,
        now_s: Callable[[], float | None] = lambda: None,
        on_stage: Callable[[], None] = lambda: None,
    ) -> None:
        self._cache, self._run, self._on_known = cache, run, on_known
        self._now_s = now_s
        self._memory = memory
        self._examination: Examination | None = None
        self._copy: DisplayCopy | None = None
        self._person: str | None = None
        self._comparison: Comparison | None = None
        self._found: comparison.Comparison | None = None
        self.lines: list[str] = []
        self._known: Known | None = None
        self._genuine: Genuine | None = None
        self._why_not: ToolkitError | None = None  # what the user said cannot serve
        self._cards: dict[str, dict[str, Any]] = {}
        self._is_filling = False
        self._hint = ipywidgets.HTML()
        self.other = classed(ipywidgets.Dropdown(layout=_WIDE, style=_STYLE), "dz-other")
        self.other.observe(lambda _change: self._on_other(), "value")
        self.first = classed(ipywidgets.Dropdown(layout=_WIDE, style=_STYLE), "dz-first")
        self.second = classed(ipywidgets.Dropdown(layout=_WIDE, style=_STYLE), "dz-second")
        self.later = classed(
            ipywidgets.FloatText(step=0.04, layout={"width": "20em"}, style=_STYLE), "dz-later"
        )
        self.start_s, self.end_s = (
            classed(
                ipywidgets.BoundedFloatText(
                    min=0, max=1e6, step=0.1, layout={"width": "20em"}, style=_STYLE
                ),
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
        self._from_row = ipywidgets.HBox(
            [self.start_s, self.from_here], layout={"flex_flow": "row wrap"}
        )
        self._to_row = ipywidgets.HBox([self.end_s, self.to_here], layout={"flex_flow": "row wrap"})
        self.genuine = classed(
            ipywidgets.Checkbox(indent=False, layout={"width": "auto"}), "dz-genuine"
        )
        self.genuine.observe(self._on_genuine, "value")
        self.go = classed(
            ipywidgets.Button(layout={"width": "auto"}, button_style="primary"), "dz-go"
        )
        self.go.on_click(lambda _button: self.start())
        self._problem = ipywidgets.HTML()
        self._said = classed(ipywidgets.HTML(), "dz-comparison")
        self.take_back = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-take-back")
        self.take_back.on_click(lambda _button: self._state(None))
        self._stage = ipywidgets.VBox()
        self._stage.observe(lambda _change: on_stage(), "children")
        super().__init__(
            [
                self._hint,
                self.other,
                self.first,
                self.second,
                self.later,
                self._from_row,
                self._to_row,
                self.genuine,
                self.go,
                self._problem,
                self._said,
                self.take_back,
                self._stage,
            ]
        )
        self.add_class("dz-compare")

    # -- what can be compared

    def show(
        self, examination: Examination | None, copy: DisplayCopy | None, person: str | None
    ) -> None:
        """Offer what this result can be compared with; None empties the field."""
        is_new = examination is not self._examination
        if is_new:
            self._stage.children = ()
            self.later.value = 0.0
        someone_new = is_new or person != self._person
        self._examination, self._copy, self._person = examination, copy, person
        if someone_new:
            self._problem.value = ""
            self._recall()
        self.say()

    def say(self) -> None:
        """Say everything in the language in use; what was chosen stays chosen."""
        hint = _("Two pictures under one scrubber: what differs, and what stays the same?")
        self._hint.value = f'<p class="dz-note">{escape(hint)}</p>'
        self.other.description = _("Compare with")
        self.first.description = _("Left")
        self.second.description = _("Right")
        self.later.description = _("Right is later by (s)")
        self.start_s.description = _("Genuine from (s)")
        self.end_s.description = _("Genuine to (s)")
        self.genuine.description = _("The right one is known to be genuine")
        self.take_back.description = _("This is not known to be genuine")
        self._fill()
        self._tell(self._found, self._known)
        if self._comparison is not None:
            self._comparison.retranslate()

    def _on_other(self) -> None:
        if not self._is_filling:  # the menu passes through other choices when it is filled
            self._show_fields()

    def _fill(self) -> None:
        chosen, moments = self.other.value, (self.first.value, self.second.value)
        self._is_filling = True
        self.other.options = self._others()
        known = [value for _title, value in self.other.options]
        where = self._where_known()
        usual = where if where in known else (known[0] if known else None)
        self.other.value = chosen if chosen in known else usual
        self._is_filling = False
        options = self._moments()
        for menu, before, usual in zip((self.first, self.second), moments, (0, -1), strict=True):
            menu.options = options
            values = [value for _title, value in options]
            menu.value = before if before in values else (values[usual] if values else None)
        self.go.disabled = not known or self._copy is None
        self._show_fields()

    def _others(self) -> list[tuple[str, Other]]:
        if self._examination is None:
            return []
        report = self._examination.report
        found: list[tuple[str, Other]] = []
        for track in report.tracks:
            if track.track.person != self._person:
                title = _("Person {person} in the same clip").format(person=track.track.person)
                found.append((title, Other("person", track.track.person)))
        if len(self._moments()) > 1:
            found.append((_("Another moment of the same person"), Other("moment")))
        mine_now = next((t for t in report.tracks if t.track.person == self._person), None)
        if mine_now is not None and not mine_now.verdict.abstained:
            title = _("Seconds of this clip that are known to be genuine")
            found.append((title, Other("seconds")))
        mine = report.settings["detector"]["name"]
        listed = analysed(self._cache)
        self._cards = {entry.name: entry.card for entry in listed}
        for entry in listed:
            who = detector_title(entry.card["detector"])
            if entry.card["sha256"] != report.video.sha256:
                title = _("{clip}, judged by {detector}")
                title = title.format(clip=entry.card["name"], detector=who)
                found.append((title, Other("clip", entry.name)))
            elif entry.card["detector"] != mine:
                title = _("The same clip, judged by {detector}").format(detector=who)
                found.append((title, Other("detector", entry.name)))
        return found

    def _moments(self) -> list[tuple[str, int]]:
        """Return the key frames of the person at hand, strongest evidence first."""
        tracks = self._examination.report.tracks if self._examination else ()
        result = next((r for r in tracks if r.track.person == self._person), None)
        if result is None:
            return []
        frames = sorted(
            (k.position for k in result.key_frames),
            key=lambda p: -float(result.evidence.logits[p]),
        )
        return [(figures.frame_sentence(result, p), p) for p in frames]

    def _show_fields(self) -> None:
        kind = self.other.value.kind if self.other.value else None
        for field, kinds in (
            (self.first, {"moment"}),
            (self.second, {"moment"}),
            (self.later, {"clip"}),
            (self.genuine, {"clip"}),
            (self._from_row, {"seconds"}),
            (self._to_row, {"seconds"}),
        ):
            field.layout.display = None if kind in kinds else "none"
        self.from_here.description = _("From the moment on screen")
        self.to_here.description = _("To the moment on screen")
        self.go.description = _("Compare") if kind == "seconds" else _("Show side by side")
        shown = self._cards[self.other.value.name]["sha256"] if kind == "clip" else None
        self._tick(is_genuine=self._genuine is not None and self._genuine.clip == shown)

    def _take_moment(self, field: Any) -> None:
        """Put the second that the player shows into a field."""
        now = self._now_s()
        if now is not None:
            field.value = round(now, 2)

    # -- side by side

    @property
    def has_pair(self) -> bool:
        """Whether two things stand side by side."""
        return bool(self._stage.children)

    def start(self) -> None:
        """Put both on screen; what must be prepared first is prepared in the background."""
        other, examination, copy = self.other.value, self._examination, self._copy
        if other is None or examination is None or copy is None:
            return
        self._problem.value = ""
        try:
            if other.kind == "seconds":
                self._stage.children = ()
                self._state(Genuine(float(self.start_s.value), float(self.end_s.value)))
            elif other.kind in {"person", "moment"}:
                self._put(self._within(examination, copy, other))
            else:
                self._against(examination, copy, other)
        except (ToolkitError, OSError) as error:
            self._problem.value = fragments.problem(error)

    def _within(self, examination: Examination, copy: DisplayCopy, other: Other) -> _Pair:
        """Return two persons or two moments of the clip on screen."""
        from toolkit.player import Scene

        def scene(person: str, label: str) -> Scene:
            return Scene.of(
                examination.report, copy, crops=examination.crops, only=person, label=label
            )

        tracks = {r.track.person: r.track for r in examination.report.tracks}
        mine = str(self._person)
        left = tracks[mine]
        if other.kind == "person":  # each from where that person is first judged
            right, first, second = tracks[other.name], 0, 0
            labels = ["", ""]  # the pictures name their persons
        else:
            right, first, second = left, int(self.first.value), int(self.second.value)
            labels = [figures.clock(float(left.pts[p]), 2) for p in (first, second)]
        return _Pair(
            scene(mine, labels[0]),
            scene(right.person, labels[1]),
            offset_s=float(right.pts[second] - left.pts[first]),
            frame=copy.frame_of(int(left.indices[first])),
        )

    def _against(self, examination: Examination, copy: DisplayCopy, other: Other) -> None:
        from toolkit.analysis import cached, pipeline
        from toolkit.player import Scene

        found = pipeline.reopen(self._cache, other.name)
        if found is None:
            raise UsageError(
                "this result is no longer kept", "", "Analyse that clip again, then compare."
            )
        offset = float(self.later.value) if other.kind == "clip" else 0.0

        def scene(shown: Examination, its_copy: DisplayCopy) -> Scene:
            detector = detector_title(shown.report.settings["detector"]["name"])
            label = f"{show_name(shown.report.video.path)} · {detector}"
            return Scene.of(shown.report, its_copy, crops=shown.crops, label=label)

        def prepare(tick: Tick) -> DisplayCopy:
            if other.kind == "detector" and found.report.video.rotation == (
                examination.report.video.rotation
            ):
                return copy
            return cached.display_copy(self._cache, found.report.video, tick=tick)

        if self._comparison is None:  # made here, for a worker may only change what is there
            from toolkit.widgets.player import Comparison

            self._comparison = Comparison(scene(examination, copy), scene(examination, copy))

        def ready(its_copy: DisplayCopy) -> None:
            self._put(_Pair(scene(examination, copy), scene(found, its_copy), offset, None))

        self._run(prepare, ready)

    # -- against what is known to be genuine

    def _on_genuine(self, _change: Any) -> None:
        other = self.other.value
        if self._is_filling or other is None or other.kind != "clip":
            return
        card = self._cards[other.name]
        said = Genuine(clip=card["sha256"], name=card["name"])
        self._state(said if self.genuine.value else None)

    def _tick(self, *, is_genuine: bool) -> None:
        self._is_filling, before = True, self._is_filling
        self.genuine.value = is_genuine
        self._is_filling = before

    def _state(self, said: Genuine | None) -> None:
        """Take what the user says is genuine, or None that nothing is, and remember it."""
        mine, person = self._examination, self._person
        self._problem.value = ""
        if mine is None or person is None:
            return
        try:
            told = self._hold_against(said, mine, person)
        except ToolkitError as error:  # it cannot serve: what was said before stays
            self._problem.value = fragments.problem(error)
            self._show_fields()
            return
        if self._examination is not mine or self._person != person:
            return  # another result came meanwhile; this was not said of it
        if said is not None:
            said = _placed(said, mine, person)
        self._genuine, self._why_not = said, None
        if not self._memory.write_genuine(mine.report.video.sha256, person, said):
            text = _("This could not be written to disk. It holds until this panel is closed.")
            self._problem.value = f'<p class="dz-note" role="alert">{escape(text)}</p>'
        self._tell(*told)
        self._show_fields()

    def _recall(self) -> None:
        """Take up what was known to be genuine of this person when the clip was last looked at."""
        self._genuine = self._why_not = None
        told: tuple[comparison.Comparison | None, Known | None] = (None, None)
        mine, person = self._examination, self._person
        if mine is not None and person is not None:
            self._genuine = self._memory.genuine(mine.report.video.sha256).get(person)
            try:
                told = self._hold_against(self._genuine, mine, person)
                if self._genuine is not None and not _is_same(self._genuine, mine, person):
                    problem = "this was said of somebody else, who had the same letter then"
                    raise UsageError(problem, "", "Say it again of the right person.")
            except ToolkitError as error:
                told, self._why_not = (None, None), error
        said = self._genuine or Genuine()
        self.start_s.value, self.end_s.value = said.start_s, said.end_s
        if self._genuine is not None:  # the menu is filled next, and begins with what is known
            self._is_filling = True
            self.other.value = None
            self._is_filling = False
        self._tell(*told)

    def _hold_against(
        self, said: Genuine | None, mine: Examination, person: str
    ) -> tuple[comparison.Comparison | None, Known | None]:
        """Hold the person on screen against what is known to be genuine.

        Raises
        ------
        ToolkitError
            If it cannot serve: too few seconds, or a clip that is not kept any more.
        """
        if said is None:
            return None, None
        from toolkit.analysis import pipeline
        from toolkit.verdict import comparison

        other, span = None, None if said.clip else (said.start_s, said.end_s)
        if said.clip:
            entries = self._entries_of(said)
            detector = mine.report.settings["detector"]["name"]
            entry = next((e for e in entries if e.card["detector"] == detector), None)
            other = pipeline.reopen(self._cache, entry.name) if entry else None
            if other is None:
                problem = JUDGED_ELSEWHERE if entries and entry is None else NO_LONGER_KEPT
                remedy = "Analyse it again, with this detector."
                raise UsageError(problem, show_name(said.name), remedy)
        found = comparison.compare(mine, other, seconds=span, person=person)
        faces = comparison.known_faces(mine, other, seconds=span, person=person)
        return found, Known(mine, person, faces)

    def _entries_of(self, said: Genuine) -> list[Entry]:
        kept = analysed(self._cache, most=None)
        return [entry for entry in kept if entry.card["sha256"] == said.clip]

    def _where_known(self) -> Other | None:
        """Return the choice in the menu that what is known belongs to, if it is there."""
        if self._genuine is None or self._examination is None:
            return None
        if not self._genuine.clip:
            return Other("seconds")
        detector = self._examination.report.settings["detector"]["name"]
        found = {
            card["detector"]: name
            for name, card in self._cards.items()
            if card["sha256"] == self._genuine.clip
        }
        name = found.get(detector, next(iter(found.values()), None))
        return Other("clip", name) if name else None

    def _tell(self, found: comparison.Comparison | None, known: Known | None) -> None:
        if known is not self._known:
            self._known = known
            self._on_known(known)
        self._found = found
        lines = figures.comparison_sentences(found) if found else []
        if self._genuine is not None:
            lines.insert(0, self._what_is_known(self._genuine))
            if self._why_not is not None:
                lines.append(fragments.sentence(self._why_not))
        if known is not None:
            lines.append(
                _("Under “Ask”, the second witness tries these faces first as its reference.")
            )
        aside = self._memory.set_aside
        if aside is not None and aside.parent != self._memory.folder:
            text = _("What the panel remembered could not be read. It was set aside as {file}.")
            lines.append(text.format(file=aside))
        self.lines = figures.comparison_sentences(found) if found else []
        text = self._strip(found)
        text += "".join(f"<p>{escape(line)}</p>" for line in lines)
        self._said.value = f'<div class="dz-box" role="status">{text}</div>' if text else ""
        self.take_back.layout.display = None if self._genuine is not None else "none"

    def _strip(self, found: comparison.Comparison | None) -> str:
        """Return the difference among those of genuine recordings, drawn."""
        if found is None or self._examination is None:
            return ""
        detector = self._examination.report.settings["detector"]
        halves = comparison.find(str(detector["name"]), str(detector["weights_sha256"]))
        return "" if halves is None else figures.comparison_svg(found, halves.apart)

    @staticmethod
    def _what_is_known(said: Genuine) -> str:
        if said.clip:
            return _("You said that {clip} is genuine.").format(clip=show_name(said.name))
        start, end = (figures.clock(t, 1) for t in (said.start_s, said.end_s))
        text = _("You said that this clip is genuine from {start} to {end}.")
        return text.format(start=start, end=end)

    def _put(self, pair: _Pair) -> None:
        if self._comparison is None:
            from toolkit.widgets.player import Comparison

            self._comparison = Comparison(pair.left, pair.right, offset_s=pair.offset_s)
        else:
            self._comparison.show(pair.left, pair.right, offset_s=pair.offset_s)
        if pair.frame is not None:
            self._comparison.frame = pair.frame
        self._stage.children = (self._comparison,)
