"""The panel of the investigation notebook: a case from intake to a report that can be checked.

It only shows and schedules: each button is one call of `toolkit.report`, which scripts and the
command line make too.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import _i18n, figures, samples
from toolkit._i18n import _, ngettext
from toolkit.casework.case import ALTERNATIVES, STATES, Case, create
from toolkit.errors import ToolkitError, UsageError
from toolkit.jobs import STAGE_WEIGHTS
from toolkit.storage.cache import runs_folder
from toolkit.types import REGIONS, Tick
from toolkit.widgets import html as fragments
from toolkit.widgets.player import Player
from toolkit.widgets.saved import Saved, pages
from toolkit.widgets.status import StatusLine
from toolkit.widgets.task import Task

if TYPE_CHECKING:
    from toolkit.analysis.robustness import Robustness
    from toolkit.casework.case import Exhibit
    from toolkit.casework.verify import Findings
    from toolkit.media.alignment import Alignment
    from toolkit.media.display import DisplayCopy

_WIDE = {"width": "100%", "max_width": "760px"}
_STYLE = {"description_width": "22em"}
_KINDS = ("text", "question", "propositions", "alternative", "opinion", "review", "conflict")

_CHAINS_QUICK = 1  # the combined one, which is quoted first

_ADD = {"intake": 1.0, **STAGE_WEIGHTS, "provenance": 5.0}
_SHOW = {"display": 1.0}
_RESHARE, _COMPARE = {"reshare_test": 1.0}, {"align": 1.0}
_REPORT = {"cover": 40.0, "redact": 30.0, "redact_check": 10.0, "display": 15.0, "report": 5.0}
_VERIFY = {"verify": 5.0, **STAGE_WEIGHTS}


class Casework(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Panel that opens a case, takes in files, and makes and checks reports.

    Parameters
    ----------
    folder
        The case to open or make; None = a new folder within ``runs/cases``, made on demand.
    examine
        What analyses; None = `analysis.examine`.

    Attributes
    ----------
    case
        The case that is open, or None.
    exhibit
        What is looked at, or None.
    report
        Folder of the last report that was made here, or None.
    findings
        What the last check found, or None.
    """

    def __init__(
        self, folder: Path | str | None = None, *, examine: Callable[..., Any] | None = None
    ) -> None:
        self._examine = examine
        self.case: Case | None = None
        self.exhibit: Exhibit | None = None
        self.report: Path | None = None
        self.findings: Findings | None = None
        self._problem: BaseException | None = None
        self._status = StatusLine()  # brings the style sheet
        self._language = ipywidgets.ToggleButtons(
            options=[("English", "en"), ("Nederlands", "nl")],
            value=_i18n.language(),
            style={"button_width": "auto"},
        )
        self._language.observe(self._on_language, "value")
        self._headings: list[tuple[ipywidgets.HTML, Callable[[], str]]] = []
        self._labels: list[tuple[Any, Callable[[], str]]] = []
        self._folder = self._text(lambda: _("Folder of the case"), _default(folder))
        self._make_case()
        self._make_intake()
        self._make_copies()
        self._make_note()
        self._make_report()
        self._make_check()
        super().__init__(
            [
                self._status,
                self._language,
                *self._case_part,
                *self._intake_part,
                *self._copies_part,
                *self._note_part,
                *self._report_part,
                *self._check_part,
            ]
        )
        self.add_class("dz-workbench")
        self.add_class("dz-casework")
        self.retranslate()
        if folder is not None:
            self.open_case()

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print everything inside."""
        return f"Casework({self._folder.value!r})"

    # -- what it is made of

    def _make_case(self) -> None:
        self._title = self._text(lambda: _("What it is about"))
        self._examiner = self._text(lambda: _("Examiner"))
        self._role = self._text(lambda: _("Role"))
        self._basis = self._text(lambda: _("Legal basis"))
        self._retention = self._text(lambda: _("Kept until"))
        self._open = self._button(lambda: _("Open or make the case"), self.open_case)
        self._told = ipywidgets.HTML()
        self._case_part = [
            self._heading(lambda: _("1. The case")),
            self._folder,
            self._title,
            self._examiner,
            self._role,
            self._basis,
            self._retention,
            self._open,
            self._told,
        ]

    def _make_intake(self) -> None:
        self._sample = self._menu(lambda: _("Sample"))
        self._path = self._text(lambda: _("Or the path of a video"))
        self._from = self._text(lambda: _("Received from"))
        self._how = self._text(lambda: _("How"))
        self._source = self._text(lambda: _("Address it came from"))
        self._keep = self._check(lambda: _("Keep a copy of the original in the case"), on=True)
        self._trust = self._check(lambda: _("Also test the explanation (a minute more)"), on=True)
        self.adding: Task[Exhibit] = Task(
            lambda: _("Take in and analyse"), self._add, self._arrive, weights=_ADD
        )
        self._which = self._menu(lambda: _("Exhibit"))
        self._which.observe(self._on_exhibit, "value")
        self._result = ipywidgets.HTML()
        self._container = ipywidgets.HTML()
        self.player = Player()
        self._played: tuple[str, str] | None = None  # exhibit and analysis in the player
        self.showing: Task[DisplayCopy] = Task(
            lambda: _("Show the video with the evidence"), self._copy, self._play, weights=_SHOW
        )
        self._here = self._button(lambda: _("Note at this moment and region"), self.note_here)
        self._intake_part = [
            self._heading(lambda: _("2. Take in and analyse")),
            self._sample,
            self._path,
            self._from,
            self._how,
            self._source,
            self._keep,
            self._trust,
            self.adding,
            self._which,
            self._result,
            self.showing,
            self.player,
            self._here,
            self._container,
        ]

    def _make_copies(self) -> None:
        self._chains = self._menu(lambda: _("Further re-shares to try"))
        self.trying: Task[Robustness] = Task(
            lambda: _("Does the verdict hold?"), self._try, self._tried, weights=_RESHARE
        )
        self._held = ipywidgets.HTML()
        self._presumed = self._menu(lambda: _("Presumed source of this exhibit"))
        self.aligning: Task[Alignment] = Task(
            lambda: _("Lay it on its source"), self._lay, self._laid, weights=_COMPARE
        )
        self._lies = ipywidgets.HTML()
        self._copies_part = [
            self._heading(lambda: _("3. Copies and re-shares")),
            self._chains,
            self.trying,
            self._held,
            self._presumed,
            self.aligning,
            self._lies,
        ]

    def _make_note(self) -> None:
        self._kind = self._menu(lambda: _("Kind"))
        self._kind.observe(self._on_kind, "value")
        self._words = ipywidgets.Textarea(rows=4, layout=_WIDE, style=_STYLE)
        self._labels.append((self._words, lambda: _("In your own words")))
        self._frames = self._text(lambda: _("Frames, such as 120,130-140"))
        self._regions = ipywidgets.SelectMultiple(rows=5, layout=_WIDE, style=_STYLE)
        self._labels.append((self._regions, lambda: _("Regions")))
        self._start = ipywidgets.FloatText(value=0, layout=_WIDE, style=_STYLE)
        self._labels.append((self._start, lambda: _("From (seconds)")))
        self._end = ipywidgets.FloatText(value=0, layout=_WIDE, style=_STYLE)
        self._labels.append((self._end, lambda: _("To (seconds); 0 = no interval")))
        self._h1 = self._text(lambda: _("First proposition (H1)"))
        self._h2 = self._text(lambda: _("Its counterpart (H2)"))
        self._alternative = self._menu(lambda: _("Other explanation"))
        self._state = self._menu(lambda: _("State"))
        self._write = self._button(lambda: _("Write down"), self.write)
        self._written = ipywidgets.HTML()
        self._notes = ipywidgets.HTML()
        self._note_part = [
            self._heading(lambda: _("4. Annotate")),
            self._kind,
            self._words,
            self._frames,
            self._regions,
            self._start,
            self._end,
            self._h1,
            self._h2,
            self._alternative,
            self._state,
            self._write,
            self._written,
            self._notes,
        ]

    def _make_report(self) -> None:
        self._reveal = ipywidgets.SelectMultiple(rows=3, layout=_WIDE, style=_STYLE)
        self._labels.append((self._reveal, lambda: _("Show the face of (all others are covered)")))
        self._video = self._check(lambda: _("Put the covered video into the report"), on=True)
        self.reporting: Task[Path] = Task(
            lambda: _("Make the report"), self._make, self._made, weights=_REPORT
        )
        self._where = ipywidgets.HTML()
        self._saved = Saved()
        self._report_part = [
            self._heading(lambda: _("5. Report")),
            self._reveal,
            self._video,
            self.reporting,
            self._where,
            self._saved,
        ]

    def _make_check(self) -> None:
        self._hashes = self._check(lambda: _("Hashes only: do not analyse again"), on=False)
        self._head = self._text(lambda: _("Head printed in a report (optional)"))
        self.checking: Task[Findings] = Task(
            lambda: _("Check the case"), self._verify, self._verified, weights=_VERIFY
        )
        self._found = ipywidgets.HTML()
        self._steps = ipywidgets.HTML()
        self._check_part = [
            self._heading(lambda: _("6. Check")),
            self._hashes,
            self._head,
            self.checking,
            self._found,
            self._steps,
        ]

    def _heading(self, name: Callable[[], str]) -> ipywidgets.HTML:
        made = ipywidgets.HTML()
        self._headings.append((made, name))
        return made

    def _text(self, name: Callable[[], str], value: str = "") -> ipywidgets.Text:
        made = ipywidgets.Text(value=value, layout=_WIDE, style=_STYLE)
        self._labels.append((made, name))
        return made

    def _menu(self, name: Callable[[], str]) -> ipywidgets.Dropdown:
        made = ipywidgets.Dropdown(layout=_WIDE, style=_STYLE)
        self._labels.append((made, name))
        return made

    def _check(self, name: Callable[[], str], *, on: bool) -> ipywidgets.Checkbox:
        made = ipywidgets.Checkbox(value=on, indent=False, layout=_WIDE)
        self._labels.append((made, name))
        return made

    def _button(self, name: Callable[[], str], do: Callable[[], Any]) -> ipywidgets.Button:
        made = ipywidgets.Button(layout={"width": "auto"})
        made.on_click(lambda _button: do())
        self._labels.append((made, name))
        return made

    # -- what the user may do

    def open_case(self) -> None:
        """Open the case in the folder that is named, or make it."""
        folder = Path(self._folder.value).expanduser()
        self._problem = None
        for task in self._tasks:
            task.forget()  # what it could not do without a case
        try:
            if (folder / "log.jsonl").exists():
                self.case = Case(folder)
                self.case.entries()
            else:
                self.case = create(
                    folder,
                    title=self._title.value,
                    examiner=self._examiner.value,
                    role=self._role.value,
                    legal_basis=self._basis.value,
                    retention=self._retention.value,
                )
        except (ToolkitError, OSError) as error:
            self.case, self._problem = None, error
        self.exhibit = None
        self._refresh()

    @property
    def _tasks(self) -> tuple[Task[Any], ...]:
        return (
            self.adding,
            self.showing,
            self.trying,
            self.aligning,
            self.reporting,
            self.checking,
        )

    def note_here(self) -> None:
        """Put the frame, time and region that the player shows into the fields of a note."""
        if not self.player.shown:
            return
        scene = self.player.shown[0]
        frame = int(self.player.frame)
        seconds = float(scene.copy.pts[frame]) + scene.copy.start_s
        self._kind.value = "text"
        self._frames.value = str(int(scene.copy.indices[frame]))
        self._start.value = self._end.value = round(seconds, 3)
        self._regions.value = (self.player.region,) if self.player.region else ()

    def write(self) -> str | None:
        """Write down the note in the fields; return its path within the case."""
        try:
            name = self._opened().note(
                self._kind.value,
                text=self._words.value,
                exhibit=self.exhibit.id if self.exhibit else None,
                frames=_spans(self._frames.value),
                regions=self._regions.value,
                interval_s=(self._start.value, self._end.value) if self._end.value else None,
                h1=self._h1.value,
                h2=self._h2.value,
                alternative=self._alternative.value if self._kind.value == "alternative" else "",
                state=self._state.value if self._kind.value == "alternative" else "",
            )
        except (ToolkitError, OSError) as error:
            self._written.value = fragments.problem(error)
            return None
        said = _("Written down: {name}").format(name=name)
        self._written.value = f'<p class="dz-note" role="status">{escape(said)}</p>'
        self._words.value = ""
        self._refresh()
        return name

    def _opened(self) -> Case:
        if self.case is None:
            raise UsageError("no case is open", "", "Open or make one first.")
        return self.case

    # -- what happens in the background: traits are set, no widgets are made

    def _add(self, tick: Tick) -> Exhibit:
        from toolkit.casework import operations

        text = self._path.value.strip().strip("\"'")
        file = Path(text).expanduser() if text else samples.path(str(self._sample.value))
        return operations.add(
            self._opened(),
            file,
            received_from=self._from.value,
            how=self._how.value,
            source=self._source.value,
            keep=self._keep.value,
            trust=self._trust.value,
            examine=self._examine,
            tick=tick,
        )

    def _arrive(self, exhibit: Exhibit) -> None:
        self.exhibit = exhibit
        self._refresh()
        self.showing.start()

    def _copy(self, tick: Tick) -> DisplayCopy:
        """Make a copy of the exhibit that the player can show; it is not part of the case."""
        from toolkit.analysis.cached import display_copy
        from toolkit.media import probe
        from toolkit.storage.cache import Cache

        chosen = self._opened().exhibit(self._looked_at())
        return display_copy(Cache(), probe(self._opened().path(chosen.working_copy)), tick=tick)

    def _play(self, copy: DisplayCopy) -> None:
        from toolkit.casework import operations
        from toolkit.player import Scene

        chosen = self.exhibit
        if chosen is None or not chosen.analyses or self.case is None:
            return
        found = operations.examination(self.case, chosen)
        self.player.show(Scene.of(found.report, copy, crops=found.crops))
        self._played = (chosen.id, chosen.analyses[-1])
        self._show_player()

    def _show_player(self) -> None:
        """Show the player with what it holds of the chosen exhibit, or the button that fills it."""
        chosen = self.exhibit
        has = chosen is not None and bool(chosen.analyses)
        fits = chosen is not None and has and self._played == (chosen.id, chosen.analyses[-1])
        self.player.layout.display = None if fits else "none"
        self._here.layout.display = None if fits else "none"
        self.showing.layout.display = None if has and not fits else "none"

    def _try(self, tick: Tick) -> Robustness:
        from toolkit.analysis.robustness import CHAINS
        from toolkit.casework import operations

        chains = CHAINS[:_CHAINS_QUICK] if self._chains.value == "first" else CHAINS
        tried: Robustness = operations.try_reshares(
            self._opened(), self._looked_at(), chains=chains, tick=tick
        )
        return tried

    def _tried(self, _outcome: Robustness) -> None:
        self._refresh()

    def _lay(self, tick: Tick) -> Alignment:
        from toolkit.casework import operations

        if not self._presumed.value:
            raise UsageError("there is no other exhibit", "", "Take its source in first.")
        found: Alignment = operations.compare(
            self._opened(), str(self._presumed.value), self._looked_at(), tick=tick
        )
        return found

    def _laid(self, _alignment: Alignment) -> None:
        self._refresh()

    def _looked_at(self) -> str:
        if self.exhibit is None:
            raise UsageError("nothing was taken in yet", "", "Take a file in first.")
        return self.exhibit.id

    def _make(self, tick: Tick) -> Path:
        from toolkit.casework import publish

        return publish.report(
            self._opened(),
            language=_i18n.language(),
            reveal=self._reveal.value,
            video=self._video.value,
            tick=tick,
        )

    def _made(self, folder: Path) -> None:
        self.report = folder
        self._refresh()

    def _verify(self, tick: Tick) -> Findings:
        from toolkit.casework import verify

        return verify.verify(
            self._opened().folder,
            hashes_only=self._hashes.value,
            head=self._head.value.strip() or None,
            examine=self._examine,
            tick=tick,
        )

    def _verified(self, found: Findings) -> None:
        self.findings = found
        self._refresh()

    # -- what is shown

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        for heading, name in self._headings:
            heading.value = f'<h3 lang="{_i18n.language()}">{escape(name())}</h3>'
        for widget, name in self._labels:
            widget.description = name()
        for task in self._tasks:
            task.retranslate()
        self.player.retranslate()
        self._saved.retranslate()
        self._refill()
        self._refresh()

    def _refill(self) -> None:
        """Fill the menus, keeping what was chosen."""
        from toolkit.report import sections

        cards = [samples.card(n) for n in samples.names(present=True)]
        names = [(card.title, card.name) for card in cards if card.is_video]
        kinds = {
            "text": _("note"),
            "question": _("question"),
            "propositions": _("propositions"),
            "alternative": _("other explanation"),
            "opinion": _("opinion"),
            "review": _("review by a colleague"),
            "conflict": _("conflict of interest"),
        }
        chains = [
            (_("the combined one"), "first"),
            (_("all of them (takes minutes)"), "all"),
        ]
        for menu, options in (
            (self._sample, names),
            (self._chains, chains),
            (self._kind, [(kinds[k], k) for k in _KINDS]),
            (self._alternative, [(sections.alternative_name(a), a) for a in ALTERNATIVES]),
            (self._state, [(sections.state_name(s), s) for s in STATES]),
        ):
            _fill(menu, options)
        chosen = self._regions.value
        self._regions.options = [(figures.region_name(p), p) for p in REGIONS]
        self._regions.value = chosen
        self._show_fields()

    def _refresh(self) -> None:
        """Show what is in the case."""
        self._told.value = self._case_words()
        exhibits = self._exhibits()
        _fill(self._which, [(e.id, e.id) for e in exhibits])
        if self.exhibit is not None and self.exhibit.id in {e.id for e in exhibits}:
            self._which.value = self.exhibit.id
        self._which.layout.display = None if len(exhibits) > 1 else "none"
        self._show_exhibit()
        self._where.value = self._report_words()
        self._notes.value = self._notes_words()
        if self.report is None:
            self._saved.hide()
        else:
            self._saved.show(self.report, pages(self.report, "report.html", "report.pdf"))
        self._found.value = self._check_words()
        self._steps.value = self._log_words()

    def _exhibits(self) -> list[Exhibit]:
        if self.case is None:
            return []
        try:
            return list(self.case.exhibits())
        except ToolkitError as error:
            self._problem = error
            return []

    def _case_words(self) -> str:
        if self._problem is not None:
            return fragments.problem(self._problem)
        if self.case is None:
            return _note(_("No case is open."))
        text = _("Open: {folder}. Head of the log: {head}").format(
            folder=self.case.folder, head=self.case.head
        )
        return _note(text)

    def _show_exhibit(self) -> None:
        """Show what was found of the chosen exhibit, and the facts of its container."""
        from toolkit.casework import operations, publish
        from toolkit.report import sections

        exhibits = {e.id: e for e in self._exhibits()}
        self.exhibit = exhibits.get(self._which.value) if self._which.value else None
        chosen = self.exhibit
        self._show_player()
        self._show_copies(list(exhibits))
        persons: list[tuple[str, str]] = []
        for e in exhibits.values():
            if e.analyses and self.case is not None:
                tracks = self.case.read_json(f"{e.analyses[-1]}/analysis.json")["tracks"]
                persons += [(f"{e.id}:{t['id']}", f"{e.id}:{t['id']}") for t in tracks]
        kept = tuple(p for p in self._reveal.value if p in dict(persons))
        self._reveal.options, self._reveal.value = persons, kept
        if chosen is None or not chosen.analyses or self.case is None:
            self._result.value = self._container.value = ""
            return
        report = operations.examination(self.case, chosen).report
        self._result.value = "".join(
            [
                f"<p>{escape(chosen.id)} SHA-256 {escape(chosen.facts['sha256'])}</p>",
                fragments.verdict(report),
                *(fragments.person(r) for r in report.tracks),
                fragments.notes(report),
                _note(sections.disclaimer()),
            ]
        )
        facts = self.case.read_json(f"{chosen.analyses[-1]}/provenance.json")
        container = publish.provenance_of(facts)
        signed = publish.credentials_of(
            self.case.read_json(f"{chosen.analyses[-1]}/credentials.json")
        )
        signs = [sign.line() for sign in container.signs]
        heading = _("Provenance; it does not feed the verdict")
        lines = [signed.integrity_line(), signed.trust_line(), *signs]
        self._container.value = (
            f"<details><summary>{escape(heading)}</summary>"
            f"{_list(lines)}{_pairs(container.lines())}</details>"
        )

    def _show_copies(self, exhibits: list[str]) -> None:
        """Show how the chosen exhibit fared after re-shares, and on what it was laid."""
        from toolkit.casework import facts as casefile
        from toolkit.casework import operations, publish

        chosen, case = self.exhibit, self.case
        others = [e for e in exhibits if chosen is None or e != chosen.id]
        _fill(self._presumed, [(e, e) for e in others])
        for widget in (self._presumed, self.aligning):
            widget.layout.display = None if others else "none"
        self._held.value = self._lies.value = ""
        if chosen is None or case is None:
            return
        self._held.value = _list(publish.reshare_lines(casefile.reshares(case, chosen)))
        mine = [c for c in operations.compared(case) if c["reshare"] == chosen.id]
        if mine:
            last = mine[-1]
            said = f"{last['source']}: {publish.alignment_of(last['alignment']).line()}"
            self._lies.value = _note(said) + self._side_by_side(last["picture"])

    def _side_by_side(self, picture: dict[str, Any] | None) -> str:
        if picture is None or self.case is None:
            return ""
        caption = _("Left the source with what was kept of it, right the re-share, laid over it.")
        data = base64.b64encode(self.case.read(picture["file"])).decode()
        return (
            f'<figure style="margin:0"><img style="max-width:100%" alt="{escape(caption)}" '
            f'src="data:image/png;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'
        )

    def _report_words(self) -> str:
        if self.report is None or self.case is None:
            return ""
        found = self.case.read_json(f"report/{self.report.name}/report.json")
        text = _("Made: {folder}. Head printed in it: {head}").format(
            folder=self.report, head=found["log"]["head"]
        )
        return _note(text)

    def _notes_words(self) -> str:
        """List what was written down so far, newest last."""
        if self.case is None or self._problem is not None:
            return ""
        kinds = {value: name for name, value in self._kind.options}
        rows = []
        for number, note in enumerate(self.case.notes(), 1):
            text = note.get("text") or note.get("h1") or note.get("alternative") or ""
            where = [figures.region_name(r) for r in note.get("regions") or ()]
            kind = kinds.get(str(note.get("kind")), str(note.get("kind")))
            rows.append(f"{number}. {kind}: {' '.join([str(text), *where])}")
        return _list(rows) if rows else ""

    def _check_words(self) -> str:
        found = self.findings
        if found is None:
            return ""
        if found.is_intact:
            said = f'<div class="dz-box">{escape(_("Intact: nothing differs."))}</div>'
        else:
            lines = [str(d) for d in found.differences]
            said = f'<div class="dz-box dz-wrong" role="alert">{_list(lines)}</div>'
        return said + _list(found.notes)

    def _log_words(self) -> str:
        if self.case is None or self._problem is not None:
            return ""
        from toolkit.report import sections

        entries = self.case.entries()
        n = len(entries)
        title = ngettext("{n} step in the log", "{n} steps in the log", n).format(n=n)
        rows = [f"{e.n}. {e.utc} {sections.event_name(e.event)}" for e in entries]
        return f"<details><summary>{escape(title)}</summary>{_list(rows)}</details>"

    # -- what the user does

    def _on_language(self, change: Any) -> None:
        _i18n.set_language(change["new"])
        self.retranslate()

    def _on_exhibit(self, change: Any) -> None:
        if change["new"] is not None:
            self._show_exhibit()

    def _on_kind(self, _change: Any) -> None:
        self._show_fields()

    def _show_fields(self) -> None:
        """Show the fields that the chosen kind of note has."""
        kind = self._kind.value
        shown = {
            self._words: kind != "propositions",
            self._h1: kind == "propositions",
            self._h2: kind == "propositions",
            self._alternative: kind == "alternative",
            self._state: kind == "alternative",
            **dict.fromkeys((self._frames, self._regions, self._start, self._end), kind == "text"),
        }
        for widget, is_shown in shown.items():
            widget.layout.display = None if is_shown else "none"


def _default(folder: Path | str | None) -> str:
    """Return the folder that is proposed: the first free one within ``runs/cases``."""
    if folder is not None:
        return str(folder)
    number = 1
    while (runs_folder() / "cases" / f"case-{number}").exists():
        number += 1
    return str(runs_folder() / "cases" / f"case-{number}")


def _fill(menu: Any, options: list[tuple[str, str]]) -> None:
    """Give a menu new words, keeping what was chosen."""
    chosen = menu.value
    if list(menu.options) == options:
        return
    menu.options = options
    values = [value for _name, value in options]
    menu.value = chosen if chosen in values else (values[0] if values else None)


def _spans(text: str) -> list[tuple[int, int]]:
    spans = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        first, _dash, last = part.partition("-")
        try:
            spans.append((int(first), int(last or first)))
        except ValueError as error:
            raise UsageError(
                "these are no frames", part, "Give numbers, such as 120 or 130-140."
            ) from error
    return spans


def _note(text: str) -> str:
    return f'<p class="dz-note">{escape(text)}</p>'


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs)
    return f"<dl>{rows}</dl>"
