"""What questions cost: steps for a bar, and about how long they take on this computer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from toolkit.explain import perturbation
from toolkit.types import Tick

if TYPE_CHECKING:
    from toolkit.explain.session import PersonExplainer

KEY_FRAMES = 8
"""So many moments the witnesses speak about unless somebody asks otherwise."""


class Counted:
    """A tick for one question: it sums up what the work within costs, out of about `expected`.

    Parameters
    ----------
    tick
        Called with the question as the stage.
    question
        What is asked.
    expected
        What it costs in all, in passes of the detector.
    batch
        How many pictures a call stands for that does not say so itself.
    gradient_cost
        What a picture costs whose gradient is taken, in passes.
    """

    def __init__(
        self,
        tick: Tick,
        question: str,
        expected: float,
        *,
        batch: int = 1,
        gradient_cost: float = 1.0,
    ) -> None:
        self._tick, self._question = tick, question
        self._expected = max(round(expected), 2)
        self._batch, self._gradient_cost = batch, gradient_cost
        self._spent = 0.0
        self._pictures = 0  # of the method of Captum's that runs

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Count a call; `donors` keeps its name, for that takes a while and is no question."""
        if stage == "donors":
            self._tick(stage, done, total)
            return
        self._spent += self._cost(stage, done)
        self._tick(self._question, min(round(self._spent), self._expected - 1), self._expected)

    def _cost(self, stage: str, done: int) -> float:
        """Return what went on since the last call; a method of Captum's counts its pictures."""
        method = stage.removeprefix("captum ")
        if method == stage:
            return float(self._batch)
        from toolkit.explain.pixels import ASKS_ONLY

        pictures, self._pictures = max(0, done - self._pictures), done
        return pictures * (1.0 if method in ASKS_ONLY else self._gradient_cost)


_PASSES = {"references": 160, "witnesses": 80, "exact": 1024, "trust": 1160, "methods": 560}
"""About how many crops a question asks the detector about. Witnesses: per key frame."""

_GRADIENTS = {True: {"trust": 70, "methods": 90}, False: {"trust": 18, "methods": 55}}
"""About how many pictures go through the network itself, by whether it is the one that judges."""

GRADIENT_COST = {True: 3.0, False: 20.0}
"""A gradient in passes: of the network that judges, or of a float32 one beside an INT8 judge."""


def counted(subject: PersonExplainer, tick: Tick, question: str, times: int = 1) -> Counted:
    """Return a tick that has a question for its stage, and about as many steps as it needs.

    Parameters
    ----------
    times
        How often the question is asked.
    """
    return Counted(
        tick,
        question,
        times * max(64.0, expected_passes(subject, question, key_frames=1)),
        batch=subject.detector.batch or perturbation.WHOLE,
        gradient_cost=GRADIENT_COST[subject.judges_with_network],
    )


DONORS_PASSES = 325
"""About what reading the faces of the donors costs, in passes."""


def expected_passes(
    subject: PersonExplainer, question: str, *, key_frames: int = KEY_FRAMES
) -> float:
    """Return about what a question costs beside a reference, in passes of the detector.

    Parameters
    ----------
    subject
        Whom to ask.
    question
        From `QUESTIONS`, ``"references"`` or ``"check"``.
    key_frames
        As for `ask`.
    """
    frames = len(subject.crops.rgb)
    passes = {"witnesses": _PASSES["witnesses"] * key_frames, "bands": 64, "check": 4 * frames}
    own = subject.judges_with_network
    gradients = _GRADIENTS[own].get(question, 0) * GRADIENT_COST[own]
    return float(passes.get(question, _PASSES.get(question, 0)) + gradients)


def stage_weights(
    subject: PersonExplainer, questions: Sequence[str], position: int
) -> dict[str, float]:
    """Return the stages of asking some questions, each with about what it costs.

    What is answered already is left out, so that a bar does not begin in its middle.
    """
    weights: dict[str, float] = {"donors": DONORS_PASSES, "references": _PASSES["references"]}
    if subject.state(position).choice is not None:
        weights = {}
    for question in questions:
        weights[question] = max(1.0, expected_passes(subject, question))
    return weights


def expected_seconds(
    subject: PersonExplainer, question: str, *, key_frames: int = KEY_FRAMES
) -> float:
    """Return about how long a question takes on this computer; NaN while nothing is known of it.

    Parameters
    ----------
    subject
        Whom to ask.
    question
        From `QUESTIONS`, or ``"check"``.
    key_frames
        As for `ask`.
    """
    passes = expected_passes(subject, question, key_frames=key_frames)
    if question == "witnesses":  # nobody asks them without a reference
        passes += _PASSES["references"]
    return subject.seconds_per_pass * passes
