"""What a detector of stretches says, in words: which span each logit stands for, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toolkit._i18n import _
from toolkit.figures.sentences import clock, number, region_name
from toolkit.types import REGIONS, TrackResult

if TYPE_CHECKING:
    from toolkit.explain.spans import SpanAnswer


def spans_sentence(result: TrackResult) -> str:
    """Return what a logit of this detector stands for; empty for a detector of frames."""
    if not result.judges_spans:
        return ""
    spans = result.evidence.spans
    longest = int((spans[:, 1] - spans[:, 0] + 1).max())
    left = len(result.track.pts) - int(spans[:, 1].max()) - 1
    text = _(
        "This detector looks at stretches: each of its {n} logits stands for {moments} moments "
        "together. A region is replaced in a whole stretch, by the same region held still."
    ).format(n=len(spans), moments=longest)
    if left > 0:
        text += " " + _("The last {n} moments are too few for a stretch.").format(n=left)
    return text


def span_sentence(answer: SpanAnswer, threshold: float) -> str:
    """Return what one stretch scores, what it scores held still, and who moves it most."""
    values = {
        "start": clock(answer.start_s, 2),
        "end": clock(answer.end_s, 2),
        "logit": number(answer.logit, 2, signed=True),
        "still": number(answer.still_logit, 2, signed=True),
    }
    if not np.abs(answer.shares).max() > 0:
        text = _("{start} to {end}: logit {logit}; held still {still}. No movement changes it.")
        return text.format(**values)
    strongest = int(np.abs(answer.shares).argmax())
    turned = (answer.logit >= threshold) != (float(answer.without[strongest]) >= threshold)
    values |= {
        "region": region_name(REGIONS[strongest]),
        "share": number(float(answer.shares[strongest]), 2, signed=True),
        "after": number(float(answer.without[strongest]), 2, signed=True),
    }
    text = (
        _(
            "{start} to {end}: logit {logit}; held still {still}. Most from {region}, {share}; "
            "with it held still {after}: the stretch changes sides."
        )
        if turned
        else _(
            "{start} to {end}: logit {logit}; held still {still}. Most from {region}, {share}; "
            "with it held still {after}."
        )
    )
    return text.format(**values)


def span_lines(answers: Sequence[SpanAnswer], threshold: float) -> list[str]:
    """Return a sentence for each stretch, in order of time."""
    return [span_sentence(answer, threshold) for answer in answers]
