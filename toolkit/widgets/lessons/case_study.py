"""Lesson 8: a worked investigation, step by step, with the tools that real casework uses."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from toolkit import _i18n, figures
from toolkit._i18n import _, ngettext
from toolkit.lessons.story import Story
from toolkit.media import probe, show_name
from toolkit.media.display import DisplayCopy, display_copy
from toolkit.player import Scene
from toolkit.storage.cache import runs_folder
from toolkit.types import Report, Sampling, Tick
from toolkit.widgets.player import Player
from toolkit.widgets.saved import Saved, pages
from toolkit.widgets.task import Task, pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.casework.case import Case

STEPS = ("receive", "judge", "compare", "protect", "report")
EXHIBIT, SOURCE = "E1", "E2"
_FRAMES = 48
_WEIGHTS = {
    "receive": {"read": 20.0, "swap": 60.0, "reshare": 20.0, "display": 4.0},
    "judge": {"scan": 35.0, "faces": 30.0, "detect": 34.0, "explain": 1.0},
    "compare": {"align": 1.0},
    "protect": {"cover": 1.0},
    "report": {"cover": 45.0, "redact": 30.0, "redact_check": 20.0, "report": 5.0},
}


class Investigation(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """One step of the case; make one per step, all with the same `Dossier`.

    Parameters
    ----------
    dossier
        What the steps share.
    step
        One of `STEPS`.
    """

    def __init__(self, dossier: Dossier, step: str) -> None:
        self._dossier, self._step = dossier, step
        self.task: Task[Any] = Task(
            lambda: step_names()[step],
            lambda tick: dossier.do(step, tick),
            lambda _result: dossier.say(),
            weights=_WEIGHTS[step],
        )
        self._shown = ipywidgets.HTML()
        self._seen: object = None  # what the player was given last
        self._player = Player()
        self._saved = Saved()
        super().__init__([self.task, self._shown, self._player, self._saved])
        self.add_class("dz-lesson")
        self.add_class(f"dz-case-{step}")
        dossier.listen(self.say)
        self.say()

    def __repr__(self) -> str:
        return f"Investigation({self._step!r}, state={self.task.state!r})"

    def say(self) -> None:
        """Say everything in the language in use."""
        self.task.say()
        body = self._dossier.show(self._step)
        self._shown.value = f'<div lang="{_i18n.language()}">{body}</div>' if body else ""
        if self._step == "judge":
            self._play()
        elif self._step == "report":
            self._show_saved()

    def _play(self) -> None:
        """Let the judged clip be played, with what the detector used laid over it."""
        given = self._dossier.playing
        if given is self._seen:
            self._player.retranslate()
            return
        self._seen = given
        if given is None:
            self._player.show(None)
            return
        found, copy = given
        self._player.show(Scene.of(found.report, copy, crops=found.crops))

    def _show_saved(self) -> None:
        written = self._dossier.written
        if written is None:
            self._saved.hide()
        else:
            names = ("report.html", "report.pdf", "report.json")
            self._saved.show(written, pages(written, *names))


class Dossier:
    """What the steps of the case share: the clips, the case folder, what was found.

    Parameters
    ----------
    runs
        Folder; None = `toolkit.storage.cache.runs_folder`.

    Attributes
    ----------
    story, case
        The clips and the case, or None before they are made.
    """

    def __init__(self, *, runs: Path | None = None) -> None:
        self._root = (runs or runs_folder()) / "lessons" / "the_case"
        self.story: Story | None = None
        self.case: Case | None = None
        self._found: Any = None
        self._aligned: Any = None
        self._side: NDArray[np.uint8] | None = None
        self._covered: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
        self._written: Path | None = None
        self._copy: DisplayCopy | None = None
        self._playing: tuple[Any, DisplayCopy] | None = None
        self._speakers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return "Dossier()"

    def step(self, name: str) -> Investigation:
        """Return the widget of one step."""
        return Investigation(self, name)

    def listen(self, speak: Callable[[], None]) -> None:
        """Call this when something was found."""
        self._speakers.append(speak)

    def say(self) -> None:
        """Let every step show what is known now."""
        for speak in self._speakers:
            speak()

    @property
    def playing(self) -> tuple[Any, DisplayCopy] | None:
        """The judged clip and a copy that can be played, or None."""
        return self._playing

    @property
    def written(self) -> Path | None:
        """The folder of the last report, or None."""
        return self._written

    # -- what an exercise may ask

    @property
    def report(self) -> Report | None:
        """The analysis of the received clip, or None."""
        return None if self._found is None else self._found.report

    @property
    def persons(self) -> int | None:
        """How many persons were found in the received clip."""
        return None if self.report is None else len(self.report.tracks)

    @property
    def strongest_second(self) -> float | None:
        """When the received clip's strongest frame is, in seconds."""
        result = None if self.report is None else figures.speaking(self.report)
        if result is None:
            return None
        return float(result.track.pts[int(np.argmax(result.evidence.logits))])

    # -- the steps; each runs in a thread of its own

    def do(self, step: str, tick: Tick) -> None:
        """Do a step."""
        {
            "receive": self.receive,
            "judge": self.judge,
            "compare": self.compare,
            "protect": self.protect,
            "report": self.write,
        }[step](tick)

    def receive(self, tick: Tick) -> None:
        """Make the clips, open a case, take the shared clip in."""
        from toolkit.casework import case
        from toolkit.casework.intake import Original
        from toolkit.lessons.story import make_story

        self.story = make_story(self._root, tick=tick)
        self._found = self._aligned = self._side = self._covered = self._written = None
        self.case = case.create(
            _fresh(self._root / "cases"),
            title=_("Lesson: the dating advice case"),
            examiner=_("The class"),
            legal_basis=_("education, with sample clips"),
        )
        received_from = _("a message group, as part of a lesson")
        with self.case.working("add"), Original(self.story.received) as original:
            self.case.take_in(original, exhibit=EXHIBIT, received_from=received_from)
        self._playing = None
        self._copy = display_copy(
            probe(self.story.received), self._root / "to_watch.mp4", tick=tick
        )

    def judge(self, tick: Tick) -> None:
        """Analyse the exhibit, and keep the analysis in the case."""
        from toolkit.casework import operations

        opened = self._opened()
        exhibit = operations.analyse(
            opened, EXHIBIT, sampling=Sampling(frames=_FRAMES), trust=False, tick=tick
        )
        self._found = operations.examination(opened, exhibit)
        self._playing = (self._found, self._copy) if self._copy is not None else None

    def compare(self, tick: Tick) -> None:
        """Find the recording that the clip was made from, and lay both side by side."""
        from toolkit.media import alignment

        opened = self._opened()
        story = self._told()
        share = opened.path(opened.exhibit(EXHIBIT).working_copy)
        self._aligned = alignment.align(story.source, share, tick=tick)
        at_s = self.strongest_second or (story.start_s + story.end_s) / 2
        self._side = alignment.side_by_side(story.source, share, self._aligned, at_s=at_s)

    def protect(self, tick: Tick) -> None:
        """Cover every face of the strongest frame, as in everything that leaves the case."""
        from toolkit import media
        from toolkit.casework import redaction

        found = self._judged()
        covers = redaction.find_covers(
            found.report.video, [r.track for r in found.report.tracks], tick=tick
        )
        result = figures.speaking(found.report) or found.report.tracks[0]
        index = int(result.track.indices[int(np.argmax(result.evidence.logits))])
        frame = next(iter(media.read(found.report.video, np.array([index]))))
        self._covered = (frame.rgb, redaction.redact_frame(found.report.video, covers, index))

    def write(self, tick: Tick) -> None:
        """Write the report: every face covered."""
        from toolkit.casework import publish

        self._judged()
        self._written = publish.report(self._opened(), language=_i18n.language(), tick=tick)

    def _opened(self) -> Case:
        from toolkit.errors import UsageError

        if self.case is None:
            raise UsageError("the clip was not taken in yet", "", "Do the first step first.")
        return self.case

    def _told(self) -> Story:
        from toolkit.errors import UsageError

        if self.story is None:
            raise UsageError("the clip was not taken in yet", "", "Do the first step first.")
        return self.story

    def _judged(self) -> Any:
        from toolkit.errors import UsageError

        if self._found is None:
            raise UsageError("the clip was not judged yet", "", "Do the step before first.")
        return self._found

    # -- what the steps show

    def show(self, step: str) -> str:
        """Return what a step found, as HTML in the language in use; empty before it is done."""
        shown = {
            "receive": self._show_received,
            "judge": self._show_judged,
            "compare": self._show_compared,
            "protect": self._show_protected,
            "report": self._show_report,
        }[step]
        return shown()

    def _show_received(self) -> str:
        if self.case is None:
            return ""
        facts = self.case.exhibit(EXHIBIT).facts
        pairs = [
            (_("exhibit"), EXHIBIT),
            ("SHA-256", facts["sha256"]),
            (_("size"), _("{n} bytes").format(n=facts["bytes"])),
            (_("case folder"), show_name(self.case.path("."))),
        ]
        rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in pairs)
        log = ngettext("{n} step is in the log.", "{n} steps are in the log.", self._logged)
        watch = _watch(self._copy) if self._copy is not None else ""
        return f"{watch}<dl>{rows}</dl><p>{escape(log.format(n=self._logged))}</p>"

    @property
    def _logged(self) -> int:
        return 0 if self.case is None else len(self.case.entries())

    def _show_judged(self) -> str:
        if self._found is None:
            return ""
        report: Report = self._found.report
        verdict = f'<p class="dz-box">{escape(figures.verdict_sentence(report))}</p>'
        who, when, where = _("Who"), _("When"), _("Where in the face")
        body = f"<h4>{escape(who)}</h4>"
        for result in report.tracks:
            said = f"{figures.track_sentence(result)} {figures.seen_sentence(result)}"
            body += f"<p>{escape(said)}</p>"
        speaking = figures.speaking(report)
        if speaking is None or speaking.explanation is None:
            return verdict + body
        stretches = [figures.interval_sentence(i) for i in speaking.explanation.intervals]
        nothing = _("No stretch of time lies above the threshold.")
        body += f"<h4>{escape(when)}</h4><p>{escape('; '.join(stretches) or nothing)}</p>"
        body += f"<h4>{escape(where)}</h4>"
        body += f"<p>{escape(figures.region_sentence(speaking))}</p>"
        shown = [
            (
                figures.overlay(frame, figures.strength_at(speaking, frame.position)),
                figures.frame_sentence(speaking, frame.position),
            )
            for frame in figures.strongest(speaking)
        ]
        return verdict + body + pictures(shown)

    def _show_compared(self) -> str:
        if self._aligned is None:
            return ""
        body = f'<p class="dz-box">{escape(self._aligned.line())}</p>'
        if self._side is not None:
            caption = _("Left the recording with what was kept of it, right the clip, laid over it")
            body += f'<div class="dz-wide">{pictures([(self._side, caption)])}</div>'
        return body

    def _show_protected(self) -> str:
        if self._covered is None:
            return ""
        text = _(
            "The covered picture was searched again for faces before it was shown; if one had been "
            "found, nothing would have been made."
        )
        shown = [
            (self._covered[0], _("For the examiner only")),
            (self._covered[1], _("What may leave the case")),
        ]
        return f"{pictures(shown)}<p>{escape(text)}</p>"

    def _show_report(self) -> str:
        if self._written is None:
            return ""
        names = sorted(p.name for p in self._written.iterdir() if p.is_file())
        text = _("Written into {folder}:").format(folder=show_name(self._written))
        rows = "".join(f"<li>{escape(show_name(n))}</li>" for n in names)
        story = self._told()
        truth = _(
            "And the truth, which only a lesson knows: from {start} to {end} the face of {face} "
            "was "
            "put on {person}; then the clip was cropped, captioned and coded again."
        ).format(
            start=figures.clock(story.start_s),
            end=figures.clock(story.end_s),
            face=story.face,
            person=story.person,
        )
        return f'<p>{escape(text)}</p><ul>{rows}</ul><p class="dz-box">{escape(truth)}</p>'


def _watch(copy: DisplayCopy) -> str:
    """Return the clip itself, to be looked at before anybody judges it."""
    data = base64.b64encode(copy.read_bytes()).decode()
    label = escape(_("The clip as it was received"))
    return (
        f'<video class="dz-watch" controls muted playsinline aria-label="{label}" '
        f'style="max-width:min(100%,560px)" src="data:video/mp4;base64,{data}"></video>'
    )


def step_names() -> dict[str, str]:
    """Return what the button of each step says."""
    return {
        "receive": _("Receive the clip, and open a case"),
        "judge": _("Ask the detector: who, when, where"),
        "compare": _("Find the recording it was made from"),
        "protect": _("Cover the faces"),
        "report": _("Write the report"),
    }


def _fresh(folder: Path) -> Path:
    """Return a name in a folder that is not taken yet: cases are never overwritten."""
    number = 1
    while (folder / f"case-{number:03d}").exists():
        number += 1
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"case-{number:03d}"
