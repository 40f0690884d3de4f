"""How pictures go into a network that somebody else trained, and what its outputs mean.

Both are facts about the weights, not about the architecture: with another mean, another order of
colours or another class first the same network gives plausible numbers and no error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch

from toolkit.errors import DetectorError, OutOfRangeError, UnknownNameError, UsageError
from toolkit.messages import phrase

Colour = Literal["rgb", "bgr"]
Scale = Literal["logits", "probabilities"]
COLOURS: tuple[Colour, ...] = get_args(Colour)
SCALES: tuple[Scale, ...] = get_args(Scale)

Three = tuple[float, float, float]

NORMALISATIONS: Mapping[str, tuple[Three, Three]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""The four usual ones: mean and deviation of each colour, of pixels of 0..1."""

FAKE_WORDS = frozenset({"fake", "deepfake", "deepfakes", "ai", "artificial", "synthetic"}) | {
    "generated",
    "manipulated",
    "manipulation",
    "forged",
    "forgery",
    "spoof",
    "spoofed",
}
REAL_WORDS = frozenset({"real", "realism", "human", "authentic", "genuine", "bona", "live"})
"""Words in the names of classes; a name with words of both, or of neither, is not guessed at."""

EDGE = 1e-7  # probabilities of exactly 0 or 1 have no logit; float32 knows none nearer to 1


@dataclass(frozen=True)
class Reading:
    """How pixels become what the network was trained on.

    Attributes
    ----------
    mean, std
        Of each colour in the network's own order, of pixels of 0..1.
    colour
        In which order the network wants the colours.

    Raises
    ------
    OutOfRangeError, UnknownNameError
        If a deviation is not above 0, or the order is none.
    """

    mean: Three = (0.0, 0.0, 0.0)
    std: Three = (1.0, 1.0, 1.0)
    colour: Colour = "rgb"

    def __post_init__(self) -> None:
        lengths = {len(row) for row in (self.mean, self.std)}  # files and commands give any
        if lengths != {3} or not all(s > 0 for s in self.std):
            raise OutOfRangeError(
                "mean and deviation must be three numbers each, deviations above 0",
                f"{self.mean}, {self.std}",
                "Take them from the detector's own code, or choose one of {known}.",
                known=", ".join(NORMALISATIONS),
            )
        if self.colour not in COLOURS:
            raise UnknownNameError(
                "there is no such order of colours",
                str(self.colour),
                "Choose from {known}.",
                known=COLOURS,
            )

    @classmethod
    def named(cls, name: str, colour: Colour = "rgb") -> Reading:
        """Return one of `NORMALISATIONS`.

        Raises
        ------
        UnknownNameError
            If there is none of that name.
        """
        if name not in NORMALISATIONS:
            raise UnknownNameError(
                "there is no such normalisation",
                name,
                "Choose from {known}.",
                known=tuple(NORMALISATIONS),
            )
        return cls(*NORMALISATIONS[name], colour)

    def read(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return what the network gets for RGB pictures (N, 3, S, S), 0..255."""
        mean = pictures.new_tensor(self.mean).view(1, 3, 1, 1)
        std = pictures.new_tensor(self.std).view(1, 3, 1, 1)
        ordered = pictures.flip(1) if self.colour == "bgr" else pictures
        return (ordered / 255 - mean) / std

    def alternatives(self) -> dict[str, Reading]:
        """Return other readings that people take for this one, by what would be wrong."""
        alternatives = {"bgr": replace(self, colour="rgb" if self.colour == "bgr" else "bgr")}
        for name, (mean, std) in NORMALISATIONS.items():
            if (mean, std) != (self.mean, self.std):
                alternatives[name] = replace(self, mean=mean, std=std)
        return alternatives


@dataclass(frozen=True)
class Answer:
    """What the outputs of a network mean, and so what its fake logit is.

    With several outputs the fake logit is the log-sum-exp of the fake classes minus that of the
    real ones; with one it is that output, its sign turned where it speaks for genuine.

    Attributes
    ----------
    fake, real
        Numbers of the outputs that mean fake and real, each named once, together all of them.
    scale
        Whether outputs are logits, or probabilities (a sigmoid or softmax inside the network).

    Raises
    ------
    UsageError
        If an output is named twice or left out, or the two do not tell fake from real.
    """

    fake: tuple[int, ...]
    real: tuple[int, ...] = ()
    scale: Scale = "logits"

    def __post_init__(self) -> None:
        every = sorted((*self.fake, *self.real))
        if not every or every != list(range(len(every))):
            raise UsageError(
                "the outputs are not all named, each once",
                phrase("fake {fake}, real {real}", fake=_list(self.fake), real=_list(self.real)),
                "Say of every output, from 0, whether it means fake or real.",
            )
        if len(every) > 1 and not (self.fake and self.real):
            raise UsageError(
                "the outputs do not tell fake from real",
                phrase("fake {fake}, real {real}", fake=_list(self.fake), real=_list(self.real)),
                "Name at least one of each.",
            )
        if self.scale not in SCALES:
            raise UnknownNameError(
                "there is no such scale", str(self.scale), "Choose from {known}.", known=SCALES
            )

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return len(self.fake) + len(self.real)

    @property
    def swapped(self) -> Answer:
        """The same with fake and real exchanged."""
        return Answer(self.real, self.fake, self.scale)

    def logits(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the fake logits (N,) of outputs (N, K), or (N,) of a network with one.

        Raises
        ------
        DetectorError
            If the network has another number of outputs than are named.
        """
        rows = outputs.reshape(len(outputs), -1)
        if rows.shape[1] != self.outputs:
            raise DetectorError(
                "the network has another number of outputs than are named",
                phrase("{n} outputs, {named} named", n=rows.shape[1], named=self.outputs),
                "Say of every output, from 0, whether it means fake or real.",
            )
        if self.outputs == 1:
            if self.scale == "probabilities":
                rows = torch.logit(rows, eps=EDGE)
            return rows[:, 0] if self.fake else -rows[:, 0]
        if self.scale == "probabilities":
            rows = rows.clamp_min(EDGE).log()
        fake, real = (torch.logsumexp(rows[:, list(c)], 1) for c in (self.fake, self.real))
        return fake - real


def _list(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers)) or "-"


def read_labels(labels: Mapping[Any, str]) -> Answer | None:
    """Return which outputs mean fake, as the names of a network's classes say; None = ask.

    A name that is on neither of two lists of words, or on both, is not guessed at.

    Examples
    --------
    >>> read_labels({0: "Realism", 1: "Deepfake"})
    Answer(fake=(1,), real=(0,), scale='logits')
    >>> read_labels({0: "Fake", 1: "Real"}).fake
    (0,)
    >>> read_labels({0: "LABEL_0", 1: "LABEL_1"}) is None
    True
    """
    try:
        named = {int(number): str(name) for number, name in labels.items()}
    except (TypeError, ValueError):
        return None
    fake: list[int] = []
    real: list[int] = []
    for number, name in sorted(named.items()):
        words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))
        negated = bool(words & {"not", "non", "un", "no"})
        is_fake, is_real = bool(words & FAKE_WORDS), bool(words & REAL_WORDS)
        if negated or is_fake == is_real:
            return None
        (fake if is_fake else real).append(number)
    try:
        return Answer(tuple(fake), tuple(real))
    except UsageError:  # all of one kind, or numbers left out
        return None
