"""Which spatial frequencies carry the evidence: exact Shapley shares over bands of the face.

The difference between the crop and its reference is cut into bands by a chain of Gaussian blurs
(a Laplacian pyramid at full size: Burt and Adelson 1983, doi:10.1109/TCOM.1983.1095851). The bands
add up to the difference again, and their shares to ``logit - reference_logit``. Forgeries live in
bands that the eye hardly sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.detectors.base import Detector
from toolkit.errors import OutOfRangeError
from toolkit.explain import regions
from toolkit.explain.perturbation import WHOLE, score
from toolkit.faces.crops import face_width
from toolkit.forge.degrade import Picture, to_u8
from toolkit.types import FaceCrops, Tick, no_tick

BANDS = 6
FINEST = 0.7  # sigma of the first blur in crop pixels; each next one is twice as wide
_HALF = float(np.sqrt(np.log(2) / 2) / np.pi)  # cycles a pixel at which a blur of sigma 1 halves

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BandShares:
    """What each band of spatial frequencies carries, finest first.

    Attributes
    ----------
    shares : (B,) float64
        Exact Shapley shares; they add up to ``logit - reference_logit``.
    edges : (B - 1,) float64
        Frequencies between the bands, in cycles per face width, falling.
    logit, reference_logit
        All bands of the crop; none of them.
    table : (2^B,) float64
        All logits, band i being bit i.
    """

    shares: Float
    edges: Float
    logit: float
    reference_logit: float
    table: Float

    @property
    def residual(self) -> float:
        """``logit - reference_logit - sum of shares``: rounding only."""
        return self.logit - self.reference_logit - float(self.shares.sum())


def split(gap: NDArray[np.float32], bands: int = BANDS) -> NDArray[np.float32]:
    """Return a difference of pictures (S, S, 3) as bands (B, S, S, 3), finest first.

    They sum to `gap`: the last is what no blur took away.
    """
    rest, parts = gap, []
    for k in range(bands - 1):
        coarse = cv2.GaussianBlur(gap, (0, 0), FINEST * 2**k)
        parts.append(rest - coarse)
        rest = coarse
    return np.stack([*parts, rest])


def band_shares(
    detector: Detector,
    crops: FaceCrops,
    position: int,
    reference: Picture,
    *,
    bands: int = BANDS,
    tick: Tick = no_tick,
) -> BandShares:
    """Replace bands of the crop by the reference's, in all 2^B ways.

    Parameters
    ----------
    detector
        Any that gives a logit per crop.
    crops, position
        The frame.
    reference : (S, S, 3) uint8
        What a missing band is taken from.
    bands
        B, 2 to 8: 2^B passes.

    Raises
    ------
    UsageError
        If the number of bands is out of range.
    Cancelled
        Within one batch.
    """
    if not 2 <= bands <= 8:
        raise OutOfRangeError("the number of bands is out of range", f"{bands}", "Use 2 to 8.")
    base = reference.astype(np.float32)
    parts = split(crops.rgb[position].astype(np.float32) - base, bands)
    batch = detector.batch or WHOLE
    table = np.empty(1 << bands)
    for lo in range(0, len(table), batch):
        tick("bands", lo, len(table))
        masks = np.arange(lo, min(lo + batch, len(table)))
        keep = (masks[:, None] >> np.arange(bands) & 1).astype(np.float32)
        pictures = to_u8(base + np.tensordot(keep, parts, axes=1))
        table[masks] = score(detector, crops, position, pictures)
    tick("bands", len(table), len(table))
    width = face_width(crops.mesh[position])
    return BandShares(
        shares=regions.shapley(table),
        edges=np.asarray(_HALF * width / (FINEST * 2.0 ** np.arange(bands - 1)), np.float64),
        logit=float(table[-1]),
        reference_logit=float(table[0]),
        table=table,
    )
