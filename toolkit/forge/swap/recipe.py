"""The settings of a swap, and the steps that are broken on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from toolkit.errors import (
    OutOfRangeError,
    UnknownNameError,
)
from toolkit.messages import phrase

Colour = Literal["none", "mean", "local"]
Blending = Literal["hard", "feather", "poisson"]
Mouth = Literal["gallery", "target", "auto"]
Match = Literal["best", "worst"]
COLOURS: tuple[Colour, ...] = ("local", "mean", "none")
BLENDINGS: tuple[Blending, ...] = ("feather", "poisson", "hard")
MOUTHS: tuple[Mouth, ...] = ("auto", "gallery", "target")
JUMP = 1.5
"""Usual cost of changing the gallery picture, in squared distance."""


@dataclass(frozen=True)
class SwapRecipe:
    """How a swap is made; the usual values make the best one.

    Attributes
    ----------
    match
        ``"best"`` takes the gallery face with the closest expression, ``"worst"`` the farthest.
    jump
        Cost of changing the gallery picture from one frame to the next, see
        `expression.choose_path`; 0 takes the closest at every frame, which flickers.
    resolution
        Width in pixels to which the face is shrunk before it is warped; 0 = as it is.
    shift
        How far the face is put beside its place, in face widths: right, down.
    mouth
        Inside of the mouth: from the ``"gallery"`` picture, from the ``"target"`` clip, or
        ``"auto"``: from the clip as far as the picture's mouth is less open than the clip's.
    colour, colour_strength
        ``"mean"`` gives the face the target's mean and spread per colour, ``"local"`` its light
        as it changes over the face; 0 to 1, how much of it.
    erode, feather
        How far inside the outline of the face the mask begins, and over what width it grows, both
        in face widths.
    blend
        ``"hard"`` cuts along the mask's half, ``"feather"`` mixes by the mask, ``"poisson"``
        keeps the face's gradients and lets its border take the target's colours.
    crf
        Quality of the coded clip: 0 to 51, lower is better.
    seed
        Stored; nothing is drawn at random.
    """

    match: Match = "best"
    jump: float = JUMP
    resolution: int = 0
    shift: tuple[float, float] = (0.0, 0.0)
    mouth: Mouth = "auto"
    colour: Colour = "local"
    colour_strength: float = 1.0
    erode: float = 0.03
    feather: float = 0.10
    blend: Blending = "feather"
    crf: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "jump": (0, 1000),
            "resolution": (0, 1024),
            "colour_strength": (0, 1),
            "erode": (0, 0.3),
            "feather": (0, 0.5),
            "crf": (0, 51),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                value = phrase("{name} = {value}", name=name, value=getattr(self, name))
                raise OutOfRangeError(
                    "a setting is out of range", value, "Use {low} to {high}.", low=low, high=high
                )
        if max(abs(s) for s in self.shift) > 1:
            raise OutOfRangeError(
                "a setting is out of range",
                f"shift = {self.shift}",
                "Use -1 to 1.",
            )
        choices = {
            "match": ("best", "worst"),
            "mouth": MOUTHS,
            "colour": COLOURS,
            "blend": BLENDINGS,
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                value = phrase("{name} = {value}", name=name, value=getattr(self, name))
                raise UnknownNameError(
                    "unknown choice", value, "Choose one of {known}.", known=known
                )


USUAL = SwapRecipe()
BREAKS: dict[str, dict[str, object]] = {
    "none": {},
    "no_colour": {"colour": "none"},
    "hard_mask": {"blend": "hard", "erode": 0.0, "feather": 0.0},
    "wrong_expression": {"match": "worst", "mouth": "gallery"},
    "shifted": {"shift": (0.06, 0.03)},
    "low_resolution": {"resolution": 32},
}
"""One step broken on purpose: what is changed in a recipe."""


def broken(recipe: SwapRecipe, step: str) -> SwapRecipe:
    """Return the recipe with one step broken, by a name out of `BREAKS`.

    Raises
    ------
    UsageError
        If there is no such step.

    Examples
    --------
    >>> broken(USUAL, "no_colour").colour
    'none'
    """
    if step not in BREAKS:
        raise UnknownNameError(
            "unknown step to break", step, "Choose one of {known}.", known=BREAKS
        )
    return replace(recipe, **BREAKS[step])  # type: ignore[arg-type]  # values fit their fields
