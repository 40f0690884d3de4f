"""Lesson 6: make a quiz, do it here or on pupils' own laptops, and see how the class did."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from toolkit import _i18n, figures
from toolkit._i18n import _, ngettext
from toolkit.lessons import codes, quiz, tally
from toolkit.lessons import quiz_page as page
from toolkit.lessons.quiz import QUESTIONS, Quiz
from toolkit.lessons.tally import ClassResult, Tally
from toolkit.media import show_name
from toolkit.types import Tick
from toolkit.widgets.saved import Saved
from toolkit.widgets.task import Task

_PAGE = Path(page.__file__).parent


class QuizPlayer(anywidget.AnyWidget):
    """The quiz itself, as in the page for pupils.

    Parameters
    ----------
    shown
        What to ask; None shows nothing.

    Attributes
    ----------
    state
        Where the pupil is and what was answered; written by the browser after every step.
    """

    _esm = _PAGE / "quiz_page.js"
    _css = _PAGE / "quiz_page.css"
    quiz: Any = traitlets.Dict(allow_none=True).tag(sync=True)
    state: Any = traitlets.Dict(allow_none=True).tag(sync=True)
    language = traitlets.Unicode("en").tag(sync=True)

    def __init__(self, shown: Quiz | None = None, *, state: dict[str, Any] | None = None) -> None:
        data = page.data(shown) if shown else None
        super().__init__(quiz=data, state=state, language=_i18n.language())

    def __repr__(self) -> str:
        return "QuizPlayer()"

    def show(self, shown: Quiz | None, *, state: dict[str, Any] | None = None) -> None:
        """Show another quiz."""
        self.state = state
        self.quiz = page.data(shown) if shown else None

    def say(self) -> None:
        """Say everything in the language in use."""
        self.language = _i18n.language()


class QuizLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Make a quiz from the samples, do it, and write the page for pupils.

    Parameters
    ----------
    runs
        Folder for quizzes; None = ``runs`` in the project's folder.
    questions
        How many clips: even, 2 to 12.
    make
        What makes it; None = `toolkit.lessons.quiz.make_quiz`.
    state, on_state
        Where the pupil is in the quiz (as `QuizPlayer.state`), and what is told when that changes.

    Attributes
    ----------
    quiz
        The quiz on screen, or None.
    """

    def __init__(
        self,
        *,
        runs: Path | None = None,
        questions: int = QUESTIONS,
        make: Callable[..., Quiz] | None = None,
        state: dict[str, Any] | None = None,
        on_state: Callable[[dict[str, Any] | None], None] | None = None,
    ) -> None:
        self._runs, self._questions = runs, questions
        self._make = make or quiz.make_quiz
        self._written: Path | None = None
        self.quiz = quiz.latest(runs)
        self.task: Task[Quiz] = Task(
            lambda: _("Make a new quiz"), self._work, self._arrive, weights=quiz.STAGES
        )
        self._about, self._where = ipywidgets.HTML(), ipywidgets.HTML()
        self._page = ipywidgets.Button(layout={"width": "auto"})
        self._page.on_click(lambda _button: self.write())
        self.player = QuizPlayer(self.quiz, state=state)
        if on_state is not None:
            self.player.observe(lambda change: on_state(change["new"]), "state")
        self._saved = Saved()
        row = ipywidgets.HBox([self._page, self._where], layout={"flex_flow": "row wrap"})
        super().__init__([self._about, self.task, row, self._saved, self.player])
        self.add_class("dz-lesson")
        self.add_class("dz-quiz-lab")
        self.say()

    def __repr__(self) -> str:
        return f"QuizLab(quiz={None if self.quiz is None else self.quiz.number})"

    def write(self) -> Path | None:
        """Write the page for pupils; return it."""
        if self.quiz is None:
            return None
        where = quiz.folder(self._runs)
        try:
            where.mkdir(parents=True, exist_ok=True)
            out = where / f"spot_the_fake-{self.quiz.number:05d}.html"
            self._written = page.write(self.quiz, out)
        except OSError as error:
            text = _("The page could not be written: {why}").format(why=error)
            self._where.value = f'<p role="alert">{escape(text)}</p>'
            return None
        self._say_where()
        return self._written

    def say(self) -> None:
        """Say everything in the language in use."""
        self.task.say()
        self._page.description = _("Write the page for pupils")
        self._page.disabled = self.quiz is None
        if self.quiz is None:
            text = _(
                "There is no quiz yet. Making one takes one to three minutes: every clip is made "
                "from "
                "the samples and shown to the detector."
            )
        else:
            # how often the detector errs is not said: this may be on the wall before the quiz
            text = _("Quiz {number}: {n} clips.").format(
                number=f"{self.quiz.number:05d}", n=len(self.quiz.questions)
            )
            if self.quiz.model_wrong == 0:
                text += " " + _("Make another one: a class should also meet a wrong detector.")
        self._about.value = f'<p lang="{_i18n.language()}">{escape(text)}</p>'
        self._say_where()
        self.player.say()

    def _say_where(self) -> None:
        if self._written is None:
            self._where.value = ""
            self._saved.hide()
            return
        self._saved.show(self._written.parent, [self._written])
        size = f"{self._written.stat().st_size / 1e6:.1f}"
        text = _(
            "Written: {file} ({size} MB). Hand it out on a stick or by the school's own network; "
            "it "
            "needs no network to run. The answers in it are only lightly scrambled."
        ).format(
            file=show_name(self._written),
            size=size.replace(".", ",") if _i18n.language() == "nl" else size,
        )
        self._where.value = f'<p role="status" lang="{_i18n.language()}">{escape(text)}</p>'

    def _work(self, tick: Tick) -> Quiz:
        made = self._make(questions=self._questions, tick=tick)
        quiz.save(made, self._runs)
        return made

    def _arrive(self, made: Quiz) -> None:
        self.quiz, self._written = made, None
        self.player.show(made)
        self.say()


class ClassLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Paste the result codes of a class and see what it made of the quiz.

    Parameters
    ----------
    runs
        Folder of the quizzes; None = ``runs`` in the project's folder.
    text, on_text
        What was pasted before, and what is told when that changes.

    Attributes
    ----------
    result
        What is on screen, or None.
    """

    def __init__(
        self,
        *,
        runs: Path | None = None,
        text: str = "",
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self._runs, self._on_text = runs, on_text
        self.result: ClassResult | None = None
        self._codes = ipywidgets.Textarea(value=text, rows=6, layout={"width": "100%"})
        self._codes.add_class("dz-codes")
        self._count = ipywidgets.Button(button_style="primary", layout={"width": "auto"})
        self._count.on_click(lambda _button: self.count())
        self._shown = ipywidgets.HTML()
        super().__init__([self._codes, self._count, self._shown])
        self.add_class("dz-lesson")
        self.add_class("dz-class")
        self.say()
        if text:
            self.count()

    def __repr__(self) -> str:
        return f"ClassLab(pupils={0 if self.result is None else self.result.pupils})"

    @property
    def misled(self) -> int | None:
        """How many times a pupil was misled; None before codes were pasted."""
        return None if self.result is None else self.result.total.misled

    def paste(self, text: str) -> None:
        """Put codes in, and count."""
        self._codes.value = text
        self.count()

    def count(self) -> None:
        """Read the codes and show the class."""
        if self._on_text is not None:
            self._on_text(self._codes.value)
        self.say()

    def say(self) -> None:
        """Say everything in the language in use."""
        self._codes.description = _("Codes")
        self._codes.placeholder = _("One code per line; words beside a code do no harm")
        self._count.description = _("Show the class")
        results, misfits = codes.find(self._codes.value)
        self.result, body = None, ""
        if results:
            body = self._class(results)
        body += _misfits(misfits)
        if not body and self._codes.value.strip():
            nothing = _("There is no code in this text.")
            body = f"<p>{escape(nothing)}</p>"
        self._shown.value = f'<div lang="{_i18n.language()}">{body}</div>'

    def _class(self, results: list[codes.Result]) -> str:
        numbers = [r.quiz for r in results]
        number = max(sorted(set(numbers)), key=numbers.count)
        own = [r for r in results if r.quiz == number]
        asked = quiz.find(number, self._runs)
        if asked is None:
            text = _(
                "These codes belong to quiz {number}, which is not on this computer. Open this "
                "lesson "
                "where that quiz was made."
            ).format(number=f"{number:05d}")
            return f'<p class="dz-box dz-wrong" role="alert">{escape(text)}</p>'
        body = ""
        if others := len(results) - len(own):
            text = ngettext(
                "{n} code belongs to another quiz and was left out.",
                "{n} codes belong to another quiz and were left out.",
                others,
            )
            body = f"<p>{escape(text.format(n=others))}</p>"
        fitting = [r for r in own if len(r.given) == len(asked.questions)]
        if not fitting:
            return body
        self.result = tally.tally(asked.keys, fitting)
        return body + class_html(asked, self.result)


def _misfits(misfits: list[codes.Misfit]) -> str:
    if not misfits:
        return ""
    why = {
        "no_code": _("no code"),
        "wrong_character": _("a character is wrong; ask for it again"),
        "repeated": _("was there already; counted once"),
    }
    rows = "".join(
        f"<li><code>{escape(show_name(m.line))}</code>: {escape(why[m.why])}</li>"
        for m in misfits[:40]
    )
    if len(misfits) > 40:
        more = _("and {n} more").format(n=len(misfits) - 40)
        rows += f"<li>{escape(more)}</li>"
    title = _("Lines that were not counted")
    return f"<h4>{escape(title)}</h4><ul>{rows}</ul>"


def class_html(asked: Quiz, found: ClassResult) -> str:
    """Return what a class made of a quiz: sentences, and a table per clip."""
    pupils = ngettext("{n} pupil", "{n} pupils", found.pupils).format(n=found.pupils)
    title, clips, total = _("The class"), _("All clips"), found.total
    lines = "".join(f"<li>{escape(line)}</li>" for line in class_sentences(total))
    heads = (
        _("Clip"), _("Truth"), _("Detector"), _("Pupils alone, right"),
        _("After the detector, right"), _("Misled"), _("Helped"), _("Most suspected"),
    )  # fmt: skip
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    rows = "".join(
        _row(number, asked, one, regions)
        for number, (one, regions) in enumerate(zip(found.questions, found.regions, strict=True))
    )
    return (
        f"<h3>{escape(title)}: {escape(pupils)}</h3>{bars_svg(total)}<ul>{lines}</ul>"
        f'<div tabindex="0" role="region" aria-label="{escape(clips)}" '
        f'style="overflow-x:auto"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


_BAR_WIDE, _BAR_TALL, _BAR_LEFT = 520, 108, 190


def bars_svg(total: Tally) -> str:
    """Return how often the right answer was given, as three bars of their own hundred.

    Pupils alone, the detector alone, and pupils after hearing it: that they differ is the lesson.
    """
    bars = (
        (_("pupils alone"), total.alone, total.answers, "#5b6670"),
        (_("detector alone"), total.model, total.model_of, "#2166ac"),
        (_("pupils with the detector"), total.together, total.answers, "#c8540a"),
    )
    room = _BAR_WIDE - _BAR_LEFT - 70
    rows = ""
    for number, (name, right, of, colour) in enumerate(bars):
        y = 6 + 34 * number
        long = room * right / of if of else 0.0
        said = _("{n} of {of}").format(n=right, of=of) if of else _("no answer yet")
        rows += (
            f'<text x="{_BAR_LEFT - 8}" y="{y + 17}" text-anchor="end" fill="currentColor">'
            f'{escape(name)}</text><rect x="{_BAR_LEFT}" y="{y}" width="{room}" height="24" '
            f'fill="currentColor" opacity=".08"/><rect x="{_BAR_LEFT}" y="{y}" '
            f'width="{long:.1f}" height="24" fill="{colour}"/>'
            f'<text x="{_BAR_LEFT + room + 6}" y="{y + 17}" fill="currentColor">'
            f"{escape(said)}</text>"
        )
    label = escape(_("How many answers were right: alone, the detector, together"))
    return (
        f'<svg class="dz-class-bars" viewBox="0 0 {_BAR_WIDE} {_BAR_TALL}" role="img" '
        f'aria-label="{label}" font-family="system-ui, sans-serif" font-size="13" '
        f'style="max-width:640px;width:100%">{rows}</svg>'
    )


def class_sentences(total: Tally) -> list[str]:
    """Return the class in sentences with counts of answers."""
    return [
        _("Pupils alone: {n} of {of} answers right.").format(n=total.alone, of=total.answers),
        _("The detector on the same clips: {n} of {of} right where it gave a verdict.").format(
            n=total.model, of=total.model_of
        ),
        _("Pupils after hearing the detector: {n} of {of} answers right.").format(
            n=total.together, of=total.answers
        ),
        _(
            "Misled: {n} of {of} times a pupil who was right gave that up for a detector that was "
            "wrong."
        ).format(n=total.misled, of=total.could_mislead),
        _(
            "Helped: {n} of {of} times a pupil who was wrong changed to a detector that was right."
        ).format(n=total.helped, of=total.could_help),
        _("Sure, and wrong: {n} of the {of} answers that were given as sure.").format(
            n=total.sure_wrong, of=total.sure
        ),
        _("The suspected part was one that was forged: {n} of {of} times.").format(
            n=total.pointed_right, of=total.pointed
        ),
    ]


def _row(number: int, asked: Quiz, one: Tally, regions: tuple[tuple[str, int], ...]) -> str:
    key = asked.questions[number].key
    model = {
        None: _("no verdict"),
        True: _("✓ right"),
        False: _("✗ wrong"),
    }[key.model_is_right]
    suspected = figures.region_name(regions[0][0]) + f" ({regions[0][1]})" if regions else "–"
    of = _("{n} of {of}")
    cells = (
        str(number + 1),
        _("forged") if key.forged else _("genuine"),
        model,
        of.format(n=one.alone, of=one.answers),
        of.format(n=one.together, of=one.answers),
        of.format(n=one.misled, of=one.could_mislead),
        of.format(n=one.helped, of=one.could_help),
        suspected,
    )
    return "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in cells) + "</tr>"
