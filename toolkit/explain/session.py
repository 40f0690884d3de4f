"""Questions to a verdict: what would change it, do two witnesses agree, how far can it be trusted.

A `PersonExplainer` is one person of an examination who can be questioned again and again. It owns
every answer, so that asking twice costs nothing and nobody needs a copy. `inquire` asks all at once
and returns what the notebook's panel shows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.detectors import registry
from toolkit.detectors.base import Detector, network_of
from toolkit.errors import DetectorError, OutOfRangeError, UnknownNameError, UsageError
from toolkit.explain import ledger, perturbation, regions
from toolkit.explain.answers import (
    Answers,
    Change,
    Checked,
    FrameAnswer,
    FrameState,
    MethodAnswer,
)
from toolkit.explain.bands import BandShares, band_shares
from toolkit.explain.baselines import Choice, Kind, Reference, References
from toolkit.explain.costs import KEY_FRAMES, Counted, counted
from toolkit.explain.donors import read_donors
from toolkit.explain.frames import flip_frames
from toolkit.explain.fused import fuse_batch_norm
from toolkit.explain.intervals import interval_level, interval_p_value
from toolkit.explain.perturbation import Composite, Intervention, RegionGame, agreement
from toolkit.explain.spans import SpanAnswer, ask_spans
from toolkit.explain.trust import Panel, TrustFigure, panel
from toolkit.messages import Message, phrase
from toolkit.types import REGIONS, Examination, FaceCrops, Tick, TrackResult, no_tick
from toolkit.verdict.aggregate import aggregate

if TYPE_CHECKING:
    from toolkit.explain.lookalikes import Lookalike
    from toolkit.explain.pixels import Method

QUESTIONS = ("witnesses", "exact", "trust", "bands", "methods")
"""What takes passes, in the order of asking. The ledger and `Change` need none."""

Float = NDArray[np.float64]
OnResult = Callable[[str, Any], None]
"""Called in the asking thread with the name of a question and each part of its answer."""


def ignore(question: str, part: Any) -> None:
    """Tell nobody: the default of every `on_result` argument."""


def _counting(tick: Tick, step: int, steps: int) -> Tick:
    """Count moments whatever is done in them, but let the reading of donors be seen."""

    def inner(stage: str, done: int, total: int) -> None:
        tick(*((stage, done, total) if stage == "donors" else ("check", step, steps)))

    return inner


# -- whom to ask


class PersonExplainer:
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

    Attributes
    ----------
    generation
        Counted up whenever answers are dropped: what was shown before is out of date.
    spans
        What `ask_spans` found last; empty before.

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
        person = person or report.decisive or (letters[0] if letters else "")
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
        self._change: Change | None = None
        self._states: dict[tuple[Kind | None, int], FrameState] = {}
        self._witness_rows: dict[Kind | None, list[int]] = {}
        self._checked: dict[Kind | None, Checked] = {}
        self._every_kind: dict[int, tuple[Reference, ...]] = {}
        self._maps: dict[int, tuple[Lookalike, ...]] = {}
        self.spans: tuple[SpanAnswer, ...] = ()
        self.generation = 0

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
        spans = self.result.evidence.spans
        middles = spans.sum(axis=1) // 2
        rows = ledger.key_positions(explanation, n, pts=self.result.track.pts[middles])
        return tuple(middles[list(rows)].tolist())

    # -- what needs no pass

    @cached_property
    def construction(self) -> Float | None:
        """By-construction shares of every frame (M, 10), or None without patch logits."""
        return ledger.construction(self.result.evidence, self.crops.region_map)

    def change(self) -> Change:
        """Return what would change the verdict; nothing would where it is not 'forged'."""
        if self._change is None:
            self._change = self._find_change()
        return self._change

    def _find_change(self) -> Change:
        result, explanation = self.result, self.result.explanation
        if explanation is None or not result.verdict.is_fake:
            return Change((), (), None)
        frames = flip_frames(
            self.logits, explanation.reference_logit, result.aggregate, self.threshold
        )
        table = ledger.track_table(result.evidence, self.crops.region_map, result.aggregate)
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

    # -- what was answered

    def state(self, row: int) -> FrameState:
        """Return what was answered about a frame with the kind of baseline in use."""
        key = self._kind, row
        return self._states.setdefault(key, FrameState(*key))

    def states(self) -> tuple[FrameState, ...]:
        """Return what was answered about every frame, in the order of the first question."""
        return tuple(self._states.values())

    @property
    def witnesses(self) -> tuple[FrameAnswer, ...]:
        """What both witnesses say about the key frames, as far as they were asked."""
        rows = self._witness_rows.get(self._kind, ())
        states = (self._states.get((self._kind, row)) for row in rows)
        return tuple(state.answer for state in states if state and state.answer)

    @property
    def checked(self) -> Checked | None:
        """What the last `check` found; None before."""
        return self._checked.get(self._kind)

    def compared(self, position: int) -> tuple[Reference, ...]:
        """Return what the last `every_kind` made for a frame; empty before."""
        return self._every_kind.get(position, ())

    def lookalikes(self, position: int) -> tuple[Lookalike, ...]:
        """Return the maps of `look_alike` for a frame; empty before."""
        return self._maps.get(position, ())

    # -- references and games

    def choice(self, position: int, *, tick: Tick = no_tick) -> Choice:
        """Return the references tried for a frame, and the valid one.

        The tests on genuine and on planted frames are run once per kind. The donors' clips are
        read only when no other reference is valid, or a donor was asked for.
        """
        return self._choose(self.state(position), tick)

    def _choose(self, state: FrameState, tick: Tick) -> Choice:
        # `use` may be called while a frame is being asked about: who asks holds on to the state
        if state.choice is None:
            state.choice = self._look_for(state.kind, state.row, tick)
        return state.choice

    def _look_for(self, kind: Kind | None, position: int, tick: Tick) -> Choice:
        choice = self._try(kind, position, tick)
        while choice.reference is None and self._clips and kind in (None, "donor"):
            self._read_clips(tick)
            choice = self._try(kind, position, tick)
        return choice

    def _read_clips(self, tick: Tick) -> None:
        clips, sha256, generation = self._clips, self.report.video.sha256, self.generation
        donors = read_donors(clips, self.detector.spec, without=sha256, tick=tick)
        self.references.add_donors(donors)
        self._donors_read = tuple(dict.fromkeys((*self._donors_read, *clips)))
        if generation == self.generation:  # no others were given meanwhile
            self._clips = ()

    def _try(self, kind: Kind | None, position: int, tick: Tick) -> Choice:
        if kind is None:
            return self.references.choose(position, tick=tick)
        reference = self.references.best(kind, position)
        tried = () if reference is None else (self.references.test(reference, tick=tick),)
        valid = tried[0] if tried and tried[0].is_valid else None
        return Choice(valid, tried, self.references.unusable)

    def chosen(self, position: int) -> Choice | None:
        """Return the choice for a frame where it was made already."""
        return self.state(position).choice

    def add_clips(self, clips: Sequence[Path]) -> None:
        """Know other clips to take donors from.

        What a donor may serve and was answered without a valid reference is dropped, and asked anew
        when somebody asks.
        """
        self.generation += 1
        self._clips = tuple(clips)
        self._every_kind.clear()
        self._checked.clear()
        for key, state in list(self._states.items()):
            if state.kind in (None, "donor") and state.rests_on_nothing:
                del self._states[key]

    def every_kind(
        self, position: int, kinds: Sequence[Kind], *, tick: Tick = no_tick
    ) -> tuple[Reference, ...]:
        """Make a reference of each kind for one frame, where there is one, and judge it (V1)."""
        generation = self.generation
        if "donor" in kinds and self._clips:
            self._read_clips(tick)
        best = (self.references.best(kind, position) for kind in kinds)
        references = tuple(reference for reference in best if reference is not None)
        if generation == self.generation:
            self._every_kind[position] = references
        return references

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
            judge = self._judge()
            if len(self.result.evidence.logits) != len(self.crops.rgb):
                remedy = "Ask about a detector of single frames."
                raise DetectorError("the detector judges blocks, not frames", "", remedy)
            self._given, self._detector = judge, fuse_batch_norm(judge)
        return self._detector

    def _judge(self) -> Detector:
        return registry.resolve(self._given) if self._given is not None else self._load()

    def ask_spans(self, *, tick: Tick = no_tick) -> tuple[SpanAnswer, ...]:
        """Hold each region of each stretch still, and keep what that does to its logit.

        Raises
        ------
        DetectorError
            If the detector judges frames.
        """
        track, evidence = self.result.track, self.result.evidence
        self.spans = ask_spans(self._judge(), self.crops, track, evidence, tick=tick)
        return self.spans

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

    def game(self, position: int, *, tick: Tick = no_tick) -> RegionGame | None:
        """Return the region game of a frame; None when no reference may be used.

        Without a valid reference there is no game, unless the user insists on a kind.
        """
        state = self.state(position)
        self._choose(state, tick)
        return self._game(state)

    def _game(self, state: FrameState) -> RegionGame | None:
        assert state.choice is not None
        reference = state.choice.reference or (state.choice.best if state.kind else None)
        if reference is not None and state.game is None:
            state.game = RegionGame(self.detector, self.crops, state.row, reference.rgb)
        return state.game

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
        return self._ask(self.state(position), exact=exact, tick=tick)

    def ask_key_frames(
        self,
        positions: Sequence[int],
        *,
        on_result: Callable[[FrameAnswer], None] = lambda _answer: None,
        tick: Tick = no_tick,
    ) -> tuple[FrameAnswer, ...]:
        """Let both witnesses speak about several frames; `witnesses` grows with each of them."""
        rows: list[int] = []
        states = [self.state(position) for position in positions]
        answers = []
        for state in states:
            answers.append(self._ask(state, exact=False, tick=tick))
            self._witness_rows[state.kind] = rows
            rows.append(state.row)
            on_result(answers[-1])
        return tuple(answers)

    def _ask(self, state: FrameState, *, exact: bool, tick: Tick) -> FrameAnswer:
        choice, answer = self._choose(state, tick), state.answer
        shares = answer.perturbation if answer else None
        if answer is None or (exact and shares is not None and shares.method != "exact"):
            game = self._game(state)
            if game is not None:
                shares = (
                    perturbation.exact(game, tick=tick)
                    if exact
                    else perturbation.antithetic(game, seed=self.seed, tick=tick)
                )
            answer = state.answer = self._answer(state.row, shares, choice, game)
        return answer

    def _answer(
        self, position: int, shares: Intervention | None, choice: Choice, game: RegionGame | None
    ) -> FrameAnswer:
        every = self.construction
        own = None if every is None else every[position]
        both = heat = None
        if shares is not None and game is not None and choice.reference is not None:
            heat = game.heat(shares.shares)
            both = None if own is None else agreement(own, shares.shares)
        at_s, logit = float(self.result.track.pts[position]), float(self.logits[position])
        return FrameAnswer(position, at_s, logit, choice, own, shares, both, heat)

    def answered(self, position: int) -> FrameAnswer | None:
        """Return what is known of a frame already."""
        return self.state(position).answer

    def is_ready(self, position: int) -> bool:
        """Whether regions of a frame can be replaced at once, in one pass."""
        return self.state(position).game is not None

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
        n, generation = len(logits), self.generation
        for position in range(n):
            asked = _counting(tick, position, n)
            asked("check", position, n)
            # not kept: a reference and a game for each of many moments would fill the memory
            state = self._states.get((kind, position))
            choice = state.choice if state else None
            choice = choice or self._look_for(kind, position, asked)
            reference = choice.reference or (choice.best if kind else None)
            if reference is None or not reference.validity_tests[0].passed:
                continue
            game = RegionGame(self.detector, self.crops, position, reference.rgb)
            logits[position] = perturbation.replace_regions(game, names).logit
            done += 1
            valid &= reference.is_valid
        tick("check", n, n)
        before, after = (aggregate(x, self.result.aggregate) for x in (self.logits, logits))
        turned = before >= self.threshold > after
        chosen = tuple(p for p in REGIONS if p in names)
        checked = Checked(chosen, before, after, done, n, turned, valid)
        if generation == self.generation:
            self._checked[kind] = checked
        return checked

    def trust(
        self,
        position: int,
        *,
        on_result: Callable[[TrustFigure], None] = lambda _figure: None,
        tick: Tick = no_tick,
    ) -> Panel:
        """Return the trust panel of a frame; its exact table is kept for the other questions."""
        state = self.state(position)
        choice = self._choose(state, tick)
        game = self._game(state) if choice.reference else None
        every = self.construction
        others = [
            other.answer.perturbation.shares
            for other in self.states()
            if other.kind == state.kind
            and other.row != position
            and other.answer is not None
            and other.answer.perturbation is not None
            and other.answer.logit >= self.threshold
        ]
        figures: list[TrustFigure] = []

        def on_figure(figure: TrustFigure) -> None:
            figures.append(figure)
            state.figures = figures  # the ones before stand until the first new one comes
            on_result(figure)

        state.panel = panel(
            self.detector,
            self.crops,
            self.references,
            position,
            choice=choice,
            game=game,
            net=self.network,
            intrinsic=None if every is None else every[position],
            frames=others,
            seed=self.seed,
            on_result=on_figure,
            tick=tick,
        )
        if state.panel.intervention is not None:
            state.answer = self._answer(position, state.panel.intervention, choice, game)
        return state.panel

    def bands(self, position: int, *, tick: Tick = no_tick) -> BandShares | None:
        """Return what each band of spatial frequencies carries; None without a valid reference."""
        state = self.state(position)
        reference = self._choose(state, tick).reference
        if reference is not None:
            state.bands = band_shares(self.detector, self.crops, position, reference.rgb, tick=tick)
        state.bands_asked = True
        return state.bands

    def methods(
        self,
        position: int,
        methods: Sequence[Method] | None = None,
        *,
        on_result: Callable[[MethodAnswer], None] = lambda _answer: None,
        tick: Tick = no_tick,
    ) -> tuple[MethodAnswer, ...]:
        """Ask Captum's methods about a frame, those that are refused with their reasons.

        Methods that need a reference get the frame's; without a valid one they are not asked.
        """
        from typing import get_args

        from toolkit.explain import pixels

        state = self.state(position)
        reference, known = self._choose(state, tick).reference, state.answer
        truth = known.perturbation if known and known.may_name else None
        answers: list[MethodAnswer] = []
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
                try:
                    found = pixels.attribute(
                        pixels.DetectorModule(self.detector)
                        if asks_only
                        else network_of(self.detector),
                        self.crops.rgb[position],
                        method,
                        region_map=self.crops.region_map[position],
                        reference=None if reference is None else reference.rgb,
                        seed=self.seed,
                        tick=tick,
                    )
                except DetectorError as error:  # what only running the network shows
                    why = error.parts[1] or error.parts[0]
                    refused = why if isinstance(why, Message) else Message("refused", why)
            both = agreement(found.regions, truth.shares) if found and truth else None
            answer = MethodAnswer(method, found, refused, both, time.perf_counter() - start)
            answers.append(answer)
            state.methods = answers
            on_result(answer)
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
                self.crops.region_map[position],
                seed=self.seed,
                tick=tick,
            )
        return self._maps[position]


# -- all of it


def ask(
    subject: PersonExplainer,
    questions: Sequence[str],
    position: int,
    *,
    key_frames: int = KEY_FRAMES,
    on_result: OnResult = ignore,
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
    on_result
        Called with each `FrameAnswer` (``"witnesses"``, ``"exact"``), `TrustFigure` (``"trust"``),
        `BandShares` (``"bands"``) and `MethodAnswer` (``"methods"``) as it comes.
    tick
        Called with the question as the stage.

    Raises
    ------
    UsageError
        If a question or the position is unknown.
    Cancelled
        Within one batch of composites; what was answered by then stays with the subject.
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

    def timed(question: str, work: Callable[[Counted], Any], times: int = 1) -> None:
        start = time.perf_counter()
        found[question] = work(counted(subject, tick, question, times))
        seconds[question] = time.perf_counter() - start

    timed("references", lambda inner: subject.choice(position, tick=inner))
    if "witnesses" in questions:
        keys = sorted({*subject.key_positions(key_frames)})

        def on_answer(answer: FrameAnswer) -> None:
            on_result("witnesses", answer)

        timed(
            "witnesses",
            lambda inner: subject.ask_key_frames(keys, on_result=on_answer, tick=inner),
            len(keys),
        )
    for question in (q for q in QUESTIONS if q in questions and q != "witnesses"):
        timed(question, _one(subject, question, position, on_result))
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


def _one(
    subject: PersonExplainer, question: str, position: int, on_result: OnResult
) -> Callable[[Counted], Any]:
    def on_part(part: Any) -> None:
        on_result(question, part)

    def work(tick: Counted) -> Any:
        if question == "trust":
            return subject.trust(position, on_result=on_part, tick=tick)
        if question == "methods":
            return subject.methods(position, on_result=on_part, tick=tick)
        if question == "exact":
            answer: Any = subject.ask(position, exact=True, tick=tick)
        else:
            answer = subject.bands(position, tick=tick)
        on_part(answer)
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
    on_result: OnResult = ignore,
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
    questions, key_frames, on_result, tick
        As for `ask`.
    reference
        A kind to insist on; None = chosen by the tests.
    detector, donors, known, seed
        As for `PersonExplainer`.

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
    subject = PersonExplainer(
        examination, person, detector=detector, donors=donors, known=known, seed=seed
    )
    subject.use(reference)
    if position is None:
        position = strongest(subject.result)
    return ask(subject, questions, position, key_frames=key_frames, on_result=on_result, tick=tick)


def strongest(result: TrackResult) -> int:
    """Return the moment with the largest share, or without a ledger the largest logit."""
    explanation = result.explanation
    by = result.evidence.logits if explanation is None else explanation.frame_shares
    return int(result.evidence.spans[int(np.argmax(by))].sum() // 2)
