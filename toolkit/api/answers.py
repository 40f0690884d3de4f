"""What questions to a verdict return: each shows itself in a notebook and in one line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit import figures
from toolkit._i18n import _
from toolkit.api import cards
from toolkit.figures import inquiry as words
from toolkit.types import REGIONS

if TYPE_CHECKING:
    from pandas import DataFrame

    from toolkit.analysis.robustness import Robustness
    from toolkit.explain.answers import FrameAnswer
    from toolkit.explain.ensemble import DetectorComparison, Ensemble
    from toolkit.explain.trust import Panel
    from toolkit.verdict.comparison import Comparison

LINE = 120
"""Longest repr."""


def _line(text: str) -> str:
    return text if len(text) <= LINE else text[: LINE - 2] + "…)"


class _Sentences:
    """An answer that is told in sentences."""

    @property
    def sentences(self) -> list[str]:
        """What it says, in the language in use."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        first, *rest = self.sentences
        return cards.wrap(cards.head("•", first), cards.lines(rest))


@dataclass(frozen=True, eq=False, repr=False)
class Replacement(_Sentences):
    """One frame with regions replaced by those of a genuine frame, judged again.

    Attributes
    ----------
    person, regions
        Whose face, and what was replaced.
    row, at_seconds
        The judged moment that is nearest to the one asked for.
    before, after
        The frame's logit; `after` is None where no reference passed its tests.
    threshold
        At or above it the frame speaks for forged.
    picture, original
        The face with and without, (S, S, 3) RGB uint8; `picture` is None where `after` is. For
        analysis only: it is no picture that anybody took.
    reference
        Kind of the reference, or None.
    """

    person: str
    regions: tuple[str, ...]
    row: int
    at_seconds: float
    before: float
    after: float | None
    threshold: float
    picture: NDArray[Any] | None
    original: NDArray[Any]
    reference: str | None
    _sentence: str = field(default="")

    @property
    def change(self) -> float | None:
        """What the replacement moves, in logits; None where there is none."""
        return None if self.after is None else self.after - self.before

    @property
    def turned(self) -> bool:
        """Whether this frame falls below the threshold by it."""
        return self.after is not None and self.before >= self.threshold > self.after

    @property
    def sentences(self) -> list[str]:
        """What it says, in the language it was asked in."""
        at = _("Person {person} at {time}.").format(
            person=self.person, time=figures.clock(self.at_seconds, 2)
        )
        return [self._sentence, at]

    def __repr__(self) -> str:
        after = "no valid reference" if self.after is None else f"→ {self.after:.2f}"
        where = f"{self.person} at {self.at_seconds:.2f} s"
        return _line(
            f"Replacement({where}, {'+'.join(self.regions)}: logit {self.before:.2f} {after}, "
            f"threshold {self.threshold:.2f})"
        )

    def _repr_html_(self) -> str:
        shown = [(self.original, _("as it is: {logit}").format(logit=_logit(self.before)))]
        if self.picture is not None and self.after is not None:
            text = _("replaced, for analysis only: {logit}")
            shown.append((self.picture, text.format(logit=_logit(self.after))))
        first, *rest = self.sentences
        return cards.wrap(
            cards.head("•", first), cards.lines(rest, small=True), cards.pictures(shown)
        )


@dataclass(frozen=True, eq=False, repr=False)
class Witnesses(_Sentences):
    """What both explanations say of one frame: by construction, and by intervention.

    Attributes
    ----------
    answer
        All that is known (`toolkit.explain.answers.FrameAnswer`).
    intrinsic, perturbation
        Share of each region by name, in logits; None where that one cannot say.
    """

    person: str
    threshold: float
    answer: FrameAnswer

    @property
    def intrinsic(self) -> dict[str, float] | None:
        """Read from the network's own sum."""
        return _named(self.answer.intrinsic)

    @property
    def perturbation(self) -> dict[str, float] | None:
        """Found by replacing regions; None where no reference passed its tests."""
        return _named(self.answer.named_shares)

    @property
    def sentences(self) -> list[str]:
        """What it says, in the language in use."""
        return [words.frame_witness_sentence(self.answer, self.threshold)]

    def to_dataframe(self) -> DataFrame:
        """Return a pandas table: a row per region, a column per witness."""
        import pandas as pd

        columns = {
            "intrinsic": self.intrinsic,
            "perturbation": self.perturbation,
        }
        return pd.DataFrame(
            {k: [float("nan") if v is None else v[p] for p in REGIONS] for k, v in columns.items()},
            index=pd.Index(REGIONS, name="region"),
        )

    def __repr__(self) -> str:
        def top(shares: dict[str, float] | None) -> str:
            if shares is None:
                return "says nothing"
            name = max(shares, key=lambda region: shares[region])
            return f"{name} {shares[name]:+.2f}"

        return _line(
            f"Witnesses({self.person} at {self.answer.at_s:.2f} s: construction "
            f"{top(self.intrinsic)}, intervention {top(self.perturbation)})"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Trust(_Sentences):
    """How far an explanation can be trusted: tests of it on one frame.

    Attributes
    ----------
    panel
        All figures (`toolkit.explain.trust.Panel`).
    """

    person: str
    at_seconds: float
    panel: Panel

    @property
    def figures(self) -> dict[str, bool | None]:
        """Each test by its stable name: whether it speaks for the explanation; None = neither."""
        return {f.name: f.reads_well for f in self.panel.figures}

    @property
    def sentences(self) -> list[str]:
        """What the tests say, in the language in use."""
        return [words.trust_summary(self.panel.figures), *(f.sentence for f in self.panel.figures)]

    def __repr__(self) -> str:
        well = sum(f.reads_well is True for f in self.panel.figures)
        n = len(self.panel.figures)
        return f"Trust({self.person} at {self.at_seconds:.2f} s: {well} of {n} tests read well)"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{words.sign(f.reads_well)}</td><td>{escape(words.trust_name(f))}</td>"
            f'<td style="text-align:left">{escape(f.sentence)}</td></tr>'
            for f in self.panel.figures
        )
        return cards.wrap(cards.head("•", self.sentences[0]), f"<table>{rows}</table>")


@dataclass(frozen=True, eq=False, repr=False)
class RecordingComparison(_Sentences):
    """A person beside material that is known to be genuine.

    Attributes
    ----------
    comparison
        All figures (`toolkit.verdict.comparison.Comparison`).
    """

    comparison: Comparison

    @property
    def difference(self) -> float:
        """Logit of the questioned side less that of the known one."""
        return self.comparison.difference

    @property
    def limit(self) -> float | None:
        """How far apart halves of genuine recordings lie; None where nobody measured."""
        return self.comparison.limit

    @property
    def is_higher(self) -> bool | None:
        """Whether the difference lies above the limit, which speaks for forged; None = no limit."""
        return self.comparison.is_higher

    @property
    def sentences(self) -> list[str]:
        """What it says, in the language in use."""
        return figures.comparison_sentences(self.comparison)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return self.comparison.to_dict()

    def __repr__(self) -> str:
        limit = "no limit known" if self.limit is None else f"limit {self.limit:.2f}"
        person = self.comparison.questioned.person
        return f"RecordingComparison(person {person}: {self.difference:+.2f} logit, {limit})"


@dataclass(frozen=True, eq=False, repr=False)
class DetectorsCompared(_Sentences):
    """Several detectors on one person of one clip.

    Attributes
    ----------
    comparison
        All figures (`toolkit.explain.ensemble.DetectorComparison`).
    person
        Letter.
    """

    comparison: DetectorComparison
    person: str

    @property
    def ledger(self) -> Ensemble | None:
        """The sum of their standardised mean; None where a scale was not measured."""
        return self.comparison.ledger

    @property
    def _titles(self) -> dict[str, str]:
        from toolkit.figures.detectors import title_of

        return {name: title_of(name) for name in self.comparison.names}

    @property
    def sentences(self) -> list[str]:
        """What it says, in the language in use."""
        from toolkit.figures import detectors_beside as words

        found, titles = self.comparison, self._titles
        return [*words.beside_sentences(found, titles), *words.ledger_sentences(found, titles)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; what is unknown is None."""
        found = self.comparison
        unknown = np.isnan(found.margins)
        return {
            "person": self.person,
            "detectors": [
                {
                    "name": name,
                    "logit": logit,
                    "threshold": threshold,
                    "scale": None if scale is None else dataclasses.asdict(scale),
                    "margins": [None if u else float(m) for m, u in zip(row, gone, strict=True)],
                    "shares": shares.tolist(),
                }
                for name, logit, threshold, scale, row, gone, shares in zip(
                    found.names,
                    found.logits,
                    found.thresholds,
                    found.scales.values(),
                    found.margins,
                    unknown,
                    found.shares,
                    strict=True,
                )
            ],
            "seconds": found.seconds.tolist(),
            "players": [*REGIONS, "unsplit"],
            "same_side": found.same_side.tolist(),
            "correlation": [
                [None if np.isnan(v) else float(v) for v in row] for row in found.correlation
            ],
            "ledger": None if found.ledger is None else _ledger_dict(found.ledger),
        }

    def _repr_html_(self) -> str:
        from toolkit.figures.detectors_beside import beside_html

        return beside_html(self.comparison, self._titles)

    def __repr__(self) -> str:
        who = ", ".join(self.comparison.names)
        mean = "no common scale" if self.ledger is None else f"mean {self.ledger.logit:+.2f}"
        return f"DetectorsCompared(person {self.person}: {who}; {mean})"


def _ledger_dict(ledger: Ensemble) -> dict[str, Any]:
    return {
        "logit": ledger.logit,
        "reference": ledger.reference,
        "residual": ledger.residual,
        "members": [
            {
                "name": m.name,
                "z": m.z,
                "reference": m.reference,
                "times": m.times.tolist(),
                "shares": m.shares.tolist(),
            }
            for m in ledger.members
        ],
    }


@dataclass(frozen=True, eq=False, repr=False)
class Reshared(_Sentences):
    """What becomes of the verdicts after cropping, scaling and coding again.

    Attributes
    ----------
    robustness
        All outcomes (`toolkit.analysis.robustness.Robustness`).
    """

    robustness: Robustness

    @property
    def sentences(self) -> list[str]:
        """What it says, in the language in use."""
        return self.robustness.lines() or [_("Nobody was judged.")]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return self.robustness.to_dict()

    def to_dataframe(self) -> DataFrame:
        """Return a pandas table: a row per chain and person."""
        import pandas as pd

        columns = ("chain", "person", "verdict", "logit", "threshold", "reason_code", "holds")
        return pd.DataFrame(self.to_dict()["outcomes"], columns=list(columns))

    def __repr__(self) -> str:
        outcomes = self.robustness.outcomes
        held, failed = sum(o.holds for o in outcomes), len(self.robustness.failed)
        more = f", {failed} chains could not be tried" if failed else ""
        return f"Reshared({held} of {len(outcomes)} verdicts hold{more})"


def _named(shares: NDArray[Any] | None) -> dict[str, float] | None:
    return None if shares is None else dict(zip(REGIONS, shares.tolist(), strict=True))


def _logit(value: float) -> str:
    return _("logit {value}").format(value=figures.number(value))
