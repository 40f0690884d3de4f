"""Questions to a verdict: what would change it, do two witnesses agree, how far can it be trusted.

A `Subject` is one person of an examination who can be questioned again and again: references,
games and answers are kept, so that asking twice costs nothing. `inquire` asks everything at once
and returns what the notebook's panel shows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.detectors import registry
from toolkit.detectors.base import Detector, network_of
from toolkit.errors import DetectorError, OutOfRangeError, UnknownNameError, UsageError
from toolkit.explain import ledger, perturbation, regions
from toolkit.explain.bands import BandShares, band_shares
from toolkit.explain.baselines import Choice, Kind, Reference, References
from toolkit.explain.donors import read_donors
from toolkit.explain.frames import flip_frames
from toolkit.explain.fused import folded
from toolkit.explain.intervals import interval_level, interval_p_value
from toolkit.explain.perturbation import Agreement, Composite, Game, Intervention, agreement
from toolkit.explain.trust import Panel, TrustFigure, completeness_figure, panel
from toolkit.messages import Message, phrase
from toolkit.types import PLAYERS, Examination, FaceCrops, Tick, TrackResult, no_tick
from toolkit.verdict.aggregate import aggregate

if TYPE_CHECKING:
    from toolkit.explain.lookalikes import Lookalike
    from toolkit.explain.pixels import Method, PixelAttribution

QUESTIONS = ("witnesses", "exact", "trust", "bands", "methods")
"""What takes passes, in the order of asking. The ledger and `Change` need none."""

KEY_FRAMES = 8

Float = NDArray[np.float64]
Tell = Callable[[str, Any], None]
"""Called in the asking thread with the name of a question and each part of its answer."""


def tell_nobody(question: str, part: Any) -> None:
    """Tell nobody: the default of every `tell` argument."""


# -- answers


@dataclass(frozen=True)
class Change:
    """What would change the verdict, read from the ledger without a pass.

    Attributes
    ----------
    frames
        Smallest set of moments whose replacement by the reference turns the verdict, strongest
        first; None when not even all of them do.
    region_sets
        Minimal sets of regions, replaced in every frame, by construction; smallest first.
    chance
        How often shuffled time holds a stretch as strong as the best one; None without a stretch.
    """

    frames: tuple[int, ...] | None
    region_sets: tuple[regions.FlipSet, ...]
    chance: float | None


@dataclass(frozen=True, eq=False)
class FrameAnswer:
    """What both witnesses say about one frame.

    Attributes
    ----------
    position, at_s, logit
        The moment, its time and its logit.
    choice
        The references that were tried for it.
    by_construction : (10,) float64 or None
        Shares from the patch logits; None where the detector has none.
    by_intervention
        None when there was no reference to intervene with.
    agreement
        None where one of the two is missing, or the reference is not valid.
    heat : (S, S) float64 or None
        Where the intervention's shares lie, in logits per pixel (`Game.heat`); None where it may
        name no region. Below the threshold it is there, as the shares are, with little to explain.
    """

    position: int
    at_s: float
    logit: float
    choice: Choice
    by_construction: Float | None
    by_intervention: Intervention | None
    agreement: Agreement | None
    heat: Float | None = None

    @property
    def may_name(self) -> bool:
        """Whether the intervention may name a region: it had a valid reference."""
        return self.named_shares is not None

    @property
    def named_shares(self) -> Float | None:
        """The intervention's shares (10,) where it may name a region, else None."""
        if self.by_intervention is None or self.choice.reference is None:
            return None
        return self.by_intervention.shares


@dataclass(frozen=True)
class Checked:
    """The verdict when regions are replaced in every moment, by intervention.

    Attributes
    ----------
    replaced
        Names from `PLAYERS`.
    before, after
        Logit of the track as it is, and with the regions replaced.
    moments, of
        Moments for which there was a reference that may be used, out of how many.
    turned
        Whether the verdict turns from forged to not forged.
    valid
        Whether all references may name regions; of a kind that the user insists on, they may not.
    """

    replaced: tuple[str, ...]
    before: float
    after: float
    moments: int
    of: int
    turned: bool
    valid: bool = True


@dataclass(frozen=True, eq=False)
class MethodAnswer:
    """What one of Captum's methods says about a frame, or why it is not asked.

    Attributes
    ----------
    method
        Its name.
    found
        None when it is wrong for the network.
    refused
        The reason; its code is ``no_network``, ``no_reference`` or ``no_rule``.
    agreement
        With the exact game, or with antithetic sampling where that is all there is; None without.
    seconds
        Wall time.
    """

    method: Method
    found: PixelAttribution | None
    refused: Message | None
    agreement: Agreement | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Answers:
    """Everything that `inquire` found out about one person.

    Attributes
    ----------
    person, position
        Whose verdict, and the frame in view.
    change
        What would change the verdict.
    frames
        The key frames, in order of time.
    exact
        The frame in view with its exact table.
    trust, bands, methods
        Of the frame in view.
    seconds
        Wall time by question.
    """

    person: str
    position: int
    change: Change
    frames: tuple[FrameAnswer, ...] = ()
    exact: FrameAnswer | None = None
    trust: Panel | None = None
    bands: BandShares | None = None
    methods: tuple[MethodAnswer, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


def completeness(answers: Sequence[MethodAnswer]) -> tuple[TrustFigure, ...]:
    """Return whether each method that promises to add up does so on this frame.

    These figures are about the maps of the methods, not about the shares of the two witnesses.
    """
    found = (answer.found for answer in answers)
    return tuple(completeness_figure(f) for f in found if f and f.completeness is not None)


def _counting(tick: Tick, step: int, steps: int) -> Tick:
    """Count moments whatever is done in them, but let the reading of donors be seen."""

    def inner(stage: str, done: int, total: int) -> None:
        tick(*((stage, done, total) if stage == "donors" else ("check", step, steps)))

    return inner


# -- whom to ask


class Subject:
    """One person's verdict, ready to be questioned. Nothing is loaded before it is needed.

    Parameters
    ----------
    examination
        With the crops of the person.
    person
        Letter of the track; None = the one who speaks, else the first.
    detector
        The one that judged; None loads the one that the report names.
    donors
        Genuine clips of other persons; read when no other reference is valid.
    known
        Faces of this person that are known to be genuine (`comparison.known_faces`): the references
        that are tried first.
    seed
        Of everything that draws.

    Raises
    ------
    UsageError
        If there is no such person, the crops do not belong to the track, or the known faces were
        cut for another detector.
    """

    def __init__(
        self,
        examination: Examination,
        person: str | None = None,
        *,
        detector: Detector | None = None,
        donors: Sequence[Path] = (),
        known: FaceCrops | None = None,
        seed: int = 0,
    ) -> None:
        report = examination.report
        letters = [r.track.person for r in report.tracks]
        person = person or report.speaks or (letters[0] if letters else "")
        if person not in letters or person not in examination.crops:
            raise UnknownNameError(
                "there is no such person", person, "Known: {known}.", known=letters
            )
        self.person, self.report, self.seed = person, report, seed
        self.result: TrackResult = report.tracks[letters.index(person)]
        self.crops: FaceCrops = examination.crops[person]
        if len(self.crops.rgb) != len(self.result.track.pts):
            have = phrase(
                "{crops} crops, {moments} moments",
                crops=len(self.crops.rgb),
                moments=len(self.result.track.pts),
            )
            raise UsageError("crops and track do not belong together", have)
        if known is not None and known.rgb.shape[1:] != self.crops.rgb.shape[1:]:
            have = phrase("{a} and {b} pixels", a=known.rgb.shape[1], b=self.crops.rgb.shape[1])
            raise UsageError("the known faces were cut for another detector", have)
        self._known = known
        self._given, self._clips = detector, tuple(donors)
        self._detector: Detector | None = None
        self._references: References | None = None
        self._donors_read: tuple[Path, ...] = ()
        self._kind: Kind | None = None
        self._choices: dict[tuple[Kind | None, int], Choice] = {}
        self._games: dict[tuple[Kind | None, int], tuple[Reference, Game]] = {}
        self._answers: dict[tuple[Kind | None, int], FrameAnswer] = {}
        self._maps: dict[int, tuple[Lookalike, ...]] = {}

    @property
    def logits(self) -> Float:
        """Frame logits (M,) float64."""
        return self.result.evidence.logits

    @property
    def threshold(self) -> float:
        """Logit at which the detector calls a track forged."""
        return self.result.verdict.threshold

    @property
    def kind(self) -> Kind | None:
        """The kind of reference that the user insists on; None = chosen by the tests."""
        return self._kind

    @property
    def donors_read(self) -> tuple[Path, ...]:
        """The clips of other persons that were read so far, because a frame needed a donor."""
        return self._donors_read

    def use(self, kind: Kind | None) -> None:
        """Insist on a kind of reference from now on; None = let the tests choose."""
        self._kind = kind

    def key_positions(self, n: int = KEY_FRAMES) -> tuple[int, ...]:
        """Return the moments that carry most of the verdict, in order of time."""
        explanation = self.result.explanation
        if explanation is None:
            return tuple(sorted(np.argsort(-self.logits, kind="stable")[:n].tolist()))
        return ledger.key_positions(explanation, n, pts=self.result.track.pts)

    # -- what needs no pass

    @cached_property
    def construction(self) -> Float | None:
        """By-construction shares of every frame (M, 10), or None without patch logits."""
        return ledger.construction(self.result.evidence, self.crops.players)

    def change(self) -> Change:
        """Return what would change the verdict; nothing would where it is not 'forged'."""
        result, explanation = self.result, self.result.explanation
        if explanation is None or not result.verdict.is_fake:
            return Change((), (), None)
        frames = flip_frames(
            self.logits, explanation.reference_logit, result.aggregate, self.threshold
        )
        table = ledger.track_table(result.evidence, self.crops.players, result.aggregate)
        sets = () if table is None else regions.flip_sets(table, self.threshold)
        chance = None
        if explanation.intervals:
            spans, pts = result.evidence.spans, result.track.pts
            times = (pts[spans[:, 0]] + pts[spans[:, 1]]) / 2
            shots = result.track.shots[spans[:, 0]]
            level = interval_level(
                self.logits, aggregate(self.logits, result.aggregate), self.threshold
            )
            chance = interval_p_value(self.logits, times, shots, level, seed=self.seed)
        return Change(frames, sets, chance)

    # -- references and games

    def choice(self, position: int, *, tick: Tick = no_tick) -> Choice:
        """Return the references tried for a frame, and the valid one.

        The tests on genuine and on planted frames are run once per kind. The donors' clips are
        read only when no other reference is valid, or a donor was asked for.
        """
        return self._choice(self._kind, position, tick)

    def _choice(self, kind: Kind | None, position: int, tick: Tick) -> Choice:
        # `use` may be called while a frame is being asked about: who asks holds on to the kind
        if (kind, position) not in self._choices:
            self._choices[kind, position] = self._look_for(kind, position, tick)
        return self._choices[kind, position]

    def _look_for(self, kind: Kind | None, position: int, tick: Tick) -> Choice:
        found = self._try(kind, position, tick)
        while found.reference is None and self._clips and kind in (None, "donor"):
            self._read_clips(tick)
            found = self._try(kind, position, tick)
        return found

    def _read_clips(self, tick: Tick) -> None:
        clips, sha256 = self._clips, self.report.video.sha256
        donors = read_donors(clips, self.detector.spec, without=sha256, tick=tick)
        self.references.add_donors(donors)
        self._donors_read = tuple(dict.fromkeys((*self._donors_read, *clips)))
        if self._clips is clips:  # not when others were given meanwhile, nor after a cancel
            self._clips = ()

    def _try(self, kind: Kind | None, position: int, tick: Tick) -> Choice:
        if kind is None:
            return self.references.choose(position, tick=tick)
        made = self.references.best(kind, position)
        tried = () if made is None else (self.references.test(made, tick=tick),)
        valid = tried[0] if tried and tried[0].is_valid else None
        return Choice(valid, tried, self.references.unusable)

    def chosen(self, position: int) -> Choice | None:
        """Return the choice for a frame where it was made already."""
        return self._choices.get((self._kind, position))

    def add_clips(self, clips: Sequence[Path]) -> set[tuple[Kind | None, int]]:
        """Know other clips to take donors from.

        Returns
        -------
        set of (kind, position)
            What a donor may serve and was answered without a valid reference: it is forgotten, and
            asked anew when somebody asks.
        """
        self._clips = tuple(clips)
        dropped = {
            key
            for key, choice in list(self._choices.items())
            if choice.reference is None and key[0] in (None, "donor")
        }
        for key in dropped:
            for kept in (self._choices, self._answers, self._games):
                kept.pop(key, None)
        return dropped

    def every_kind(
        self, position: int, kinds: Sequence[Kind], *, tick: Tick = no_tick
    ) -> tuple[Reference, ...]:
        """Make a reference of each kind for one frame, where there is one, and judge it (V1)."""
        if "donor" in kinds and self._clips:
            self._read_clips(tick)
        made = (self.references.best(kind, position) for kind in kinds)
        return tuple(m for m in made if m is not None)

    @property
    def references(self) -> References:
        """The references of this track; the first call loads the detector."""
        if self._references is None:
            self._references = References(
                self.detector, self.crops, self.logits, known=self._known, seed=self.seed
            )
        return self._references

    @property
    def detector(self) -> Detector:
        """The detector that judged, with its network folded where that can be had.

        Raises
        ------
        DetectorError
            If it does not judge single frames, or other weights are here than the report names.
        """
        if self._detector is None:
            judge = self._given or self._load()
            if len(self.result.evidence.logits) != len(self.crops.rgb):
                remedy = "Ask about a detector of single frames."
                raise DetectorError("the detector judges blocks, not frames", "", remedy)
            self._given, self._detector = judge, folded(judge)
        return self._detector

    def _load(self) -> Detector:
        settings = self.report.settings
        facts, device = settings["detector"], settings.get("device", "auto")
        name = registry.name_now(facts["name"], facts["weights_sha256"])
        judge = registry.load(name, device=device)
        if judge.card.weights_sha256 != facts["weights_sha256"]:
            value = phrase(
                "{name}, {weights} in the report",
                name=str(facts["name"]),
                weights=str(facts["weights_sha256"])[:12],
            )
            raise DetectorError(
                "other weights are here than those that judged", value, "Analyse the video again."
            )
        return judge

    @property
    def seconds_per_pass(self) -> float:
        """What a crop cost when this video was judged here, in seconds; NaN where it was not."""
        spent = self.report.timings.get("detect", math.nan)
        return spent / max(1, sum(len(r.track.pts) for r in self.report.tracks))

    @property
    def judges_with_network(self) -> bool:
        """Whether verdicts come from the network that gradients are taken of."""
        return str(self.report.settings["detector"]["name"]) != registry.DEFAULT

    @property
    def network(self) -> Any:
        """The detector's own network, not folded; None where it has none."""
        return network_of(self._given or self.detector)

    def game(self, position: int, *, tick: Tick = no_tick) -> Game | None:
        """Return the region game of a frame; None when no reference may be used.

        Without a valid reference there is no game, unless the user insists on a kind.
        """
        kind = self._kind
        return self._game(kind, position, self._choice(kind, position, tick))

    def _game(self, kind: Kind | None, position: int, choice: Choice) -> Game | None:
        reference = choice.reference or (choice.best if kind else None)
        if reference is None:
            return None
        made = self._games.get((kind, position))
        if made is None or made[0] is not reference:
            made = reference, Game(self.detector, self.crops, position, reference.rgb)
            self._games[kind, position] = made
        return made[1]

    # -- what takes passes

    def ask(self, position: int, *, exact: bool = False, tick: Tick = no_tick) -> FrameAnswer:
        """Let both witnesses speak about one frame.

        Parameters
        ----------
        position
            The moment.
        exact
            All 2^10 composites instead of antithetic permutations with an error bar.
        """
        kind = self._kind
        choice = self._choice(kind, position, tick)
        known = self._answers.get((kind, position))
        told = known.by_intervention if known else None
        if known is None or (exact and told is not None and told.method != "exact"):
            game = self._game(kind, position, choice)
            if game is not None:
                told = (
                    perturbation.exact(game, tick=tick)
                    if exact
                    else perturbation.antithetic(game, seed=self.seed, tick=tick)
                )
            known = self._answer(position, told, choice, game)
            self._keep(kind, known)
        return known

    def _keep(self, kind: Kind | None, answer: FrameAnswer) -> None:
        # donors may have been given while it was made: then it is asked anew
        if self._choices.get((kind, answer.position)) is answer.choice:
            self._answers[kind, answer.position] = answer

    def _answer(
        self, position: int, told: Intervention | None, choice: Choice, game: Game | None
    ) -> FrameAnswer:
        every = self.construction
        own = None if every is None else every[position]
        both = heat = None
        if told is not None and game is not None and choice.reference is not None:
            heat = game.heat(told.shares)
            both = None if own is None else agreement(own, told.shares)
        at_s, logit = float(self.result.track.pts[position]), float(self.logits[position])
        return FrameAnswer(position, at_s, logit, choice, own, told, both, heat)

    def answered(self, position: int) -> FrameAnswer | None:
        """Return what is known of a frame already."""
        return self._answers.get((self._kind, position))

    def is_ready(self, position: int) -> bool:
        """Whether regions of a frame can be replaced at once, in one pass."""
        return (self._kind, position) in self._games

    def replace(self, position: int, names: Sequence[str]) -> Composite | None:
        """Replace regions of a frame; None when there is no game to do it in."""
        game = self.game(position)
        return None if game is None else perturbation.replace_regions(game, names)

    def check(self, names: Sequence[str], *, tick: Tick = no_tick) -> Checked:
        """Replace regions in every moment by intervention, and form the verdict again.

        A moment without a valid reference keeps its logit; where the user insists on a kind, one
        without a reference of that kind that is judged genuine.
        """
        kind, logits, done, valid = self._kind, self.logits.copy(), 0, True
        n = len(logits)
        for position in range(n):
            asked = _counting(tick, position, n)
            asked("check", position, n)
            # not kept: a reference and a game for each of many moments would fill the memory
            known = self._choices.get((kind, position))
            choice = known or self._look_for(kind, position, asked)
            made = choice.reference or (choice.best if kind else None)
            if made is None or not made.lights[0].passed:
                continue
            game = Game(self.detector, self.crops, position, made.rgb)
            logits[position] = perturbation.replace_regions(game, names).logit
            done += 1
            valid &= made.is_valid
        tick("check", n, n)
        before, after = (aggregate(x, self.result.aggregate) for x in (self.logits, logits))
        turned = before >= self.threshold > after
        chosen = tuple(p for p in PLAYERS if p in names)
        return Checked(chosen, before, after, done, n, turned, valid)

    def trust(
        self,
        position: int,
        *,
        tell: Callable[[TrustFigure], None] = lambda _figure: None,
        tick: Tick = no_tick,
    ) -> Panel:
        """Return the trust panel of a frame; its exact table is kept for the other questions."""
        kind = self._kind
        choice = self._choice(kind, position, tick)
        game = self._game(kind, position, choice) if choice.reference else None
        every = self.construction
        others = [
            answer.by_intervention.shares
            for (used, other), answer in self._answers.items()
            if used == kind
            and other != position
            and answer.by_intervention is not None
            and answer.logit >= self.threshold
        ]
        found = panel(
            self.detector,
            self.crops,
            self.references,
            position,
            choice=choice,
            game=game,
            net=self.network,
            by_construction=None if every is None else every[position],
            frames=others,
            seed=self.seed,
            tell=tell,
            tick=tick,
        )
        if found.intervention is not None:
            self._keep(kind, self._answer(position, found.intervention, choice, game))
        return found

    def bands(self, position: int, *, tick: Tick = no_tick) -> BandShares | None:
        """Return what each band of spatial frequencies carries; None without a valid reference."""
        reference = self.choice(position, tick=tick).reference
        if reference is None:
            return None
        return band_shares(self.detector, self.crops, position, reference.rgb, tick=tick)

    def methods(
        self,
        position: int,
        methods: Sequence[Method] | None = None,
        *,
        tell: Callable[[MethodAnswer], None] = lambda _answer: None,
        tick: Tick = no_tick,
    ) -> tuple[MethodAnswer, ...]:
        """Ask Captum's methods about a frame, those that are refused with their reasons.

        Methods that need a reference get the frame's; without a valid one they are not asked.
        """
        from typing import get_args

        from toolkit.explain import pixels

        reference = self.choice(position, tick=tick).reference
        known = self.answered(position)
        truth = known.by_intervention if known and known.may_name else None
        answers = []
        for method in methods or get_args(pixels.Method):
            start = time.perf_counter()
            found, refused = None, None
            asks_only = method in pixels.ASKS_ONLY
            if not asks_only and self.network is None:
                refused = Message("no_network", "the network itself is not open here")
            elif method in pixels.NEEDS_REFERENCE and reference is None:
                refused = Message("no_reference", "no reference is valid")
            elif not asks_only:
                # the folded network has other layers: what the user has must fit the method
                refused = pixels.refusal(self.network, method)
            if refused is None:
                found = pixels.attribute(
                    pixels.Asked(self.detector) if asks_only else network_of(self.detector),
                    self.crops.rgb[position],
                    method,
                    players=self.crops.players[position],
                    reference=None if reference is None else reference.rgb,
                    seed=self.seed,
                    tick=tick,
                )
            both = agreement(found.regions, truth.shares) if found and truth else None
            answer = MethodAnswer(method, found, refused, both, time.perf_counter() - start)
            answers.append(answer)
            tell(answer)
        return tuple(answers)

    def look_alike(self, position: int, *, tick: Tick = no_tick) -> tuple[Lookalike, ...]:
        """Return maps of a frame that look like an explanation, each checked with random weights.

        Raises
        ------
        DetectorError
            If the network itself, or its patch map, is not open here.
        """
        from toolkit.explain.lookalikes import look_alike

        _ = self.detector
        if self.network is None or self.result.evidence.patches is None:
            raise DetectorError(
                "this needs a network with patches", "", "Ask about a video judged by seamnet."
            )
        if position not in self._maps:
            self._maps[position] = look_alike(
                self.network,
                self.crops.rgb[position],
                self.crops.players[position],
                seed=self.seed,
                tick=tick,
            )
        return self._maps[position]


# -- all of it


class Counted:
    """A tick for one question: it counts the calls within, out of about `expected`."""

    def __init__(self, tick: Tick, question: str, expected: int) -> None:
        self._tick, self._question, self._expected = tick, question, max(expected, 2)
        self._calls = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Count a call; `donors` keeps its name, for that takes a while and is no question."""
        self._calls += 1
        if stage == "donors":
            self._tick(stage, done, total)
        else:
            self._tick(self._question, min(self._calls, self._expected - 1), self._expected)


_PASSES = {"references": 260, "witnesses": 80, "exact": 1024, "trust": 1300, "methods": 560}
"""About how many crops a question asks the detector about. Witnesses: per key frame."""

_GRADIENTS = {True: {"trust": 70, "methods": 90}, False: {"trust": 30, "methods": 55}}
"""About how many pictures go through the network itself, by whether it is the one that judges."""

GRADIENT_COST = {True: 3.0, False: 20.0}
"""A gradient in passes: of the network that judges, or of a float32 one beside an INT8 judge."""


def expected_seconds(subject: Subject, question: str, *, key_frames: int = KEY_FRAMES) -> float:
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
    frames = len(subject.crops.rgb)
    passes = {
        "witnesses": _PASSES["references"] + _PASSES["witnesses"] * key_frames,
        "bands": 64,
        "check": 4 * frames,
    }.get(question, _PASSES.get(question, 0))
    own = subject.judges_with_network
    gradients = _GRADIENTS[own].get(question, 0) * GRADIENT_COST[own]
    return subject.seconds_per_pass * (passes + gradients)


def ask(
    subject: Subject,
    questions: Sequence[str],
    position: int,
    *,
    key_frames: int = KEY_FRAMES,
    tell: Tell = tell_nobody,
    tick: Tick = no_tick,
) -> Answers:
    """Ask a subject some of `QUESTIONS` about its key frames and the frame in view.

    Parameters
    ----------
    subject
        Whom to ask.
    questions
        From `QUESTIONS`; asked in that order.
    position
        The frame in view.
    key_frames
        How many moments the witnesses speak about.
    tell
        Told each `FrameAnswer` (``"witnesses"``, ``"exact"``), `TrustFigure` (``"trust"``),
        `BandShares` (``"bands"``) and `MethodAnswer` (``"methods"``) as it comes.
    tick
        Called with the question as the stage.

    Raises
    ------
    UsageError
        If a question or the position is unknown.
    Cancelled
        Within one batch of composites; what is known by then stays with the subject.
    """
    if unknown := [q for q in questions if q not in QUESTIONS]:
        raise UnknownNameError(
            "unknown question", ", ".join(unknown), "Known: {known}.", known=QUESTIONS
        )
    if not 0 <= position < len(subject.crops.rgb):
        last = len(subject.crops.rgb) - 1
        raise OutOfRangeError(
            "there is no such moment", f"{position}", "Use 0 to {last}.", last=last
        )
    seconds: dict[str, float] = {}
    found: dict[str, Any] = {}

    def counted(question: str, times: int = 1) -> Counted:
        batch = subject.detector.batch or perturbation.WHOLE
        return Counted(tick, question, math.ceil(_PASSES.get(question, 64) * times / batch))

    def timed(question: str, work: Callable[[Counted], Any], times: int = 1) -> None:
        start = time.perf_counter()
        found[question] = work(counted(question, times))
        seconds[question] = time.perf_counter() - start

    timed("references", lambda inner: subject.choice(position, tick=inner))
    if "witnesses" in questions:
        keys = sorted({*subject.key_positions(key_frames)})
        timed("witnesses", lambda inner: _witnesses(subject, keys, tell, inner), len(keys))
    for question in (q for q in QUESTIONS if q in questions and q != "witnesses"):
        timed(question, _one(subject, question, position, tell))
    return Answers(
        person=subject.person,
        position=position,
        change=subject.change(),
        frames=found.get("witnesses", ()),
        exact=found.get("exact"),
        trust=found.get("trust"),
        bands=found.get("bands"),
        methods=found.get("methods", ()),
        seconds=seconds,
    )


def _witnesses(
    subject: Subject, positions: Sequence[int], tell: Tell, tick: Tick
) -> tuple[FrameAnswer, ...]:
    answers = []
    for position in positions:
        answers.append(subject.ask(position, tick=tick))
        tell("witnesses", answers[-1])
    return tuple(answers)


def _one(subject: Subject, question: str, position: int, tell: Tell) -> Callable[[Counted], Any]:
    def said(part: Any) -> None:
        tell(question, part)

    def work(tick: Counted) -> Any:
        if question == "trust":
            return subject.trust(position, tell=said, tick=tick)
        if question == "methods":
            return subject.methods(position, tell=said, tick=tick)
        if question == "exact":
            answer: Any = subject.ask(position, exact=True, tick=tick)
        else:
            answer = subject.bands(position, tick=tick)
        said(answer)
        return answer

    return work


def inquire(
    examination: Examination,
    *,
    person: str | None = None,
    position: int | None = None,
    questions: Sequence[str] = QUESTIONS,
    key_frames: int = KEY_FRAMES,
    reference: Kind | None = None,
    detector: Detector | None = None,
    donors: Sequence[Path] = (),
    known: FaceCrops | None = None,
    seed: int = 0,
    tell: Tell = tell_nobody,
    tick: Tick = no_tick,
) -> Answers:
    """Ask about a verdict: one call that returns everything the notebook's panel shows.

    Parameters
    ----------
    examination
        From `analysis.examine`.
    person
        Letter of the track; None = the one who speaks.
    position
        The frame in view; None = the one with the largest share.
    questions, key_frames, tell, tick
        As for `ask`.
    reference
        A kind to insist on; None = chosen by the tests.
    detector, donors, known, seed
        As for `Subject`.

    Returns
    -------
    Answers

    Raises
    ------
    UsageError, DetectorError
        If the question, person, moment or detector do not fit.
    Cancelled
        If `tick` says so.
    """
    subject = Subject(examination, person, detector=detector, donors=donors, known=known, seed=seed)
    subject.use(reference)
    if position is None:
        position = strongest(subject.result)
    return ask(subject, questions, position, key_frames=key_frames, tell=tell, tick=tick)


def strongest(result: TrackResult) -> int:
    """Return the moment with the largest share, or without a ledger the largest logit."""
    explanation = result.explanation
    by = result.evidence.logits if explanation is None else explanation.frame_shares
    return int(np.argmax(by))
