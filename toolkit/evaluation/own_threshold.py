"""The threshold of a detector, measured on genuine clips of the user's own.

A published threshold belongs to other cameras, other coders and another crop. What can be measured
without a single forgery is how high genuine clips lie: the threshold is put where at most a chosen
share of clips like these would lie at or above it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.analysis.pipeline import examine
from toolkit.detectors import added
from toolkit.detectors import measured as measured_here
from toolkit.detectors.base import Detector
from toolkit.detectors.listing import added_names
from toolkit.detectors.recipe import Measured
from toolkit.errors import Cancelled, OutOfRangeError, ToolkitError, UsageError
from toolkit.evaluation.verdicts.benchmark import speaking
from toolkit.messages import phrase
from toolkit.types import Sampling, Tick, no_tick

SHARE = 0.05
CLIPS_MIN = 10
RESAMPLES = 2000
SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m4v"})


@dataclass(frozen=True)
class Threshold:
    """A threshold, how it was measured, and what could not be.

    Attributes
    ----------
    value
        Fake logit.
    measured
        Facts that are kept with it.
    logits
        Of each clip that got one, by name.
    refused
        Why each other clip got none, by name.
    promised
        The smallest share of clips like these that so few clips can hold back.
    """

    value: float
    measured: Measured
    logits: dict[str, float]
    refused: dict[str, str]

    @property
    def promised(self) -> float:
        """The smallest share that this number of clips supports: 1 / (n + 1)."""
        return 1 / (self.measured.clips + 1)


def find_clips(folder: Path) -> list[Path]:
    """Return the video files in a folder and below it, in order.

    Raises
    ------
    UsageError
        If there are fewer than `CLIPS_MIN`.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", str(folder), "Give a folder with genuine clips.")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if len(found) < CLIPS_MIN:
        raise _too_few(len(found))
    return found


def _too_few(n: int) -> UsageError:
    return UsageError(
        "there are too few genuine clips",
        phrase("{n} clips", n=n),
        "Give at least {least}; 100 of different people and cameras are better.",
        least=CLIPS_MIN,
    )


def place_threshold(logits: ArrayLike, *, share: float = SHARE) -> tuple[float, float, float]:
    """Return the threshold for logits of genuine clips, and its 90 % interval.

    It lies just above the order statistic at which at most `share` of further clips of the same
    kind are expected at or above it; with too few clips for that, just above the highest.

    Parameters
    ----------
    logits : (N,) array
        One per clip.
    share
        Above 0, below 1.

    Examples
    --------
    >>> value, low, high = place_threshold(range(99), share=0.05)
    >>> round(value, 6), low <= value <= high
    (94.0, True)
    """
    if not 0 < share < 1:
        raise OutOfRangeError("the share is out of range", f"{share}", "Use 0 to 1, say 0.05.")
    values = np.sort(np.asarray(logits, np.float64))

    def quantile(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        n = rows.shape[-1]
        at = min(n, math.ceil((n + 1) * (1 - share))) - 1
        return np.asarray(np.sort(rows, axis=-1)[..., at])

    value = float(np.nextafter(float(quantile(values)), np.inf))
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(quantile(values[draws]), [0.05, 0.95]).tolist()
    return value, min(low, value), max(high, value)


def measure(
    detector: Detector,
    clips: Sequence[Path],
    *,
    share: float = SHARE,
    sampling: Sampling | None = None,
    on_clip: Callable[[str, float | None], None] = lambda _name, _logit: None,
    tick: Tick = no_tick,
) -> Threshold:
    """Judge genuine clips and put the threshold above them.

    Parameters
    ----------
    detector
        Whose threshold it will be.
    clips
        Genuine ones, best of many people and cameras.
    share
        Of genuine clips that may be called forged, at most.
    sampling
        As for `analyse`.
    on_clip
        Called after each clip with its name and logit; None = it got none.
    tick
        Stage ``"threshold"``, in clips.

    Raises
    ------
    UsageError
        If fewer than `CLIPS_MIN` of them get a logit.
    Cancelled
        Between two clips.
    """
    logits: dict[str, float] = {}
    refused: dict[str, str] = {}
    for done, path in enumerate(clips):
        tick("threshold", done, len(clips))
        logit = None
        try:
            report = examine(path, detector=detector, sampling=sampling, explain=False).report
            person = speaking(report)
            logit = None if person is None else person.verdict.logit
            if logit is None:
                refused[path.name] = str(report.verdict.reason or "")
            else:
                logits[str(path)] = logit
        except Cancelled:
            raise
        except ToolkitError as error:
            refused[path.name] = str(error)
        on_clip(path.name, logit)
    tick("threshold", len(clips), len(clips))
    if len(logits) < CLIPS_MIN:
        raise _too_few(len(logits))
    values = list(logits.values())
    value, low, high = place_threshold(values, share=share)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    measured = Measured(len(logits), share, low, high, today, mean, deviation)
    return Threshold(value, measured, logits, refused)


def keep(detector: Detector, threshold: Threshold) -> bool:
    """Keep what was measured; return whether verdicts use the threshold from now on.

    A detector whose own threshold was measured before it came here keeps it. Of that one only the
    scale is kept: how its logits of genuine clips lie.

    Raises
    ------
    ModelError
        If what is kept cannot be read.
    """
    card = detector.card
    if card.name in added_names():
        recipe = added.read(card.name)
        added.set_recipe(
            dataclasses.replace(recipe, threshold=threshold.value, measured=threshold.measured)
        )
        return True
    before = measured_here.find(card.name, card.weights_sha256)
    measure = measured_here.OwnMeasure(card.weights_sha256, threshold.value, threshold.measured)
    measured_here.keep(card.name, measure)
    return not card.threshold_measured or before is not None
