"""A lesson in a notebook: text in two languages, exercises with feedback, notes for the teacher.

`Lesson` reads one text file and makes the pieces that a notebook shows, one per cell. One switch
turns all of them, and everything the lesson was told to show, into the other language. Every answer
is on disk before the feedback is on screen.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anywidget
import ipywidgets

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.lessons import marking, read_lesson
from toolkit.lessons.answers import PupilAnswers
from toolkit.lessons.marking import Answer
from toolkit.lessons.text import Exercise, LessonText, to_html
from toolkit.storage.cache import runs_folder
from toolkit.types import REGIONS

W = TypeVar("W")
Known = Answer | Callable[[], Answer | None] | None
"""A right answer, or what returns it once it is known (None until then)."""


PUPILS_VARIABLE = "DOORZICHT_PUPILS"
"""Environment variable: set, the lesson shows no expected answers. `start.py app --pupils` does."""


class Speaks(Protocol):
    """Anything that can say itself again in the language in use."""

    def retranslate(self) -> None:
        """Show every text in the language in use."""


class Style(anywidget.AnyWidget):
    """Carries the style sheet of the lessons; shows nothing.

    It also keeps JupyterLab's one-key shortcuts from firing while a control of a lesson has the
    focus: a letter pressed on a list would delete or change the cell.
    """

    _esm = Path(__file__).with_name("lesson.js")
    _css = Path(__file__).with_name("lesson.css")


class Lesson:
    """The pieces of one lesson.

    Parameters
    ----------
    stem
        Name of the notebook without its suffix, such as ``"05_how_deepfakes_are_found"``.
    runs
        Folder for answers; None = `toolkit.storage.cache.runs_folder`.

    Raises
    ------
    UsageError
        If there is no such lesson, or its text is not complete.
    """

    def __init__(self, stem: str, *, runs: Path | None = None) -> None:
        self.content: LessonText = read_lesson(stem)
        self.runs = runs or runs_folder()
        self.answers = PupilAnswers(self.runs / "lessons" / f"{stem}.json")
        self._lock = threading.RLock()  # widget messages may come on any thread
        self._speakers: list[Callable[[], None]] = []
        self._switches: list[Any] = []
        self._summaries: list[_Summary] = []
        self._exercises: list[_Exercise] = []
        kept = self.answers.get("language")
        if kept in _i18n.LANGUAGES:
            _i18n.set_language(str(kept))

    def __repr__(self) -> str:
        return f"Lesson({self.content.stem!r})"

    # -- pieces

    def opening(self) -> Any:
        """Return the title, the language switch, the goals, the plan and the glossary."""
        switch = ipywidgets.ToggleButtons(
            options=[("English", "en"), ("Nederlands", "nl")],
            value=_i18n.language(),
            style={"button_width": "auto"},
        )
        switch.add_class("dz-lesson-language")
        switch.observe(lambda change: self.speak(change["new"]), "value")
        self._switches.append(switch)
        heading, body, saved = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        anew = ipywidgets.Button(layout={"width": "auto"})
        anew.on_click(lambda _button: self.start_anew())

        def retranslate() -> None:
            heading.value = _in_language(f"<h2>{escape(str(self.content.title))}</h2>")
            body.value = _in_language(_opening(self.content))
            saved.value = _in_language(_where_saved(self.answers))
            anew.description = _("Start anew")
            anew.tooltip = _("Empties the answers; what was answered is put aside, not removed")

        top = ipywidgets.HBox(
            [heading, switch], layout={"justify_content": "space-between", "flex_flow": "row wrap"}
        )
        row = ipywidgets.HBox([saved, anew], layout={"flex_flow": "row wrap"})
        return self._piece([Style(), top, body, row], retranslate, "dz-lesson-opening")

    def text(self, name: str) -> Any:
        """Return the running text of that name.

        Raises
        ------
        KeyError
            If the lesson has no such text.
        """
        words = self.content.text[name]
        shown = ipywidgets.HTML()

        def retranslate() -> None:
            shown.value = _in_language(to_html(str(words)))

        return self._piece([shown], retranslate, "dz-lesson-text")

    def exercise(self, name: str, *, answer: Known = None, within: float | None = None) -> Any:
        """Return an exercise: question, input, check, feedback.

        Parameters
        ----------
        name
            Its id in the lesson's file.
        answer
            What is right where only the moment tells: a value, or a function that returns it.
        within
            How far off a number may be.

        Raises
        ------
        KeyError
            If the lesson has no such exercise.
        """
        made = _Exercise(self, self.content.exercises[name], answer, within)
        self._exercises.append(made)
        return self.show(made)

    def show(self, widget: W) -> W:
        """Return a widget that from now on speaks the lesson's language."""
        speak = getattr(widget, "retranslate", None)
        if speak is not None:
            self._speakers.append(speak)
        return widget

    def closing(self) -> Any:
        """Return what was answered so far, and the folded notes for the teacher."""
        summary = _Summary(self)
        self._summaries.append(summary)
        return self.show(summary)

    # -- what is kept

    def keep(self, name: str, value: Any) -> bool:
        """Keep a JSON value with the answers; return whether it reached the disk."""
        with self._lock:
            return self.answers.put(f"kept.{name}", value)

    def kept(self, name: str, default: Any = None) -> Any:
        """Return a value that was kept."""
        return self.answers.get(f"kept.{name}", default)

    def start_anew(self) -> None:
        """Empty every answer; the file with the old ones is put aside."""
        with self._lock:
            self.answers.start_anew()
            self.answers.put("language", _i18n.language())
            for exercise in self._exercises:
                exercise.clear()
            self.refresh()
            self.retranslate()

    # -- language

    def speak(self, code: str) -> None:
        """Turn the whole lesson into a language."""
        with self._lock:
            if _i18n.set_language(code) != self.answers.get("language"):
                self.answers.put("language", _i18n.language())
            for switch in self._switches:
                switch.value = _i18n.language()
            self.retranslate()

    def retranslate(self) -> None:
        """Say everything again in the language in use."""
        for speak in list(self._speakers):
            speak()

    def refresh(self) -> None:
        """Bring the summaries of what was answered up to date."""
        for summary in self._summaries:
            summary.retranslate()

    def _piece(self, children: list[Any], retranslate: Callable[[], None], name: str) -> Any:
        box = ipywidgets.VBox(children)
        box.add_class("dz-lesson")
        box.add_class(name)
        retranslate()
        self._speakers.append(retranslate)
        return box


class _Exercise(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A question that is checked on the spot."""

    def __init__(
        self, lesson: Lesson, exercise: Exercise, answer: Known, within: float | None
    ) -> None:
        self._lesson, self._exercise = lesson, exercise
        self._known, self._within = answer, within
        self._question, self._feedback = ipywidgets.HTML(), ipywidgets.HTML()
        self._check = ipywidgets.Button(button_style="primary", layout={"width": "auto"})
        self._check.on_click(lambda _button: self.check())
        self._input = _Input(exercise)
        super().__init__([self._question, self._input.widget, self._check, self._feedback])
        for name in ("dz-lesson", "dz-exercise", f"dz-exercise-{exercise.id}"):
            self.add_class(name)
        kept = lesson.answers.get(self._key)
        if isinstance(kept, dict):
            self._input.fill(kept.get("answer"))
        self.retranslate()

    def __repr__(self) -> str:
        return f"Exercise({self._exercise.id!r})"

    @property
    def _key(self) -> str:
        return f"exercise.{self._exercise.id}"

    @property
    def _kept(self) -> dict[str, Any]:
        kept = self._lesson.answers.get(self._key)
        return kept if isinstance(kept, dict) else {}

    def check(self) -> None:
        """Keep the answer, and say what it is worth."""
        given = self._input.answer()
        if given is None:
            self._tell("", _("Give an answer first."))
            return
        tries = int(self._kept.get("tries", 0)) + 1
        known = self._known() if callable(self._known) else self._known
        if callable(self._known) and known is None:
            self._tell("", _("First do the step above; then this can be checked."))
            return
        marked = marking.mark(self._exercise, given, tries=tries, known=known, within=self._within)
        value = {"answer": given, "tries": tries, "right": marked.is_right, "known": known}
        self._lesson.answers.put(self._key, value)
        self._show(marked)
        self._lesson.refresh()

    def clear(self) -> None:
        """Be as if nobody had answered."""
        self._input.fill(None)
        self._tell("", "")

    def retranslate(self) -> None:
        """Say everything in the language in use; feedback that is on screen included."""
        text = to_html(str(self._exercise.question))
        label = _("Exercise")
        self._question.value = _in_language(f"<h4>{escape(label)}</h4>{text}")
        self._input.retranslate()
        is_open = self._exercise.kind == "open"
        self._check.description = _("Save my answer") if is_open else _("Check my answer")
        kept = self._kept
        if kept and self._input.answer() == kept.get("answer"):
            marked = marking.mark(
                self._exercise,
                kept["answer"],
                tries=int(kept.get("tries", 1)),
                known=kept.get("known"),
                within=self._within,
            )
            self._show(marked)

    def _show(self, marked: marking.Marked) -> None:
        state = {True: "dz-right", False: "dz-not-yet", None: "dz-kept"}[marked.is_right]
        sign = {True: "✓ ", False: "○ ", None: ""}[marked.is_right]
        body = f"<p><strong>{escape(sign + marked.text)}</strong></p>"
        if marked.explains:
            body += to_html(str(self._exercise.why))
        if not self._lesson.answers.is_saved:
            body += f"<p>{escape(_not_saved())}</p>"
        self._tell(state, body, is_html=True)

    def _tell(self, state: str, text: str, *, is_html: bool = False) -> None:
        for name in ("dz-right", "dz-not-yet", "dz-kept"):
            self.remove_class(name)
        if state:
            self.add_class(state)
        body = text if is_html else f"<p>{escape(text)}</p>" if text else ""
        self._feedback.value = _in_language(f'<div role="status">{body}</div>') if body else ""


class _Input:
    """The control into which an answer goes, by the kind of exercise."""

    def __init__(self, exercise: Exercise) -> None:
        self._exercise = exercise
        match exercise.kind:
            case "choice":
                self.widget = ipywidgets.RadioButtons(layout={"width": "100%"})
            case "many":
                boxes = [
                    ipywidgets.Checkbox(indent=False, layout={"width": "100%"})
                    for _option in exercise.options
                ]
                self.widget = ipywidgets.VBox(boxes)
            case "number":
                self.widget = ipywidgets.Text(layout={"width": "12em"})
            case "region":
                self.widget = ipywidgets.Dropdown(layout={"width": "22em"})
            case _:
                self.widget = ipywidgets.Textarea(rows=4, layout={"width": "100%"})
        self.widget.add_class("dz-answer")
        self.retranslate()

    def answer(self) -> Answer | None:
        """Return what was entered; None where nothing was."""
        match self._exercise.kind:
            case "choice":
                index = self.widget.index
                return None if index is None else int(index)
            case "many":
                chosen = [i for i, box in enumerate(self.widget.children) if box.value]
                return chosen or None
            case "region":
                return str(self.widget.value) if self.widget.value else None
            case _:
                return self.widget.value.strip() or None

    def fill(self, answer: Any) -> None:
        """Put an answer in; what does not fit, or None, empties the control."""
        options = self._exercise.options
        match self._exercise.kind:
            case "choice":
                fits = type(answer) is int and 0 <= answer < len(options)
                self.widget.index = answer if fits else None
            case "many":
                chosen = answer if isinstance(answer, list) else []
                for i, box in enumerate(self.widget.children):
                    box.value = i in chosen
            case "region":
                self.widget.value = answer if answer in REGIONS else ""
            case _:
                self.widget.value = answer if isinstance(answer, str) else ""

    def retranslate(self) -> None:
        """Name everything in the language in use; what was entered stays."""
        from toolkit.figures import region_name

        texts = [_plain(str(o.words)) for o in self._exercise.options]
        match self._exercise.kind:
            case "choice":
                index = self.widget.index if self.widget.options else None
                self.widget.options = [(text, i) for i, text in enumerate(texts)]
                self.widget.index = index
            case "many":
                for box, text in zip(self.widget.children, texts, strict=True):
                    box.description = text
            case "region":
                value = self.widget.value or ""
                names = [(region_name(player), player) for player in REGIONS]
                self.widget.options = [(_("choose …"), ""), *names]
                self.widget.value = value
            case "number":
                self.widget.placeholder = _("a number")
            case _:
                self.widget.placeholder = _("your answer")


class _Summary(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """What was answered so far, and the teacher's notes."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        self._shown = ipywidgets.HTML()
        super().__init__([self._shown])
        self.add_class("dz-lesson")
        self.add_class("dz-lesson-closing")
        self.retranslate()

    def __repr__(self) -> str:
        return "Summary()"

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        content = self._lesson.content
        rows = []
        for number, exercise in enumerate(content.exercises.values(), 1):
            kept = self._lesson.answers.get(f"exercise.{exercise.id}")
            rows.append(_answered(number, exercise, kept if isinstance(kept, dict) else None))
        title, notes = _("What you answered"), _("For the teacher: expected answers, and advice")
        items = "".join(to_html(str(t)) for t in content.teacher)
        answers = (
            f'<details class="dz-teacher"><summary>{escape(notes)}</summary>{items}'
            f"{_expected(content)}</details>"
        )
        is_pupils = bool(os.environ.get(PUPILS_VARIABLE))
        self._shown.value = _in_language(
            f"<h3>{escape(title)}</h3><ol>{''.join(rows)}</ol>{'' if is_pupils else answers}"
        )


def _answered(number: int, exercise: Exercise, kept: dict[str, Any] | None) -> str:
    question = _plain(str(exercise.question))
    short = question if len(question) <= 90 else question[:88].rstrip() + " …"
    if kept is None:
        state = _("not answered yet")
    elif kept.get("right") is None:
        state = _("answered")
    elif kept["right"]:
        state = _("✓ right")
    else:
        state = _("○ not yet")
    return f'<li value="{number}">{escape(short)} <strong>{escape(state)}</strong></li>'


def _expected(content: LessonText) -> str:
    """Return the expected answer of every exercise, for the teacher."""
    from toolkit.figures import number as written
    from toolkit.figures import region_name

    rows = []
    for exercise in content.exercises.values():
        match exercise.kind:
            case "choice" | "many":
                answer = "; ".join(_plain(str(o.words)) for o in exercise.options if o.is_right)
            case "number" if exercise.number is not None:
                digits = 0 if exercise.number == int(exercise.number) else 2
                answer = written(exercise.number, digits)
            case "region" if exercise.regions:
                answer = ", ".join(region_name(r) for r in exercise.regions)
            case _:
                answer = ""
        if not answer:
            is_open = exercise.kind == "open"
            answer = _("free") if is_open else _("depends on what was made in the lesson")
        question = escape(_plain(str(exercise.question)))
        why = to_html(str(exercise.why))
        rows.append(f"<dt>{question}</dt><dd><strong>{escape(answer)}</strong>{why}</dd>")
    title = _("Expected answers")
    return f"<h4>{escape(title)}</h4><dl>{''.join(rows)}</dl>"


def _opening(content: LessonText) -> str:
    from toolkit.figures.lesson_pictures import lesson_strip

    goals = "".join(f"<li>{_inline(str(g))}</li>" for g in content.goals)
    minutes = _("{n} min")
    plan = "".join(
        f"<tr><td>{minutes.format(n=item.minutes)}</td><td>{_inline(str(item.words))}</td></tr>"
        for item in content.plan
    )
    terms = "".join(
        f"<dt>{_inline(str(t.term))}</dt><dd>{_inline(str(t.meaning))}</dd>"
        for t in content.glossary
    )
    after, words = _("After this lesson"), _("Words used here")
    when = _("Plan: {n} minutes").format(n=content.minutes)
    return (
        f'<div class="dz-lesson-first"><div><h3>{escape(after)}</h3><ul>{goals}</ul>'
        f"<details><summary>{escape(when)}</summary><table>{plan}</table></details>"
        f"<details><summary>{escape(words)}</summary><dl>{terms}</dl></details></div>"
        f"{lesson_strip(content.stem)}</div>"
    )


def _where_saved(answers: PupilAnswers) -> str:
    from toolkit.media import show_name

    text = _("Answers stay on this computer, in {file}.").format(file=show_name(answers.path))
    if not answers.is_saved:
        text = _not_saved()
    elif answers.set_aside is not None:
        aside = _("What was there before is in {file}.")
        text += " " + aside.format(file=show_name(answers.set_aside))
    return f'<p class="dz-note">{escape(text)}</p>'


def _not_saved() -> str:
    return _("Your answer could not be saved: the disk is full, or the folder is read-only.")


def _inline(text: str) -> str:
    return to_html(text).removeprefix("<p>").removesuffix("</p>")


def _plain(text: str) -> str:
    return " ".join(text.replace("**", "").replace("`", "").split())


def _in_language(html: str) -> str:
    return f'<div lang="{_i18n.language()}">{html}</div>'
