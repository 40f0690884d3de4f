"""An analysis as guests hold it: the verdict, the persons, and what can be done with them."""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from toolkit import figures
from toolkit.analysis import cached, pipeline
from toolkit.api import cards
from toolkit.api.listings import Frames, Intervals, Regions
from toolkit.errors import ShapeError, ToolkitWarning, UnknownNameError, UsageError
from toolkit.files import atomic_path, atomic_write, parse_json
from toolkit.media import show_name
from toolkit.messages import phrase
from toolkit.storage.cache import Cache
from toolkit.types import (
    Examination,
    FaceCrops,
    Notice,
    Report,
    Sampling,
    Settings,
    Tick,
    TrackResult,
    Verdict,
    Video,
    no_tick,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from toolkit.api.answers import DetectorsCompared

Part = Literal["overview", "curve", "regions", "matrix"]
PARTS: tuple[Part, ...] = ("overview", "curve", "regions", "matrix")

DATA, RUN, PAGE, FACES = "report.json", "run.json", "report.html", "faces.npz"
"""What `Analysis.save` writes."""

_NEAR = 1e-3  # logits; another processor moves a verdict by less


class Person:
    """One person of an analysis: the verdict about them, and what drove it.

    Attributes
    ----------
    letter
        ``"A"``, ``"B"``, ... in order of time on screen; never who it is.
    verdict
        With `logit`, `threshold`, `is_fake`, `abstained` and `reason`.
    result
        All that is known, in the toolkit's own terms (`toolkit.types.TrackResult`).
    """

    def __init__(self, result: TrackResult, crops: dict[str, FaceCrops] | None) -> None:
        self.result, self.letter, self.verdict = result, result.track.person, result.verdict
        self._crops = crops

    @property
    def regions(self) -> Regions:
        """The ten regions, ranked by their share of the verdict; they add up."""
        self._explained()
        return Regions(self.result)

    @property
    def frames(self) -> Frames:
        """Every judged moment, with its evidence and its share."""
        return Frames(self.result)

    @property
    def intervals(self) -> Intervals:
        """The stretches of time that speak for forged; none without that verdict."""
        self._explained()
        return Intervals(self.result)

    @property
    def sentences(self) -> list[str]:
        """What is said of this person, in the language in use."""
        texts = [figures.track_sentence(self.result), figures.seen_sentence(self.result)]
        return texts if self.verdict.abstained else [*texts, figures.region_sentence(self.result)]

    @property
    def picture(self) -> NDArray[Any] | None:
        """The face where the evidence is strongest, (S, S, 3) RGB uint8; None without one."""
        return cards.portrait(self.result, self._crops)

    def figure(self, part: Part = "overview") -> Figure:
        """Return a Plotly figure: all charts linked, or one of them.

        Parameters
        ----------
        part
            ``"overview"``, ``"curve"`` (evidence over time), ``"regions"`` (shares) or
            ``"matrix"`` (region by time).

        Raises
        ------
        UnknownNameError
            If there is no such part.
        UsageError
            If the part needs an explanation and the analysis has none.
        """
        if part not in PARTS:
            raise UnknownNameError("there is no such figure", part, "Known: {known}.", known=PARTS)
        if part != "curve":
            self._explained()
        draw = {
            "overview": figures.overview,
            "curve": figures.evidence_curve,
            "regions": figures.region_bars,
            "matrix": figures.region_matrix,
        }[part]
        return draw(self.result)

    def _explained(self) -> None:
        if self.result.explanation is None:
            remedy = "Analyse it with explain=True."
            raise UsageError(
                "this analysis has no explanation",
                phrase("person {letter}", letter=self.letter),
                remedy,
            )

    def __repr__(self) -> str:
        n = len(self.result.track.pts)
        return f"Person({self.letter}: {_in_short(self.verdict)}, {n} moments)"

    def _repr_html_(self) -> str:
        return cards.wrap(cards.person(self.result, self._crops))


class Analysis:
    """What `toolkit.analyse` found: ask it for persons by letter, show it, save it.

    In a notebook it shows itself as a card. ``str(analysis)`` is the same in sentences.

    Attributes
    ----------
    settings
        How it was made.
    path
        The video.

    Examples
    --------
    ::

        analysis = toolkit.analyse("clip.mp4")
        analysis["A"].regions
        analysis.save("out/")
    """

    def __init__(
        self,
        report: Report,
        crops: dict[str, FaceCrops] | None,
        settings: Settings,
        *,
        entry: str | None = None,
    ) -> None:
        self._report, self._crops, self._entry = report, crops, entry
        self.settings = settings
        self.path = report.video.path
        self._shown_in: int | None = None

    @classmethod
    def of(cls, examination: Examination, settings: Settings | None = None) -> Analysis:
        """Return what guests use, of what `toolkit.analysis.pipeline.examine` returned."""
        report = examination.report
        return cls(
            report, examination.crops, settings or settings_of(report), entry=examination.entry
        )

    # -- what was found

    @property
    def report(self) -> Report:
        """Everything in the toolkit's own terms, for `toolkit.figures` and `toolkit.report`."""
        return self._report

    @property
    def video(self) -> Video:
        """The facts of the file."""
        return self._report.video

    @property
    def verdict(self) -> Verdict:
        """The clip's verdict: that of the deciding person, or an abstention."""
        return self._report.verdict

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What a reader must know about the input."""
        return self._report.notices

    @property
    def persons(self) -> tuple[Person, ...]:
        """Everybody on screen, in order of letters."""
        return tuple(Person(r, self._crops) for r in self._report.tracks)

    @property
    def decisive(self) -> Person | None:
        """The person whose verdict is the clip's; None where nobody could be judged."""
        letter = self._report.decisive
        return next((p for p in self.persons if p.letter == letter), None)

    def __getitem__(self, letter: str) -> Person:
        """Return a person.

        Raises
        ------
        UnknownNameError
            If nobody has that letter; the error lists those that are there.
        """
        for person in self.persons:
            if person.letter == letter:
                return person
        letters = [p.letter for p in self.persons]
        remedy = "Known: {known}." if letters else "Nobody was found in this video."
        raise UnknownNameError("there is no such person", str(letter)[:40], remedy, known=letters)

    def __iter__(self) -> Iterator[Person]:
        return iter(self.persons)

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self._report.tracks)

    def __bool__(self) -> bool:
        """Return True: an analysis is there, also of a video that shows nobody."""
        return True

    @property
    def sentences(self) -> list[str]:
        """What the card says, in the language in use."""
        texts = [figures.verdict_sentence(self._report)]
        for person in self.persons:
            texts += person.sentences
        return [*texts, *figures.not_judged(self._report), *figures.limits(self._report)]

    def figure(self, part: Part = "overview", *, person: str | None = None) -> Figure:
        """Return a Plotly figure of the deciding person, or of another; see `Person.figure`.

        Raises
        ------
        UsageError
            If nobody could be judged.
        UnknownNameError
            If there is no such person or part.
        """
        if person is not None:
            return self[person].figure(part)
        chosen = self.decisive or next(iter(self.persons), None)
        if chosen is None:
            reason = self.verdict.reason or ""
            raise UsageError("there is nobody to draw a figure of", "", reason)
        return chosen.figure(part)

    # -- keeping it

    def beside(self, *others: Analysis, person: str | None = None) -> DetectorsCompared:
        """Hold what other detectors say of the same clip against this: where they differ, and sum.

        Parameters
        ----------
        *others
            Analyses of the same clip by other detectors.
        person
            Letter; None = the one who decides this clip's verdict.

        Raises
        ------
        UnknownNameError
            If one of them knows no such person.
        UsageError
            If they are of another clip, by the same detector, or made without an explanation.
        """
        from toolkit.api.answers import DetectorsCompared
        from toolkit.explain.ensemble import compare_detectors, known_scale

        decisive = self.decisive
        letter = person or (decisive.letter if decisive else "A")
        results, scales = {}, {}
        for analysis in (self, *others):
            if analysis.video.sha256 != self.video.sha256:
                name = show_name(analysis.video.path)
                raise UsageError("this is another clip", name, "Give analyses of the same clip.")
            facts = analysis.report.settings["detector"]
            if facts["name"] in results:
                raise UsageError(
                    "one detector was given twice", str(facts["name"]), "Name each one once."
                )
            results[facts["name"]] = analysis[letter].result
            scales[facts["name"]] = known_scale(facts["name"], facts["weights_sha256"])
        return DetectorsCompared(compare_detectors(results, scales), letter)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``report.json``: plain values."""
        return pipeline.to_dict(self._report)

    def save(self, folder: str | os.PathLike[str], *, faces: bool = True) -> Path:
        """Write everything into a folder, from which `toolkit.open_analysis` opens it again.

        Parameters
        ----------
        folder
            Made where it is missing. What an earlier analysis of the same clip left is replaced.
        faces
            Whether to keep the face crops (``faces.npz``), so that questions can be asked after
            the clip is gone. Without them the clip is read again when a question needs it.

        Returns
        -------
        Path
            The folder, with ``report.json``, ``run.json``, ``report.html`` and ``faces.npz``.

        Raises
        ------
        UsageError
            If it is no folder, or holds the analysis of another clip.
        OSError
            If it cannot be written.
        """
        from toolkit.casework import archive
        from toolkit.report import html

        out = Path(folder).expanduser()
        if out.exists() and not out.is_dir():
            raise UsageError("this is not a folder", str(out), "Name a folder.")
        if (out / DATA).exists() and _read_json(out / DATA).get("video", {}).get("sha256") not in (
            None,
            self.video.sha256,
        ):
            raise UsageError(
                "this folder holds the analysis of another clip", str(out), "Name another folder."
            )
        kept = Examination(self._report, self.examination.crops) if faces else None
        out.mkdir(parents=True, exist_ok=True)
        facts = {**pipeline.run_facts(self._report), "clip": str(Path(self.path).absolute())}
        for name, content in ((DATA, self.to_dict()), (RUN, facts)):
            atomic_write(out / name, json.dumps(content, indent=1, allow_nan=False) + "\n")
        html.write(self._report, out / PAGE)
        if kept is None:
            (out / FACES).unlink(missing_ok=True)
        else:
            with atomic_path(out / FACES) as part:
                archive.write(kept, part)
        return out

    # -- what further questions need

    @property
    def examination(self) -> Examination:
        """The report with the faces that were judged; reads the clip again where they are missing.

        Raises
        ------
        UsageError
            If they are not kept and the clip is gone or another one.
        """
        return self.read_faces()

    def read_faces(self, *, tick: Tick = no_tick) -> Examination:
        """Do what `examination` does, with progress."""
        if self._crops is None:
            self._crops = self._read_again(tick)
        return Examination(self._report, self._crops, self._entry)

    def _read_again(self, tick: Tick) -> dict[str, FaceCrops]:
        again = reread(self._report.video.sha256, self.path, self.settings, tick)
        moments = [(r.track.person, r.track.indices.tolist()) for r in again.report.tracks]
        if moments != [(r.track.person, r.track.indices.tolist()) for r in self._report.tracks]:
            raise UsageError(
                "the clip reads differently here than when it was analysed",
                show_name(self.path),
                "Analyse it again.",
            )
        return again.crops

    # -- showing it

    def __repr__(self) -> str:
        name = show_name(self.path)
        name = name if len(name) <= 40 else f"{name[:18]}…{name[-18:]}"
        who = f", person {self._report.decisive} of {len(self)}" if self._report.decisive else ""
        return f"Analysis({name!r}: {_in_short(self.verdict)}{who})"

    def __str__(self) -> str:
        """Return the analysis in sentences, a line each."""
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str | None:
        if self._shown_in is not None and self._shown_in == cards.notebook():
            return None  # `analyse` showed the card in this very cell
        return cards.analysis(self._report, self._crops)

    def shown_in(self, cell: int | None) -> None:
        """Remember the notebook cell in which the card was shown, so that it is not shown twice."""
        self._shown_in = cell


def _in_short(verdict: Verdict) -> str:
    if verdict.abstained or verdict.logit is None:
        return f"no verdict ({verdict.reason_code or 'nothing to judge'})"
    word, sign = ("forged", "≥") if verdict.is_fake else ("not called forged", "<")
    return f"{word}, logit {verdict.logit:.2f} {sign} {verdict.threshold:.2f}"


def settings_of(report: Report) -> Settings:
    """Return the settings that a report was made with, as far as it says."""
    known = report.settings
    return Settings(
        detector=known["detector"]["name"],
        device=str(known.get("device", "auto")),
        sampling=Sampling(**known["sampling"]),
        seed=int(known["seed"]),
        explain=not report.tracks or any(r.explanation is not None for r in report.tracks),
    )


def examine(path: Path, settings: Settings, cache: Cache | None, tick: Tick) -> Examination:
    """Walk the road of `toolkit.analysis.pipeline.examine` as the settings say."""
    return pipeline.examine(
        path,
        detector=settings.detector,
        device=settings.device,
        sampling=settings.sampling,
        explain=settings.explain,
        seed=settings.seed,
        cache=cache,
        tick=tick,
    )


def reread(sha256: str, path: Path, settings: Settings, tick: Tick) -> Examination:
    """Analyse a clip again, after making sure that it is the one that is meant.

    Raises
    ------
    UsageError
        If it is gone, or another file lies there.
    """
    digest = cached.digest(path, tick=tick)
    if digest != sha256:
        cause = "the clip is gone" if digest is None else "another file lies where the clip was"
        remedy = "Put it back, or say where it is now: toolkit.open_analysis(folder, clip=...)."
        raise UsageError(cause, show_name(path), remedy)
    return examine(path, settings, Cache(keeps="nothing"), tick)


def read_folder(folder: Path, clip: Path | None, tick: Tick) -> Analysis:
    """Return the analysis that a folder holds; see `toolkit.open_analysis`."""
    from toolkit.casework import archive

    data = _read_json(folder / DATA)
    try:
        sha256 = str(data["video"]["sha256"])
        where = clip or _find_clip(folder, data)
        settings = _settings(data)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "this folder holds no analysis", str(folder / DATA), "Name what `save` wrote."
        ) from error
    if not (folder / FACES).is_file():  # the command line, and save(faces=False), keep no faces
        again = reread(sha256, where, settings, tick)
        _compare(data, again.report)
        return Analysis.of(again, settings)
    try:
        kept = archive.read((folder / FACES).read_bytes())
    except ShapeError as error:
        raise UsageError(
            "the faces of this analysis cannot be read",
            str(folder / FACES),
            "Remove that file to have the clip read again.",
        ) from error
    if kept.report.video.sha256 != sha256:
        remedy = "Remove it to have the clip read again."
        raise UsageError("these faces are of another analysis", str(folder / FACES), remedy)
    video = dataclasses.replace(kept.report.video, path=where)
    report = dataclasses.replace(kept.report, video=video)
    return Analysis(report, kept.crops, settings)


def _compare(data: dict[str, Any], report: Report) -> None:
    before, now = data["verdict"]["logit"], report.verdict.logit
    if (before is None) != (now is None) or (now is not None and abs(now - before) > _NEAR):
        text = f"the clip was read again and scores {now} here, {before} in {DATA}"
        warnings.warn(text, ToolkitWarning, stacklevel=4)


def _find_clip(folder: Path, data: dict[str, Any]) -> Path:
    """Return where the clip is said to be: as given then, or where that was on the disk."""
    given = Path(data["video"]["path"])
    try:
        absolute = Path(_read_json(folder / RUN)["clip"])
    except (UsageError, KeyError, TypeError):
        absolute = given
    return given if given.is_file() and not absolute.is_file() else absolute


def _settings(data: dict[str, Any]) -> Settings:
    known = data["settings"]
    return Settings(
        detector=str(known["detector"]["name"]),
        device=str(known.get("device", "auto")),
        sampling=Sampling(**known["sampling"]),
        seed=int(known["seed"]),
        explain=not data["tracks"] or any(t["shares"] is not None for t in data["tracks"]),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            "this folder holds no analysis", str(path), "Name what `save` wrote."
        ) from error
    return content if isinstance(content, dict) else {}
