"""Lesson 4: a class watches a machine learn two faces, and one wear the other's expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.errors import UsageError
from toolkit.figures import lessons as drawn
from toolkit.forge import marks
from toolkit.storage.cache import runs_folder
from toolkit.types import Tick
from toolkit.widgets.styling import classed
from toolkit.widgets.task import Task, pictures

if TYPE_CHECKING:
    from toolkit.lessons.face_autoencoder import FaceLearner, LearningMoment
    from toolkit.lessons.tiny_detector import PersonFace

OWN = "own"
SHORT, USUAL, LONG = 200, 800, 3000
_FACES = 48  # per clip
_DRAWN_EVERY = 20  # steps between two pictures while it learns
_POINTS = 60  # of a curve


class FaceLearningLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Teach one encoder and two decoders the faces of two people, from samples or own pictures.

    What was learned from samples is kept on this computer and taken up again, so a teacher can let
    it learn before the lesson. Nothing is kept of own pictures.

    Parameters
    ----------
    faces
        Faces to choose from, by `PersonFace.person`; None = those of the samples.
    keep_in
        Folder for what was learned from samples; None = ``lessons`` in the folder of runs.

    Attributes
    ----------
    learner
        The two people and their network, or None before it learned.
    """

    def __init__(self, faces: list[PersonFace] | None = None, *, keep_in: Any = None) -> None:
        self._faces = faces
        self._keep_in = keep_in or runs_folder() / "lessons"
        self._chosen: tuple[str, str] | None = None
        self._uploaded: list[tuple[str, bytes]] = []
        self.learner: FaceLearner | None = None
        self._first, self._second = ipywidgets.Dropdown(), ipywidgets.Dropdown()
        self._consent = classed(ipywidgets.Checkbox(value=False, indent=False), "dz-consent")
        self._upload = classed(
            ipywidgets.FileUpload(accept="image/*", multiple=True, layout={"width": "auto"}),
            "dz-upload",
        )
        self._own = ipywidgets.VBox([self._consent, self._upload])
        self._length = ipywidgets.Dropdown()
        self.task: Task[None] = Task(
            lambda: _("Let it learn"),
            self._learn,
            lambda _nothing: self._show(),
            weights={"faces": 10.0, "learn": 90.0},
        )
        self._curve, self._shown = ipywidgets.HTML(), ipywidgets.HTML()
        rows = [self._first, self._second, self._own, self._length, self.task]
        super().__init__([*rows, self._shown, self._curve])
        self.add_class("dz-lesson")
        self.add_class("dz-learning")
        self._second.observe(lambda _change: self._show_own(), "value")
        self._consent.observe(lambda _change: self._show_own(), "value")
        self._upload.observe(self._on_upload, "value")
        self.retranslate()

    def __repr__(self) -> str:
        return f"FaceLearningLab(state={self.task.state!r}, steps={self.steps})"

    @property
    def steps(self) -> int:
        """Steps that were learned, those of earlier times included."""
        return self.learner.steps if self.learner else 0

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        people = self._people()
        _refill(self._first, [(p, p) for p in people], people[0] if people else None)
        second = people[1] if len(people) > 1 else OWN
        own = (_("pictures of my own"), OWN)
        _refill(self._second, [*((p, p) for p in people), own], second)
        lengths = [
            (_("short: a first impression"), SHORT),
            (_("usual: some minutes"), USUAL),
            (_("long: over a break"), LONG),
        ]
        _refill(self._length, lengths, USUAL)
        self._first.description, self._second.description = _("Person A"), _("Person B")
        self._length.description = _("How long")
        self._consent.description = _(
            "These are pictures of myself, or of somebody who agreed to this lesson. They stay in "
            "the memory of this computer."
        )
        self._upload.description = _("Add pictures")
        self.task.retranslate()
        self._show_own()
        if self.learner is not None:
            self._show()

    def _people(self) -> list[str]:
        if self._faces is not None:
            return sorted({f.person for f in self._faces})
        from toolkit.lessons import portraits
        from toolkit.lessons.clips import sources

        return sorted({portraits.person_of(n) for n in sources()})

    def _show_own(self) -> None:
        self._own.layout.display = None if self._second.value == OWN else "none"
        self._upload.disabled = not self._consent.value

    def _on_upload(self, change: Any) -> None:
        self._uploaded = [(f["name"], bytes(f["content"])) for f in change["new"]]
        self._chosen = None  # other pictures: begin anew

    def _learn(self, tick: Tick) -> None:
        chosen = (str(self._first.value), str(self._second.value))
        if self.learner is None or chosen != self._chosen:
            self.learner = self._make(chosen, tick)
            self._chosen = chosen
        self.learner.learn(int(self._length.value), on_moment=self._on_moment, tick=tick)

    def _make(self, chosen: tuple[str, str], tick: Tick) -> FaceLearner:
        from toolkit.lessons import portraits
        from toolkit.lessons.face_autoencoder import FaceLearner

        if chosen[0] == chosen[1]:
            raise UsageError(
                "two people are needed", chosen[0], "Choose somebody else as person B."
            )
        faces = self._faces or portraits.faces(per_clip=_FACES, tick=tick)
        first, second = ([f for f in faces if f.person == person] for person in chosen)
        if chosen[1] == OWN:
            return FaceLearner(first, self._own_faces(tick))
        return FaceLearner(first, second, keep_in=self._keep_in)

    def _own_faces(self, tick: Tick) -> list[PersonFace]:
        from toolkit.forge import expression
        from toolkit.lessons.tiny_detector import PersonFace

        if not self._consent.value:
            raise UsageError(
                "nobody said that the person agreed", "", "Read the line with the box and tick it."
            )
        if not self._uploaded:
            raise UsageError("no pictures were given", "", "Add pictures of the face.")

        def renamed(stage: str, done: int, total: int) -> None:
            del stage  # a lesson has one stage for reading
            tick("faces", done, total)

        gallery = expression.read_pictures(self._uploaded, name=_("own pictures"), tick=renamed)
        return [PersonFace(face.rgb, face.mesh, OWN) for face in gallery.faces]

    def _on_moment(self, moment: LearningMoment) -> None:
        if moment.step % _DRAWN_EVERY == 0:
            self._show()

    def _show(self) -> None:
        if self.learner is None or not self.learner.moments:
            return
        self._shown.value = f'<div lang="{_i18n.language()}">{self._faces_now(self.learner)}</div>'
        self._curve.value = f'<div lang="{_i18n.language()}">{_curve(self.learner.moments)}</div>'

    def _faces_now(self, learner: FaceLearner) -> str:
        from toolkit.lessons.face_autoencoder import sheet

        body = ""
        for person, captions in enumerate(_captions()):
            strips = sheet(learner.redraw(person))
            body += pictures(list(zip(strips, captions, strict=True)))
        made = _("{n} steps. What the machine draws is marked: {words}.").format(
            n=learner.steps, words=marks.STATEMENT
        )
        return f'<p class="dz-note">{made}</p>{body}'


def _captions() -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    return (
        (
            _("Person A, as recorded"),
            _("A, drawn again by the decoder of A"),
            _("B with the expression of A: the swap"),
        ),
        (
            _("Person B, as recorded"),
            _("B, drawn again by the decoder of B"),
            _("A with the expression of B: the swap"),
        ),
    )


def _curve(moments: list[LearningMoment]) -> str:
    """Draw how wrong the drawn faces are, each point the mean over a stretch of steps."""
    size = max(1, len(moments) // _POINTS)
    lots = [moments[i : i + size] for i in range(0, len(moments), size)]
    at = [float(lot[-1].step) for lot in lots]

    def mean(name: str) -> list[float]:
        return [100 * sum(getattr(m, name) for m in lot) / len(lot) for lot in lots]

    return drawn.lines(
        _("How far the drawn faces are from the real ones"),
        _("steps"),
        _("mean difference in 100 parts of white"),
        [(_("person A"), at, mean("loss_a")), (_("person B"), at, mean("loss_b"))],
    )


def _refill(menu: Any, options: list[tuple[str, Any]], usual: Any) -> None:
    """Name the choices again; what was chosen stays chosen."""
    values = [value for _title, value in options]
    chosen = menu.value if menu.options and menu.value in values else usual
    menu.options = options
    menu.value = chosen if chosen in values else None
