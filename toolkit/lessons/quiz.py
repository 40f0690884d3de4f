"""Make a quiz from the samples: clips, the right answers, and what the detector says of each.

A quiz is made on the spot, so it is another one every time. Among its clips are some that the
detector gets wrong, as far as any were found: without them a class would learn to believe it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media, samples
from toolkit.errors import OutOfRangeError, UsageError, VideoError
from toolkit.files import atomic_write, parse_json
from toolkit.lessons import clips
from toolkit.lessons.clips import Plan
from toolkit.lessons.codes import QUESTIONS_MAX, QUIZZES
from toolkit.lessons.tally import Key
from toolkit.messages import phrase
from toolkit.storage.cache import runs_folder
from toolkit.types import REGIONS, FaceCrops, Sampling, Tick, TrackResult, no_tick, spread

if TYPE_CHECKING:
    from toolkit.detectors.seamnet_small import SeamNetDetector
    from toolkit.types import Examination

SCHEMA = "doorzicht.quiz/1"
QUESTIONS = 8
SUSPECTS = 3
FRAMES = 16
"""Moments of a clip that the detector sees; the fewest with which it gives a verdict."""
TRIED_PER_QUESTION = 2
SEARCHED = 72
"""Frames of a sample that are looked through for a moment at which the detector errs."""
STAGES = {"quiz": 1.0}
_FILE_MAX = 64 << 20
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 85]

Verdict = Literal["forged", "not_forged", "none"]


@dataclass(frozen=True, eq=False)
class Question:
    """One clip, what is known of it, and what the detector says.

    Attributes
    ----------
    plan
        How the clip was made: the truth.
    clip
        The video, MP4 bytes.
    face, heat, mask
        The face at the moment that the detector found most suspicious: as it is, with the evidence
        laid over it, and with what is forged drawn in (empty for a genuine clip). JPEG bytes.
    outlines
        By player, closed polygons of that face in units of its side: lists of (x, y), 0..1.
    verdict, gap
        What the detector calls the clip, and how far its evidence is from the threshold (logit).
    top
        The player most important to the detector, or None where none may be named.
    reason
        Why it gives no verdict: a stable word, or None.
    """

    plan: Plan
    clip: bytes
    face: bytes
    heat: bytes
    mask: bytes
    outlines: Mapping[str, list[list[tuple[float, float]]]]
    verdict: Verdict
    gap: float
    top: str | None
    reason: str | None

    @property
    def key(self) -> Key:
        """The right answer, and whether the detector has it."""
        called = None if self.verdict == "none" else self.verdict == "forged"
        return Key(self.plan.kind != "genuine", self.plan.forged_regions, called)


@dataclass(frozen=True, eq=False)
class Quiz:
    """Questions in the order in which they are asked.

    Attributes
    ----------
    questions
        What is asked.
    detector
        Name and weights of the detector that was asked.
    """

    questions: tuple[Question, ...]
    detector: str

    @property
    def number(self) -> int:
        """Number of this quiz, that its result codes carry: from the clips themselves."""
        digest = hashlib.sha256(b"".join(q.clip for q in self.questions)).digest()
        return int.from_bytes(digest[:4], "big") % QUIZZES

    @property
    def keys(self) -> list[Key]:
        """The right answers in order."""
        return [q.key for q in self.questions]

    @property
    def model_wrong(self) -> int:
        """How many clips the detector gets wrong."""
        return sum(k.model_is_right is False for k in self.keys)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, pictures and clips in base64."""
        return {
            "schema": SCHEMA,
            "detector": self.detector,
            "questions": [
                {
                    **{n: getattr(q, n) for n in ("verdict", "gap", "top", "reason")},
                    "plan": asdict(q.plan),
                    "outlines": dict(q.outlines),
                    **{n: _text(getattr(q, n)) for n in ("clip", "face", "heat", "mask")},
                }
                for q in self.questions
            ],
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Quiz:
        """Read what `to_dict` wrote.

        Raises
        ------
        UsageError
            If it is no quiz.
        """
        try:
            if found["schema"] != SCHEMA:
                raise ValueError(found["schema"])
            return cls(tuple(_question(q) for q in found["questions"]), str(found["detector"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError("this is not a quiz", str(error)[:100], "Make a new one.") from error


def _question(found: Mapping[str, Any]) -> Question:
    plan = dict(found["plan"])
    plan["regions"] = tuple(plan["regions"])
    top, verdict = found["top"], found["verdict"]
    if verdict not in ("forged", "not_forged", "none") or top not in (None, *REGIONS):
        raise ValueError(verdict, top)
    return Question(
        plan=Plan(**plan),
        outlines={
            str(name): [[(float(x), float(y)) for x, y in ring] for ring in rings]
            for name, rings in found["outlines"].items()
        },
        verdict=verdict,
        gap=float(found["gap"]),
        top=top,
        reason=None if found["reason"] is None else str(found["reason"]),
        **{n: base64.b64decode(found[n], validate=True) for n in ("clip", "face", "heat", "mask")},
    )


def _text(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


# -- on disk


def folder(runs: Path | None = None) -> Path:
    """Return where quizzes are kept."""
    return (runs or runs_folder()) / "quiz"


def save(quiz: Quiz, runs: Path | None = None) -> Path:
    """Keep a quiz, so that its result codes can be read tomorrow too; return the file."""
    where = folder(runs)
    where.mkdir(parents=True, exist_ok=True)
    path = where / f"quiz-{quiz.number:05d}.json"
    atomic_write(path, json.dumps(quiz.to_dict(), allow_nan=False))
    return path


def find(number: int, runs: Path | None = None) -> Quiz | None:
    """Return the kept quiz of that number, or None."""
    path = folder(runs) / f"quiz-{number:05d}.json"
    return _load(path) if path.is_file() else None


def latest(runs: Path | None = None) -> Quiz | None:
    """Return the quiz that was made last, or None."""
    files = sorted(folder(runs).glob("quiz-*.json"), key=lambda p: p.stat().st_mtime, reverse=True)
    return next((quiz for path in files if (quiz := _load(path)) is not None), None)


def _load(path: Path) -> Quiz | None:
    try:
        if path.stat().st_size > _FILE_MAX:
            return None
        return Quiz.from_dict(parse_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # a damaged file is no quiz; UsageError is a ValueError
        return None


# -- making one


def make_quiz(
    *,
    questions: int = QUESTIONS,
    seed: int | None = None,
    names: Sequence[str] | None = None,
    tick: Tick = no_tick,
) -> Quiz:
    """Make a quiz from the samples on this machine.

    Half of the clips are genuine, half forged; one of each is a clip that the detector gets wrong
    where one is found among about `TRIED_PER_QUESTION` times as many clips as are needed.

    Parameters
    ----------
    questions
        How many: 2 to 12, even.
    seed
        Of everything that is drawn; None = another quiz every time.
    names
        Samples to draw from; None = all that are here.
    tick
        Stage ``"quiz"``: clips tried.

    Raises
    ------
    UsageError
        If the number does not fit, or there are no samples.
    """
    if questions % 2 or not 2 <= questions <= QUESTIONS_MAX:
        raise OutOfRangeError(
            "this number of questions does not fit", str(questions), "2 to 12, even."
        )
    names = clips.sources() if names is None else list(names)
    if not names:
        raise UsageError("there are no sample clips", "", "Run 'python start.py setup'.")
    from toolkit.detectors.seamnet_small import SeamNetDetector

    judge = SeamNetDetector()
    rng = np.random.default_rng(seed)
    search = _Search(judge, rng, names, questions, tick)
    genuine = search.half(forged=False)
    forged = search.half(forged=True)
    picked = [*genuine, *forged]
    order = rng.permutation(len(picked))
    tick("quiz", 1, 1)
    detector = f"{judge.card.name} {judge.card.weights_sha256[:12]}"
    return Quiz(tuple(picked[i] for i in order), detector)


class _Search:
    """Tries clips until there are enough, with one that the detector gets wrong among them."""

    def __init__(
        self,
        judge: SeamNetDetector,
        rng: np.random.Generator,
        names: Sequence[str],
        questions: int,
        tick: Tick,
    ) -> None:
        self._judge, self._rng, self._names, self._tick = judge, rng, names, tick
        self._half = questions // 2
        self._tried = 0

    def half(self, *, forged: bool) -> list[Question]:
        """Return the forged or the genuine half."""
        questions: list[Question] = []
        plans = self._plans(forged=forged)
        for plan in plans:
            question = self._try(plan)
            if question is not None:
                questions.append(question)
            if self._is_enough(questions):
                break
        if len(questions) < self._half:
            raise UsageError(
                "too few clips could be made from the samples",
                phrase("{n} of {total}", n=len(questions), total=self._half),
                "Run 'python start.py setup' to fetch the samples that are missing.",
            )
        return self._choose(questions)

    def _plans(self, *, forged: bool) -> Iterator[Plan]:
        for number in range(self._half * TRIED_PER_QUESTION):
            reshared = number % 2 == 1
            kind: clips.Kind = ("planted", "swapped")[number // 2 % 2] if forged else "genuine"
            yield clips.draw(kind, self._rng, self._names, reshared=reshared)
            if not forged and number == self._half - 1:  # before chance is tried again, search
                yield from self._suspicious()

    def _suspicious(self) -> Iterator[Plan]:
        """Yield genuine stretches round the moments that the detector finds most suspicious."""
        for _logit, name, at_s in rank_suspects(self._names, self._judge, tick=self._count):
            yield Plan(name, at_s, "genuine")

    def _count(self, stage: str, done: int, total: int) -> None:
        self._tell(done / total)

    def _tell(self, part: float = 0.0) -> None:
        # what is tried is at most this; the bar may arrive early
        self._tick("quiz", round(100 * (self._tried + part)), 100 * (4 * self._half + 6))

    def _try(self, plan: Plan) -> Question | None:
        self._tell()
        self._tried += 1
        try:
            return ask(plan, self._judge, tick=self._quietly)
        except (VideoError, UsageError):
            return None  # for example: no face in this stretch

    def _quietly(self, stage: str, done: int, total: int) -> None:
        self._tell()  # so that a cancel is heard

    def _is_enough(self, found: Sequence[Question]) -> bool:
        usable = [q for q in found if q.verdict != "none"]
        has_wrong = any(q.key.model_is_right is False for q in usable)
        has_right = any(q.key.model_is_right for q in usable)
        return len(found) >= self._half and has_wrong and has_right

    def _choose(self, found: Sequence[Question]) -> list[Question]:
        """Take at most half wrong ones and one without a verdict, the first found first."""
        wrong = [q for q in found if q.key.model_is_right is False]
        right = [q for q in found if q.key.model_is_right is True]
        silent = [q for q in found if q.key.model_is_right is None]
        most_wrong = max(1, self._half // 2)
        order = [*wrong[:1], *silent[:1], *right, *wrong[1:most_wrong], *wrong[most_wrong:]]
        return [*order, *silent[1:]][: self._half]


def rank_suspects(
    names: Sequence[str], judge: SeamNetDetector, *, tick: Tick = no_tick
) -> list[tuple[float, str, float]]:
    """Return the `SUSPECTS` most suspicious genuine stretches: logit of a frame, sample, start."""
    suspects = []
    for name in names:
        moments = suspicious_moments(name, judge, tick=tick)
        suspects += [(logit, name, at_s) for logit, at_s in moments]
    return sorted(suspects, reverse=True)[:SUSPECTS]


def most_suspicious(names: Sequence[str], judge: SeamNetDetector, *, tick: Tick = no_tick) -> Plan:
    """Return the genuine stretch that the detector finds most suspicious, of those that it judges.

    The stretches are tried as finished clips; a false alarm is taken before a higher single frame.
    """
    best: tuple[float, Plan] | None = None
    for _logit, name, at_s in rank_suspects(names, judge, tick=tick):
        plan = Plan(name, at_s, "genuine")
        question = ask(plan, judge, tick=tick)
        gap = question.gap if question.verdict != "none" else -np.inf
        if best is None or gap > best[0]:
            best = (gap, plan)
        if question.verdict == "forged":
            break
    if best is None:
        raise UsageError("there are no sample clips", "", "Run 'python start.py setup'.")
    return best[1]


def suspicious_moments(
    name: str, judge: SeamNetDetector, *, count: int = 2, tick: Tick = no_tick
) -> list[tuple[float, float]]:
    """Return the most suspicious moments of a genuine sample: logit of a frame, start of a stretch.

    Parameters
    ----------
    count
        How many, the highest first, a stretch apart from each other.
    tick
        Stage ``"search"``: frames looked at.
    """
    from toolkit.faces.crops import CropCollector
    from toolkit.forge.plant import FaceFinder

    video = media.probe(samples.path(name))
    length = float(video.pts[-1] - video.pts[0])
    indices = spread(len(video.pts), SEARCHED)
    find = FaceFinder()
    collector = CropCollector(judge.spec)
    times = []
    for done, frame in enumerate(media.read(video, indices)):
        tick("search", done, len(indices))
        mesh = find(frame.rgb)
        if mesh is not None:
            collector.add(frame.rgb, mesh)
            times.append(frame.pts_seconds - float(video.pts[0]))
    crops = collector.crops()
    chosen: list[tuple[float, float]] = []
    logits = judge.evidence(crops).logits
    for position in np.argsort(-logits, kind="stable").tolist():
        start = max(0.0, min(times[position] - clips.SECONDS / 2, length - clips.SECONDS - 0.2))
        if all(abs(start - other) > clips.SECONDS for _logit, other in chosen):
            chosen.append((float(logits[position]), start))
        if len(chosen) == count:
            break
    return chosen


def ask(plan: Plan, judge: SeamNetDetector, *, tick: Tick = no_tick) -> Question:
    """Make the clip of a plan and hear the detector about it.

    Raises
    ------
    VideoError, UsageError
        If the clip cannot be made, or shows no face.
    """
    return _asked(plan, *_examined(plan, judge, tick))


def crops_of(plan: Plan, judge: SeamNetDetector, *, tick: Tick = no_tick) -> FaceCrops:
    """Make the clip of a plan and return the faces that the detector would look at.

    Raises
    ------
    VideoError, UsageError
        If the clip cannot be made, or shows no face.
    """
    _clip, examination = _examined(plan, judge, tick)
    if not examination.crops:
        raise UsageError("this clip shows no face", plan.sample, "Take another stretch.")
    return next(iter(examination.crops.values()))


def _examined(plan: Plan, judge: SeamNetDetector, tick: Tick) -> tuple[bytes, Examination]:
    from toolkit.analysis.pipeline import examine

    with tempfile.TemporaryDirectory(prefix="doorzicht-") as where:
        path = Path(where, "clip.mp4")
        clips.make(plan, path, tick=tick)
        examination = examine(path, detector=judge, sampling=Sampling(frames=FRAMES), tick=tick)
        return path.read_bytes(), examination


def _asked(plan: Plan, clip: bytes, examination: Examination) -> Question:
    from toolkit import figures
    from toolkit.figures.lessons import outlined

    report = examination.report
    result = figures.speaking(report) or (report.tracks[0] if report.tracks else None)
    if result is None or not len(result.evidence.logits):
        raise UsageError("this clip shows no face", plan.sample, "Take another stretch.")
    crops = examination.crops[result.track.person]
    at = int(np.argmax(result.evidence.logits))
    face, size = crops.rgb[at], crops.rgb.shape[1]
    logit, threshold = result.verdict.logit, result.verdict.threshold
    verdict: Verdict = "forged" if result.verdict.is_fake else "not_forged"
    mask = clips.mask_in_crop(plan, crops.mesh[at], size)
    return Question(
        plan=plan,
        clip=clip,
        face=jpeg(face),
        heat=jpeg(_heat(result, crops, at)),
        mask=jpeg(outlined(face, mask)) if mask.any() else b"",
        outlines=outlines(crops.region_map[at]),
        verdict="none" if result.verdict.abstained or logit is None else verdict,
        gap=0.0 if logit is None else float(logit - threshold),
        top=figures.top_region(result),
        reason=result.verdict.reason_code,
    )


def _heat(result: TrackResult, crops: FaceCrops, at: int) -> NDArray[np.uint8]:
    from toolkit import figures
    from toolkit.explain import ledger
    from toolkit.types import KeyFrame

    key_frame = KeyFrame(at, crops.rgb[at], ledger.heat(result.evidence, at))
    return figures.overlay(key_frame, figures.strength_at(result, at))


def outlines(region_map: NDArray[np.uint8]) -> dict[str, list[list[tuple[float, float]]]]:
    """Return the outline of each player on a crop, in units of its side.

    Parameters
    ----------
    region_map : (S, S) uint8
        Indices into `REGIONS`.
    """
    size = region_map.shape[0]
    out = {}
    for index, name in enumerate(REGIONS):
        part = (region_map == index).astype(np.uint8)
        rings, _hierarchy = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        kept = [
            cv2.approxPolyDP(r, 0.8, True)[:, 0]
            for r in rings
            if cv2.contourArea(r) > 0.0004 * size**2
        ]
        polygons = [
            [(round((x + 0.5) / size, 4), round((y + 0.5) / size, 4)) for x, y in r.tolist()]
            for r in kept
            if len(r) > 2
        ]
        if polygons:
            out[name] = polygons
    return out


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return an RGB picture as JPEG bytes."""
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), _JPEG)
    assert done
    return bytes(data.tobytes())
