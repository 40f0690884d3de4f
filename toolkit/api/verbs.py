"""The calls of `toolkit`: analyse, open, explain, compare, try re-shares."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from toolkit.api import cards
from toolkit.api.answers import RecordingComparison, Reshared
from toolkit.api.result import Analysis, examine, read_folder
from toolkit.api.session import ExplanationSession
from toolkit.errors import UsageError
from toolkit.jobs import TerminalLine
from toolkit.types import Settings, Tick, no_tick

Clip = str | os.PathLike[str]


def analyse(
    video: Clip,
    *,
    settings: Settings | None = None,
    keep: bool = False,
    progress: bool = True,
    **overrides: Any,
) -> Analysis:
    """Judge everybody in a video, and say which frames and regions drove the verdict.

    In a notebook a progress bar is shown, and then the card of the result; the stop button
    cancels. On a terminal one line tells how far it is.

    Parameters
    ----------
    video
        A local file.
    settings
        How; None = the defaults.
    keep
        Whether to keep what is read on this computer (face pictures!), as the workbench does, so
        that the same clip is there in a moment the next time.
    progress
        Whether to show anything meanwhile.
    **overrides
        Fields of `Settings` or `Sampling`: ``device="cpu"``, ``frames=32``, ``detector="meso4"``.

    Returns
    -------
    Analysis
        A verdict or an abstention with its reason; ``analysis["A"]`` is a person.

    Raises
    ------
    VideoError
        If the file cannot be read as video.
    UnknownNameError, UsageError, DetectorError, ModelError
        If a setting does not fit, or the installation is not in order.

    Examples
    --------
    ::

        analysis = toolkit.analyse("clip.mp4", frames=32)
        analysis.verdict.is_fake, analysis["A"].regions["mouth"].share
    """
    from toolkit.storage.cache import Cache, runs_folder

    chosen = (settings or Settings()).but(**overrides)
    cache = Cache(runs_folder() / "cache") if keep else None
    with _progress(progress) as tick:
        analysis = Analysis.of(examine(Path(video).expanduser(), chosen, cache, tick), chosen)
        if (show := getattr(tick, "show", None)) is not None:
            show(analysis)  # the card takes the place of the bar
    return analysis


def open_analysis(folder: Clip, *, clip: Clip | None = None, progress: bool = True) -> Analysis:
    """Open what `Analysis.save`, or ``python -m toolkit analyse --out``, wrote.

    What the folder holds is there at once. Where it holds no faces, the clip is read again: at
    once after the command line, which keeps the report only, and after ``save(faces=False)``.

    Parameters
    ----------
    folder
        As it was saved.
    clip
        Where the video is now; None = where it was. Its hash must be the same.
    progress
        Whether to show progress while the clip is read again.

    Raises
    ------
    UsageError
        If it holds no analysis; or its faces were not kept and the clip is gone or another one.
    """
    where = None if clip is None else Path(clip).expanduser()
    with _progress(progress) as tick:
        return read_folder(Path(folder).expanduser(), where, tick)


def explain(
    analysis: Analysis,
    person: str | None = None,
    *,
    donors: Sequence[Clip] | None = None,
    progress: bool = True,
) -> ExplanationSession:
    """Question a verdict: replace regions, hear both witnesses, test the explanation.

    Parameters
    ----------
    analysis
        From `analyse` or `open_analysis`.
    person
        Letter; None = the one who decides the clip's verdict.
    donors
        Genuine clips of other people, to take faces from where the clip itself has no valid
        reference; None = the samples.
    progress
        Whether to show progress while something is asked.

    Returns
    -------
    ExplanationSession
        Ask it: ``.replace("mouth", at_seconds=4.2)``, ``.witnesses()``, ``.trust()``.

    Raises
    ------
    UnknownNameError
        If there is no such person; the error lists those there are.
    UsageError
        If the faces were not kept and the clip is gone.
    """
    _expect(analysis)
    clips = None if donors is None else [Path(d).expanduser() for d in donors]
    return ExplanationSession(analysis, person, donors=clips, progress=lambda: _progress(progress))


def compare(
    analysis: Analysis,
    known: Analysis | Clip | None = None,
    *,
    seconds: tuple[float, float] | None = None,
    person: str | None = None,
    progress: bool = True,
) -> RecordingComparison:
    """Hold a person against material that is known to be genuine.

    Parameters
    ----------
    analysis
        The clip in question.
    known
        Another recording of the same person: a file, or its analysis. None = this clip itself.
    seconds
        First and last second that are known to be genuine, of `known` or of this clip.
    person
        Letter; None = the one who decides the clip's verdict.
    progress
        Whether to show progress while `known` is read.

    Raises
    ------
    UnknownNameError
        If there is no such person.
    UsageError
        If nothing is known to be genuine, or the two cannot be compared; the error says why.
    """
    from toolkit.verdict import comparison

    _expect(analysis)
    if person is not None:
        person = analysis[person].letter
    with _progress(progress) as tick:
        mine = analysis.read_faces(tick=tick)
        if known is None or isinstance(known, Analysis):
            other = None if known is None else known.read_faces(tick=tick)
        else:
            alike = analysis.settings.but(explain=False)
            other = examine(Path(known).expanduser(), alike, None, tick)
    return RecordingComparison(comparison.compare(mine, other, seconds=seconds, person=person))


def robustness(
    analysis: Analysis, *, chains: Sequence[str] | None = None, progress: bool = True
) -> Reshared:
    """Crop, scale and code the clip again as re-shares do, and see whether the verdict holds.

    Parameters
    ----------
    analysis
        Its clip is read again from `Analysis.path`.
    chains
        Such as ``["crop10,scale480,crf28"]``; None = eleven that are usual (minutes).
    progress
        Whether to show progress.

    Raises
    ------
    UsageError
        If a chain cannot be read, or the clip is gone.
    """
    from toolkit.analysis import cached
    from toolkit.analysis.robustness import CHAINS, try_chains

    _expect(analysis)
    if cached.digest(analysis.path) != analysis.video.sha256:
        remedy = "Open the analysis with clip=... to say where it is now."
        raise UsageError("the clip is gone, or another file", analysis.path.name, remedy)
    with _progress(progress) as tick:
        outcome = try_chains(
            analysis.report,
            chains=CHAINS if chains is None else tuple(chains),
            detector=analysis.settings.detector,
            device=analysis.settings.device,
            tick=tick,
        )
    return Reshared(outcome)


def _expect(analysis: object) -> None:
    if not isinstance(analysis, Analysis):
        remedy = "Give what toolkit.analyse or toolkit.open_analysis returned."
        raise UsageError("this is no analysis", type(analysis).__name__, remedy)


def _progress(wanted: bool) -> AbstractContextManager[Tick]:
    if not wanted:
        return nullcontext(no_tick)
    if cards.notebook() is not None:
        from toolkit.widgets.progress import NotebookProgress

        return NotebookProgress()
    from toolkit import figures

    return TerminalLine(figures.stage_name)
