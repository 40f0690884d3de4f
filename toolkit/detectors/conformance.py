"""What any detector must pass before it may give a verdict, as one function: `check`.

Tests, the command line, the notebook's page and authors of plug-ins all call it. A detector that is
read in the wrong way gives plausible numbers and no error; what catches it is a canary: pictures
whose fake logits are known from whoever published the weights. Where those do not come out, `check`
tries what else could have been meant (classes exchanged, colours, normalisation, margin) and names
the one under which they do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.detectors.base import Detector, network_of
from toolkit.detectors.canary import canary_picture
from toolkit.detectors.foreign import ForeignDetector
from toolkit.detectors.reading import Answer
from toolkit.errors import DetectorError, ToolkitError, UsageError
from toolkit.faces.crops import CROPS, InputSpec, place
from toolkit.faces.detect import Detection
from toolkit.messages import Message, joined, phrase
from toolkit.types import Tick, no_tick

State = Literal["passed", "failed", "warning", "skipped"]
Mistake = Literal["classes", "normalisation", "colours", "margin", "probability", "outputs"]

SAME = 1e-6
"""Largest difference of logits of the same pictures, asked twice."""
BATCH, BATCH_TOLERANCE = 8, 1e-4
DEVICE_TOLERANCE = 1e-3
MATCH = 0.02
"""Largest difference of a canary's logit from the published one, of 1 + its size: published figures
are rounded, and decoders and resizers differ."""
CLOSE = 0.4
"""Part of `MATCH` within which logits that were rounded to two digits come out for certain."""
SURE = 3.0
"""How much nearer another reading must come to the published logits before it is named."""

MARGINS = (0.0, 0.05, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 1 / 3, 0.4, 0.5)
"""Margins that published detectors use, on each side."""

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Canary:
    """A picture of which it is known what a detector must answer.

    Attributes
    ----------
    rgb : (H, W, 3) uint8
        A frame with `mesh`, or a crop as the detector wants it.
    is_fake
        Whether it is forged.
    expected
        Its fake logit, from whoever published the weights; None = only its label is known.
    mesh, face
        The face in a frame, and what the face detector found; None for a finished crop, of which
        no other margin can be tried.
    within
        How far the published logit itself may be off, where it was rounded more than to two digits.
    """

    rgb: Rgb
    is_fake: bool
    expected: float | None = None
    mesh: NDArray[np.float32] | None = None
    face: Detection | None = None
    within: float = 0.0

    @property
    def allowed(self) -> float:
        """How far from the published logit it may come out, in logits."""
        return MATCH * (1 + abs(self.expected or 0.0)) + self.within

    def crop(self, spec: InputSpec) -> Rgb:
        """Return the crop that a detector wants: (S, S, 3) uint8."""
        if self.mesh is None:
            if self.rgb.shape[:2] == (spec.size, spec.size):
                return self.rgb
            resized = cv2.resize(self.rgb, (spec.size,) * 2, interpolation=cv2.INTER_LINEAR)
            return np.asarray(resized, np.uint8)
        return place(spec, self.mesh, self.face).cut(self.rgb, spec.size, outside=spec.outside)


@dataclass(frozen=True)
class Point:
    """One thing that was checked.

    Attributes
    ----------
    name
        Stable word: ``"shapes"``, ``"repeats"``, ``"batches"``, ``"devices"``, ``"finite"``,
        ``"gradients"``, ``"outputs"``, ``"probability"``, ``"canary"``, ``"order"``, ``"margin"``,
        ``"time"``.
    state
        What came of it.
    text
        In one sentence.
    mistake
        What looks wrong, where one thing does.
    """

    name: str
    state: State
    text: Message
    mistake: Mistake | None = None


@dataclass(frozen=True)
class Conformance:
    """What `check` found.

    Attributes
    ----------
    points
        In the order of checking.
    readings
        Fake logits of the canaries under each reading that was tried, by its name.
    seconds_per_face
        On this computer.
    """

    points: tuple[Point, ...]
    readings: dict[str, tuple[float, ...]]
    seconds_per_face: float

    @property
    def passed(self) -> bool:
        """Whether it may give a verdict: nothing failed."""
        return not any(p.state == "failed" for p in self.points)

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """What looks wrong, each once."""
        return tuple(dict.fromkeys(p.mistake for p in self.points if p.mistake))

    def __getitem__(self, name: str) -> Point:
        """Return the point of that name.

        Raises
        ------
        KeyError
            If it was not checked.
        """
        for point in self.points:
            if point.name == name:
                return point
        raise KeyError(name)


def check(
    detector: Detector,
    canaries: Sequence[Canary] = (),
    *,
    other: Callable[[], Detector] | None = None,
    tick: Tick = no_tick,
) -> Conformance:
    """Check a detector point by point.

    Parameters
    ----------
    detector
        Any that judges crops. More can be found out about a `ForeignDetector`, whose reading is
        open: of others, normalisation and classes are not tried.
    canaries
        Pictures with known answers; best one genuine and one forged, with published logits.
    other
        Loads the same detector on another device; None = there is none here.
    tick
        Stage ``"check"``, in points.

    Returns
    -------
    Conformance
    """
    run = _Run(detector, tuple(canaries), other)
    steps: tuple[Callable[[], Iterator[Point]], ...] = (
        run.shapes,
        run.repeats,
        run.devices,
        run.finite,
        run.gradients,
        run.outputs,
        run.canary,
        run.margin,
        run.time,
    )
    points: list[Point] = []
    for done, step in enumerate(steps):
        tick("check", done, len(steps))
        try:
            points += step()
        except ToolkitError as error:
            mistake: Mistake | None = "outputs" if step == run.shapes and run.miscounted else None
            points.append(Point(step.__name__, "failed", error.message, mistake))
        except Exception as error:  # noqa: BLE001 - whatever somebody else's detector raises
            why = phrase("{name}: {why}", name=type(error).__name__, why=str(error)[:160])
            points.append(Point(step.__name__, "failed", why))
        if step == run.shapes and points and points[-1].state == "failed":
            break  # nothing else can be asked of it
    tick("check", len(steps), len(steps))
    return Conformance(tuple(points), run.readings, run.seconds)


def varied_pictures(size: int) -> Rgb:
    """Return ten pictures that differ in all ways: (10, S, S, 3) uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    canary = cv2.resize(canary_picture(), (size, size), interpolation=cv2.INTER_LINEAR)
    small = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    pictures = [
        np.zeros((size, size, 3)),
        np.full((size, size, 3), 255.0),
        np.full((size, size, 3), 128.0),
        rng.integers(0, 256, (size, size, 3)),
        cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC),
        canary,
        255.0 - canary,
        np.stack([255 * x, 255 * y, 255 * (1 - x)], axis=2),
        255.0 * (x * 8 % 2 < 1)[..., None] * np.ones(3),
        np.stack([0 * x + 220, 0 * x + 170, 0 * x + 140], axis=2),
    ]
    return np.stack([np.rint(np.clip(p, 0, 255)).astype(np.uint8) for p in pictures])


def look_like_probabilities(outputs: NDArray[np.floating]) -> bool:
    """Return whether outputs (N, K) look as if a sigmoid or a softmax was the last layer.

    Of several, rows must add up to 1. Of one, all must lie within 0 and 1, and not be so near to
    each other that a logit could lie there by chance.
    """
    rows = outputs.reshape(len(outputs), -1).astype(np.float64)
    if not np.isfinite(rows).all() or rows.min() < 0 or rows.max() > 1:
        return False
    if rows.shape[1] > 1:
        return bool(np.allclose(rows.sum(axis=1), 1, atol=1e-3))
    return True


class _Run:
    """One check: the pictures that are asked about, and what was answered."""

    def __init__(
        self,
        detector: Detector,
        canaries: tuple[Canary, ...],
        other: Callable[[], Detector] | None,
    ) -> None:
        self._detector, self._canaries, self._other = detector, canaries, other
        self._pictures = varied_pictures(detector.spec.size)
        self._logits = np.zeros(0)
        self.readings: dict[str, tuple[float, ...]] = {}
        self.seconds = math.nan
        self.miscounted = False

    # -- points that need no canary

    def shapes(self) -> Iterator[Point]:
        """Check what comes out for ten pictures, and how many outputs there are."""
        if isinstance(self._detector, ForeignDetector):
            n = self._detector.outputs(self._pictures[:1]).shape[1]
            self.miscounted = n != self._detector.answer.outputs
        logits = np.asarray(self._detector.logits(self._pictures))
        if logits.shape != (len(self._pictures),) or logits.dtype != np.float32:
            text = phrase(
                "Ten crops give {dtype} {shape}, not float32 (10,).",
                dtype=str(logits.dtype),
                shape=str(logits.shape),
            )
            yield Point("shapes", "failed", text)
            return
        self._logits = logits.astype(np.float64)
        yield Point("shapes", "passed", phrase("One float32 logit per crop."))

    def repeats(self) -> Iterator[Point]:
        """Check that it answers the same twice, and alone as in company."""
        again = np.asarray(self._detector.logits(self._pictures), np.float64)
        apart = _apart(again, self._logits)
        state: State = "passed" if apart <= SAME else "failed"
        text = phrase("The same pictures, asked twice: logits {apart:.1e} apart.", apart=apart)
        yield Point("repeats", state, text)
        pictures = self._pictures[:BATCH]
        single = np.concatenate([self._detector.logits(p[None]) for p in pictures])
        apart = _apart(single, np.asarray(self._detector.logits(pictures)))
        state = "passed" if apart <= BATCH_TOLERANCE else "failed"
        text = phrase("One at a time and eight at once: logits {apart:.1e} apart.", apart=apart)
        yield Point("batches", state, text)

    def devices(self) -> Iterator[Point]:
        """Check that another device answers the same."""
        if self._other is None:
            yield Point("devices", "skipped", phrase("There is no other device here."))
            return
        other = self._other()
        apart = _apart(np.asarray(other.logits(self._pictures)), self._logits)
        state: State = "passed" if apart <= DEVICE_TOLERANCE else "failed"
        text = phrase(
            "{one} and {other}: logits {apart:.1e} apart.",
            one=self._detector.device,
            other=other.device,
            apart=apart,
        )
        yield Point("devices", state, text)

    def finite(self) -> Iterator[Point]:
        """Check that black, white, noise and an enlarged face of 16 px get a finite logit."""
        odd = int((~np.isfinite(self._logits)).sum())
        text = phrase("{n} of {total} odd pictures get no finite logit.", n=odd, total=10)
        if not odd:
            text = phrase("Black, white, noise and a tiny face enlarged get finite logits.")
        yield Point("finite", "failed" if odd else "passed", text)

    def gradients(self) -> Iterator[Point]:
        """Check that gradients are finite and not all 0, where the network is open."""
        net = network_of(self._detector)
        if net is None:
            yield Point("gradients", "skipped", phrase("The network is not open to gradients."))
            return
        import torch

        where = next((p.device for p in net.parameters()), torch.device("cpu"))
        picture = self._pictures[5].transpose(2, 0, 1)[None].astype(np.float32)
        x = torch.from_numpy(picture).to(where).requires_grad_()
        out = net(x)
        logit = (out[0] if isinstance(out, tuple) else out).sum()
        (slope,) = torch.autograd.grad(logit, x)
        if not bool(torch.isfinite(slope).all()):
            yield Point("gradients", "failed", phrase("The gradient is not finite."))
        elif not bool(slope.abs().sum() > 0):
            text = phrase("The gradient is 0 everywhere: a saturated output, or a cut graph.")
            yield Point("gradients", "failed", text)
        else:
            yield Point("gradients", "passed", phrase("Gradients are finite and not all 0."))

    # -- what the outputs are

    def outputs(self) -> Iterator[Point]:
        """Check whether outputs that pass for logits look like probabilities."""
        detector = self._detector
        if not isinstance(detector, ForeignDetector):
            return
        yield Point("outputs", "passed", _meaning(detector.answer))
        outputs = detector.outputs(self._pictures)
        likely = look_like_probabilities(outputs)
        if detector.answer.scale == "probabilities":
            if outputs.min() >= 0 and outputs.max() <= 1:
                text = phrase("Its outputs are taken for probabilities, and lie within 0 and 1.")
                yield Point("probability", "passed", text)
                return
            text = phrase("Its outputs are taken for probabilities, but leave 0 to 1.")
            yield Point("probability", "failed", text, "probability")
        elif likely and not (self._published and self._gap(detector) <= 1):
            text = phrase(
                "Its outputs are taken for logits, but lie within 0 and 1 on ten varied pictures: "
                "are they probabilities?"
            )
            yield Point("probability", "failed", text, "probability")
        else:
            text = phrase("Its outputs are taken for logits, and do not look like probabilities.")
            yield Point("probability", "passed", text)

    # -- canaries

    @property
    def _published(self) -> bool:
        return any(c.expected is not None for c in self._canaries)

    def _answers(self, detector: Detector) -> NDArray[np.float64]:
        crops = np.stack([c.crop(detector.spec) for c in self._canaries])
        return np.asarray(detector.logits(crops), np.float64)

    def _gap(self, detector: Detector, answers: NDArray[np.float64] | None = None) -> float:
        """Return how far canaries lie from what was published, in units of what is allowed."""
        answers = self._answers(detector) if answers is None else answers
        gaps = [
            abs(answer - c.expected) / c.allowed
            for answer, c in zip(answers, self._canaries, strict=True)
            if c.expected is not None
        ]
        return float(max(gaps)) if np.isfinite(gaps).all() else math.inf

    def canary(self) -> Iterator[Point]:
        """Check the canaries' logits; where they are others, look for the reading that fits."""
        if not self._canaries:
            text = phrase("There is no canary: nobody can tell whether pictures are read rightly.")
            yield Point("canary", "skipped", text)
            return
        answers = self._answers(self._detector)
        self.readings["as it is"] = tuple(answers.tolist())
        for name, variant in self._variants():
            self.readings[name] = tuple(self._answers(variant).tolist())
        if not self._published:
            yield self._order(answers)
            return
        gap = self._gap(self._detector, answers)
        logits = self._shown(answers)
        if gap > CLOSE:
            point = self._explain(gap, logits)
            if gap > 1 or point.mistake is not None:
                yield point
                return
        text = phrase("The canaries get the published logits ({shown}).", shown=logits)
        yield Point("canary", "passed", text)

    def _explain(self, gap: float, shown: str) -> Point:
        """Return which other reading brings the published logits, if one does.

        Where they nearly came out, it is only told: another one then fits to the last digit.
        """
        mistakes: list[tuple[float, Mistake, Message]] = []
        for name, variant in self._variants():
            mistake, text = _mistake(name)
            mistakes.append((self._gap(variant), mistake, text))
        mistakes += [
            (self._gap(_with(self._detector, spec)), "margin", _spec_text(spec))
            for spec in self._other_specs()
        ]
        text = phrase("The canaries do not get the published logits ({shown}).", shown=shown)
        state: State = "failed"
        if gap <= 1:
            text = phrase("The canaries get nearly the published logits ({shown}).", shown=shown)
            state = "warning"
        best = min(mistakes, key=lambda f: f[0], default=None)
        if best is None or best[0] > 1 or best[0] * SURE > gap:
            more = phrase("No other usual reading brings them either.")
            return Point("canary", "failed", joined([text, more], " "))
        return Point("canary", state, joined([text, best[2]], " "), best[1])

    def _order(self, answers: NDArray[np.float64]) -> Point:
        """Return whether forged canaries lie above genuine ones, where only labels are known."""
        fake = [a for a, c in zip(answers, self._canaries, strict=True) if c.is_fake]
        real = [a for a, c in zip(answers, self._canaries, strict=True) if not c.is_fake]
        if not fake or not real:
            text = phrase("Without published logits it takes a genuine and a forged picture.")
            return Point("order", "skipped", text)
        apart = float(np.mean(fake) - np.mean(real))
        values = {"fake": float(np.mean(fake)), "real": float(np.mean(real))}
        if apart > 0:
            text = Message(
                "", "The forged picture lies at {fake:.2f}, the genuine one at {real:.2f}.", values
            )
            return Point("order", "passed", text)
        text = Message(
            "",
            "The genuine picture lies at {real:.2f}, above the forged one at {fake:.2f}: are the "
            "classes exchanged? It may also simply be wrong about these two.",
            values,
        )
        return Point("order", "warning", text, "classes")

    def margin(self) -> Iterator[Point]:
        """Warn where a margin a little smaller or larger turns the verdict on a canary."""
        spec, threshold = self._detector.spec, self._detector.card.threshold
        framed = [c for c in self._canaries if c.mesh is not None]
        if not framed:
            text = phrase("No canary is a whole frame: other margins were not tried.")
            yield Point("margin", "skipped", text)
            return
        turned = 0
        for canary in framed:
            sides = set()
            for margin in (max(0.0, spec.margin - 0.05), spec.margin, spec.margin + 0.05):
                crop = canary.crop(replace(spec, margin=margin))[None]
                sides.add(bool(self._detector.logits(crop)[0] >= threshold))
            turned += len(sides) > 1
        text = phrase("Margins 0.05 smaller and larger give the same verdicts on the canaries.")
        if turned:
            text = phrase(
                "A margin 0.05 smaller or larger turns the verdict on {n} of {total} canaries: the "
                "crop must be the one it was trained on.",
                n=turned,
                total=len(framed),
            )
        yield Point("margin", "warning" if turned else "passed", text)

    def time(self) -> Iterator[Point]:
        """Measure seconds per face."""
        step = min(self._detector.batch or 1, len(self._pictures))
        start = time.perf_counter()
        self._detector.logits(self._pictures[:step])
        self.seconds = (time.perf_counter() - start) / step
        text = phrase(
            "{seconds:.3f} s per face on {device}.",
            seconds=self.seconds,
            device=self._detector.device,
        )
        yield Point("time", "passed", text)

    # -- other readings

    def _variants(self) -> Iterator[tuple[str, Detector]]:
        """Yield the same detector with its pictures or outputs read otherwise, by name."""
        detector = self._detector
        if not isinstance(detector, ForeignDetector):
            yield "classes", _Turned(detector, sign=-1)
            yield "bgr", _Turned(detector, flip=True)
            return
        yield "classes", detector.but(answer=detector.answer.swapped)
        for name, reading in detector.reading.alternatives().items():
            yield name, detector.but(reading=reading)
        if detector.answer.scale == "logits":
            try:
                as_probability = replace(detector.answer, scale="probabilities")
                if look_like_probabilities(detector.outputs(self._pictures)):
                    yield "probability", detector.but(answer=as_probability)
            except UsageError:
                return

    def _other_specs(self) -> Iterator[InputSpec]:
        if not any(c.mesh is not None for c in self._canaries):
            return
        spec = self._detector.spec
        for crop in CROPS:
            for margin in MARGINS:
                other = replace(spec, crop=crop, margin=margin)
                if other != spec:
                    yield other

    def _shown(self, answers: NDArray[np.float64]) -> str:
        parts = []
        for answer, c in zip(answers, self._canaries, strict=True):
            if c.expected is not None:
                parts.append(f"{answer:+.2f} / {c.expected:+.2f}")
        return ", ".join(parts)


class _Turned:
    """A detector asked otherwise from outside: colours exchanged, or its logit's sign turned."""

    def __init__(self, detector: Detector, *, sign: float = 1.0, flip: bool = False) -> None:
        self._detector, self._sign, self._flip = detector, sign, flip
        self.spec = detector.spec

    def logits(self, rgb: Rgb) -> NDArray[np.float32]:
        """Return its logits of the pictures, as they are then."""
        pictures = np.ascontiguousarray(rgb[..., ::-1]) if self._flip else rgb
        return np.asarray(self._sign * self._detector.logits(pictures), np.float32)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


class _Cropped(_Turned):
    """A detector that is given other crops."""

    def __init__(self, detector: Detector, spec: InputSpec) -> None:
        super().__init__(detector)
        self.spec = spec


def _with(detector: Detector, spec: InputSpec) -> Detector:
    if isinstance(detector, ForeignDetector):
        return detector.but(spec=spec)
    return _Cropped(detector, spec)


def _mistake(name: str) -> tuple[Mistake, Message]:
    if name == "classes":
        return "classes", phrase("They do with the classes exchanged: fake is real, real is fake.")
    if name == "bgr":
        return "colours", phrase("They do with the colours the other way round: BGR for RGB.")
    if name == "probability":
        return "probability", phrase("They do when its outputs are taken for probabilities.")
    text = phrase("They do with another normalisation: {name}.", name=name)
    return "normalisation", text


def _spec_text(spec: InputSpec) -> Message:
    return phrase(
        "They do with another crop: {crop}, margin {margin:.3f}.",
        crop=spec.crop,
        margin=spec.margin,
    )


def _meaning(answer: Answer) -> Message:
    if answer.outputs == 1:
        if answer.fake:
            return phrase("One output: higher means fake.")
        return phrase("One output: higher means real; its sign is turned.")
    return phrase(
        "{n} outputs; fake = log-sum-exp of {fake} minus that of {real}.",
        n=answer.outputs,
        fake=", ".join(map(str, answer.fake)),
        real=", ".join(map(str, answer.real)),
    )


def _apart(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    gap = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))
    return float(gap.max()) if np.isfinite(gap).all() else math.inf


def read_canary(
    rgb: Rgb, *, is_fake: bool, expected: float | None = None, is_crop: bool = False
) -> Canary:
    """Return a canary from a picture: its largest face is found, unless it is a finished crop.

    Raises
    ------
    DetectorError
        If no face is found in it.
    """
    if is_crop:
        return Canary(rgb, is_fake, expected)
    from toolkit.faces.mesh import LargestFace

    face = LargestFace().detect(rgb)
    if face is None:
        raise DetectorError(
            "there is no face in the canary picture", "", "Give another, or say that it is a crop."
        )
    return Canary(rgb, is_fake, expected, *face)


def other_device(load: Callable[[str], Detector], device: str) -> Callable[[], Detector] | None:
    """Return what loads a detector on another device than the one named; None where there is none.

    Parameters
    ----------
    load
        Takes a device.
    device
        Where it was loaded.
    """
    import torch

    if torch.cuda.is_available():
        return partial(load, "cpu" if device == "cuda" else "cuda")
    return None
