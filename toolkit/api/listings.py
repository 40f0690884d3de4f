"""Regions, frames and intervals of one person: sequences that show themselves and make tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from toolkit import figures
from toolkit._i18n import _
from toolkit.api import cards
from toolkit.errors import UnknownNameError
from toolkit.types import REGIONS, TrackResult

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

T = TypeVar("T")


@dataclass(frozen=True)
class Region:
    """The share of one region, summed over all frames.

    Attributes
    ----------
    rank
        1 = the largest share.
    name
        From `toolkit.REGIONS`; left and right are the subject's.
    share
        Logits; positive speaks for forged.
    """

    rank: int
    name: str
    share: float


@dataclass(frozen=True)
class FrameShare:
    """One judged moment.

    Attributes
    ----------
    row
        Its place in the track, from 0.
    frame_index
        The frame's number in the video.
    at_seconds
        Its presentation time.
    logit
        The detector's evidence in this frame.
    share
        Its part of the verdict, in logits; None in an analysis without explanation.
    """

    row: int
    frame_index: int
    at_seconds: float
    logit: float
    share: float | None


@dataclass(frozen=True)
class StretchRow:
    """A stretch of time above the threshold, and its part of the evidence there, 0..1."""

    start_seconds: float
    end_seconds: float
    share: float


class Listing(Sequence[T], Generic[T]):
    """A sequence of small records, all of one kind."""

    kind: type

    def __init__(self, records: Sequence[T]) -> None:
        self._records = tuple(records)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[T]:
        return iter(self._records)

    def __getitem__(self, index: Any) -> Any:
        return self._records[index]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return plain values, a dictionary per record."""
        return [dataclasses.asdict(record) for record in self._records]  # type: ignore[call-overload]

    def to_dataframe(self) -> DataFrame:
        """Return a pandas table, a row per record; with its columns also where there is none."""
        import pandas as pd

        columns = [f.name for f in dataclasses.fields(self.kind)]
        return pd.DataFrame(self.to_dicts(), columns=columns)

    def _cells(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return heads and rows as a reader is shown them."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return cards.table(*self._cells())


class Regions(Listing[Region]):
    """The ten regions of a person's face, ranked by their share.

    They add up: ``reference + sum of shares + unsplit = logit``.

    Attributes
    ----------
    reference
        Logit of what stands for 'nothing forged'.
    unsplit
        The part that no region carries.
    logit
        The person's verdict.
    may_be_named
        Whether the verdict is 'forged' and the reference passed its test. Where not, the shares
        only say how the sum is made up.
    """

    kind = Region

    def __init__(self, result: TrackResult) -> None:
        explanation = result.explanation
        assert explanation is not None
        shares = explanation.region_shares
        order = np.argsort(-shares, kind="stable").tolist()
        super().__init__(
            [Region(n, REGIONS[i], float(shares[i])) for n, i in enumerate(order, start=1)]
        )
        self._result = result
        self.reference = explanation.reference_logit
        self.unsplit = float(explanation.unsplit.sum())
        self.logit = self.reference + float(explanation.frame_shares.sum())
        self.may_be_named = figures.top_region(result) is not None

    def __getitem__(self, index: Any) -> Any:
        """Return a region by its rank from 0, or by its name."""
        if not isinstance(index, str):
            return super().__getitem__(index)
        match = next((region for region in self if region.name == index), None)
        if match is None:
            raise UnknownNameError(
                "there is no such region", index, "Known: {known}.", known=REGIONS
            )
        return match

    def figure(self) -> Figure:
        """Return the shares as a bar chart (Plotly)."""
        return figures.region_bars(self._result)

    def __repr__(self) -> str:
        top = ", ".join(f"{r.name} {r.share:+.2f}" for r in self[:3])
        unsplit = round(self.unsplit, 2) + 0.0  # never -0.00
        rest = f"unsplit {unsplit:+.2f}; reference {self.reference:+.2f} = {self.logit:.2f}"
        return f"Regions({top}, … {rest})"

    def _cells(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        def row(name: str, share: float) -> tuple[str, str]:
            return name, figures.number(share, signed=True)

        rows = [row(figures.reference_name(self._kind()), self.reference)]
        rows += [row(figures.region_name(r.name), r.share) for r in self]
        rows += [row(_("not divided"), self.unsplit), row(_("logit"), self.logit)]
        return (_("region"), _("share (logit)")), list(rows)

    def _repr_html_(self) -> str:
        note = [] if self.may_be_named else [figures.region_sentence(self._result)]
        return cards.wrap(cards.lines(note), super()._repr_html_())

    def _kind(self) -> str:
        assert self._result.explanation is not None
        return self._result.explanation.reference_kind


class Frames(Listing[FrameShare]):
    """The judged moments of a person, in order of time."""

    kind = FrameShare

    def __init__(self, result: TrackResult) -> None:
        track, spans = result.track, result.evidence.spans[:, 0]
        shares = None if result.explanation is None else result.explanation.frame_shares.tolist()
        logits = result.evidence.logits.tolist()
        super().__init__(
            [
                FrameShare(
                    row,
                    int(track.indices[row]),
                    float(track.pts[row]),
                    logits[i],
                    None if shares is None else shares[i],
                )
                for i, row in enumerate(spans.tolist())
            ]
        )
        self._result = result

    @property
    def strongest(self) -> FrameShare:
        """The moment with the most evidence."""
        return max(self, key=lambda frame: frame.logit)

    def figure(self) -> Figure:
        """Return the evidence over time (Plotly)."""
        return figures.evidence_curve(self._result)

    def __repr__(self) -> str:
        if not self:
            return "Frames(none)"
        top = self.strongest
        return f"Frames({len(self)}, strongest at {top.at_seconds:.2f} s: logit {top.logit:.2f})"

    def _cells(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows = [
            (
                figures.clock(f.at_seconds, 2),
                str(f.frame_index),
                figures.number(f.logit),
                "–" if f.share is None else figures.number(f.share, signed=True),
            )
            for f in self
        ]
        return (_("time"), _("frame"), _("logit"), _("share (logit)")), list(rows)


class Intervals(Listing[StretchRow]):
    """The stretches of time that speak for forged, strongest first."""

    kind = StretchRow

    def __init__(self, result: TrackResult) -> None:
        assert result.explanation is not None
        intervals = result.explanation.intervals
        super().__init__([StretchRow(i.start_s, i.end_s, i.share) for i in intervals])

    def __repr__(self) -> str:
        parts = [f"{i.start_seconds:.2f}–{i.end_seconds:.2f} s {i.share:.0%}" for i in self[:4]]
        more = [f"… {len(self)} in all"] if len(self) > len(parts) else []
        return f"Intervals({', '.join([*parts, *more]) or 'none'})"

    def _cells(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows = [
            (
                figures.clock(i.start_seconds, 2),
                figures.clock(i.end_seconds, 2),
                figures.number(100 * i.share, 0) + " %",
            )
            for i in self
        ]
        return (_("from"), _("to"), _("part of the evidence")), list(rows)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
