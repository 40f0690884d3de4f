"""Everything that must be known to run a foreign detector, as it is kept beside its weights."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from toolkit.detectors.base import Card, InputSpec
from toolkit.detectors.listing import FILE, NAME
from toolkit.detectors.reading import Answer, Reading
from toolkit.errors import ModelError, ToolkitError, UsageError
from toolkit.files import atomic_write
from toolkit.messages import Message, joined, phrase

Route = Literal["huggingface", "gend", "timm", "onnx"]
ROUTES: tuple[Route, ...] = get_args(Route)

SCHEMA = "doorzicht.detector/1"

ARGUMENTS = frozenset(
    {"global_pool", "final_norm", "fc_norm", "img_size", "dynamic_img_size", "class_token"}
    | {"pre_norm", "depth", "in_chans"}
)
"""What may be given to `timm.create_model`: plain values that change the layers only."""


@dataclass(frozen=True)
class Measured:
    """How a threshold was set on genuine clips of the user's own.

    Attributes
    ----------
    clips
        Genuine clips that got a logit.
    share
        Of genuine clips that were to lie at or above the threshold, at most.
    low, high
        90 % interval of the threshold, from resampling the clips.
    date
        When, ISO 8601.
    mean, deviation
        Of these clips' logits; None in cards of earlier versions.
    """

    clips: int
    share: float
    low: float
    high: float
    date: str = ""
    mean: float | None = None
    deviation: float | None = None


@dataclass(frozen=True)
class Recipe:
    """A foreign detector as it was added.

    Attributes
    ----------
    name, title
        For commands; for people.
    route, file, sha256
        How it is loaded, from which file of its folder, and that file's hash.
    spec, reading, answer
        Its crops, how pictures are read, what the outputs mean.
    architecture, arguments
        timm's name and what is given with it; for GenD its backbone.
    threshold, measured
        Fake logit at or above which it calls a track forged, and how that was measured, if it was.
    licence, training, source, revision
        Terms; what it was trained on, in words; where it came from, and which version.
    preset, assumed
        Which row of `presets.toml` was used; what nobody stated and was assumed.
    canary
        Its logit on the canary picture when it was added: another answer refuses to load.
    is_untested
        Whether no canary pair with published logits was passed.
    """

    name: str
    route: Route
    file: str
    sha256: str
    spec: InputSpec
    reading: Reading
    answer: Answer
    title: str = ""
    architecture: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    threshold: float = 0.0
    measured: Measured | None = None
    licence: str = ""
    training: str = ""
    source: str = ""
    revision: str = ""
    preset: str = ""
    assumed: tuple[str, ...] = ()
    canary: float | None = None
    is_untested: bool = True

    def card(self) -> Card:
        """Return what a report must say about the detector."""
        return Card(
            name=self.name,
            title=self.title or self.name,
            weights_sha256=self.sha256,
            threshold=self.threshold,
            licence=self.licence,
            blind_to=(),
            normalisation=(self.reading.mean, self.reading.std),
            threshold_measured=self.measured is not None,
            is_untested=self.is_untested,
            training=self.training,
        )

    def to_json(self) -> str:
        """Return the content of its file."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, allow_nan=False) + "\n"

    def save(self, folder: Path) -> None:
        """Write its file into a folder, complete or not at all."""
        atomic_write(folder / FILE, self.to_json())

    @classmethod
    def load(cls, folder: Path) -> Recipe:
        """Return the recipe that lies in a folder.

        Raises
        ------
        ModelError
            If it cannot be read, or is not complete.
        """
        try:
            plain = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if plain.pop("schema") != SCHEMA or plain["route"] not in ROUTES:
                raise ValueError(plain["route"])
            answer, reading = plain["answer"], plain["reading"]
            measured = plain.get("measured")
            recipe = cls(
                **plain
                | {
                    "spec": InputSpec(**plain["spec"]),
                    "reading": Reading(
                        tuple(reading["mean"]), tuple(reading["std"]), reading["colour"]
                    ),
                    "answer": Answer(tuple(answer["fake"]), tuple(answer["real"]), answer["scale"]),
                    "measured": Measured(**measured) if measured else None,
                    "assumed": tuple(plain["assumed"]),
                }
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ToolkitError) as error:
            raise ModelError(
                "the card of a detector cannot be read",
                folder.name,
                "Remove the detector and add it again.",
            ) from error
        if Path(recipe.file).is_absolute() or ".." in Path(recipe.file).parts:
            raise ModelError("the card of a detector cannot be read", folder.name)
        return recipe


@dataclass(frozen=True)
class OpenQuestion:
    """Something that must be known about a detector and that its files do not tell.

    Attributes
    ----------
    field
        Of `Recipe`: ``"answer"``, ``"spec"``, ``"reading"``, ``"size"`` or ``"architecture"``.
    text
        The question in words.
    default
        What may be assumed when nobody knows; None = nothing may.
    """

    field: str
    text: Message
    default: Any = None


ASK_ANSWER = phrase("Which output means fake, and which real (--fake N --real N)?")
ASK_CROP = phrase("Which crops was it trained on (--crop KIND --margin PART)?")
ASK_READING = phrase("How are pictures normalised (--normalise NAME, or --mean and --std)?")
ASK_SIZE = phrase("How large are its pictures (--size PX)?")
ASK_SCALE = phrase("Are its outputs logits or probabilities (--scale)?")
ASK_NETWORK = phrase("Which network is it (--network NAME, as timm calls it)?")

CROP_ASSUMED: Mapping[str, Any] = {"crop": "box", "margin": 0.15, "outside": "repeat"}
"""The square of a face detector's box, 1.3 times as large: what most repositories cut."""


@dataclass(frozen=True)
class Draft:
    """What a file or folder told of a detector.

    Attributes
    ----------
    route, file
        How it will be loaded, and from what, before it is stored.
    beside
        Further files that belong to it.
    known
        Fields of `Recipe` that the files state; `size` for the side of its pictures and
        `middle`, the part of a crop's side that its own processing cuts out.
    questions
        What they do not tell.
    """

    route: Route
    file: Path
    beside: tuple[Path, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)
    questions: tuple[OpenQuestion, ...] = ()

    def open_questions(self, given: Mapping[str, Any]) -> tuple[OpenQuestion, ...]:
        """Return the questions that are not answered by what a user or a preset gives."""
        return tuple(q for q in self.questions if given.get(q.field) is None)


def settle(draft: Draft, name: str, given: Mapping[str, Any], *, assume: bool = False) -> Recipe:
    """Return the recipe of a draft, completed by what a user or a preset gives.

    Parameters
    ----------
    draft
        What the files told.
    name
        For commands.
    given
        Fields of `Recipe` and the parts of its crops: `size`, `crop`, `margin`, `outside`. They go
        before what the files told.
    assume
        Whether to assume what nobody states; the recipe then names it.

    Raises
    ------
    UsageError
        If a question is open; all of them are listed.
    """
    if not NAME.fullmatch(name) or name.startswith("control."):
        raise UsageError(
            "this is no name for a detector",
            name[:60],
            "Use small letters, digits, dots, hyphens and underscores.",
        )
    given = {k: v for k, v in given.items() if v is not None}
    if "crop" in given or "margin" in given:
        given["spec"] = True
    still = draft.open_questions(given)
    if hard := [q for q in still if not (assume and q.default is not None)]:
        raise UsageError(
            "the file does not tell everything",
            joined([q.text for q in hard], " "),
            "Answer it, or let the usual be assumed with --assume.",
        )
    values = dict(draft.known) | {q.field: q.default for q in still}
    crop: dict[str, Any] = {**CROP_ASSUMED} | {
        k: given.pop(k) for k in ("crop", "margin", "outside") if k in given
    }
    given.pop("spec", None)
    values |= given
    middle = float(values.pop("middle", 1.0))
    margin = float(crop["margin"])
    if middle != 1:
        margin = max(0.0, ((1 + 2 * margin) * middle - 1) / 2)
    values.pop("spec", None)
    size = int(values.pop("size"))
    known = {f.name for f in dataclasses.fields(Recipe)}
    return Recipe(
        name=name,
        route=draft.route,
        spec=InputSpec(size, margin, crop["crop"], crop["outside"]),
        assumed=tuple(q.field for q in still),
        **{"file": draft.file.name, "sha256": ""} | {k: v for k, v in values.items() if k in known},
    )
