"""Short clips for a class, made on the spot from the samples: genuine, planted, swapped, re-shared.

Every clip, genuine ones too, gets the same strip of words above the picture, "may be synthetic", so
that no clip travels without a warning and the warning gives no answer away. The strip lies outside
the picture. All clips are coded alike at the end.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media, samples
from toolkit.errors import UsageError
from toolkit.faces.crops import face_width
from toolkit.faces.regions import OVAL
from toolkit.forge import expression, swap
from toolkit.forge.plant import KINDS, FaceFinder, forged_mask
from toolkit.forge.selfblend import PARTS, blend, hull_mask
from toolkit.lessons.tally import FACE
from toolkit.media.reshare import reshare
from toolkit.types import Tick, Video, no_tick

Picture = NDArray[np.uint8]
Kind = Literal["genuine", "planted", "swapped"]
KINDS_OF_CLIP: tuple[Kind, ...] = ("genuine", "planted", "swapped")

SECONDS = 2.4
CRF = 21
LINES_MAX = 360
"""Height of a clip for a class: it travels inside a page."""
STRIP_WORDS = "LESSON - MAY BE SYNTHETIC"
CHAINS = ("scale240,crf30", "crop10,crf28,crf28", "screen,crf26", "caption,scale240,crf28")
"""What happens to clips that are sent on and on."""
GALLERY_FACES = 60
_STRENGTHS = (1.0, 1.6, 2.3, 3.0)
_CAREFUL = (0.3, 0.5)
"""Strengths of plants that leave hardly a trace."""


@dataclass(frozen=True)
class Plan:
    """How a clip is made.

    Attributes
    ----------
    sample, start_s
        What it shows: a stretch of a sample.
    kind
        ``"genuine"``, ``"planted"`` or ``"swapped"``.
    regions, strength
        Of a plant: parts of the face, and how strongly they are changed.
    faces
        Of a swap: the sample whose face is put on.
    chain
        Re-share chain at the end; empty = none.
    """

    sample: str
    start_s: float
    kind: Kind
    regions: tuple[str, ...] = ()
    strength: float = 0.0
    faces: str = ""
    chain: str = ""

    @property
    def forged_regions(self) -> frozenset[str]:
        """Players that are forged; empty for a genuine clip."""
        return {"genuine": frozenset(), "planted": frozenset(self.regions), "swapped": FACE}[
            self.kind
        ]


def sources(*, seconds: float = SECONDS) -> list[str]:
    """Return the genuine samples on this machine that are long enough."""
    planted_id = samples.planted().id
    return [
        n for n in samples.names(present=True) if n != planted_id and _length(n) >= seconds + 0.5
    ]


@functools.lru_cache(maxsize=32)
def _probed(name: str) -> Video:
    return media.probe(samples.path(name))


def _length(name: str) -> float:
    pts = _probed(name).pts
    return float(pts[-1] - pts[0])


def draw(
    kind: Kind, rng: np.random.Generator, names: Sequence[str], *, reshared: bool = False
) -> Plan:
    """Draw a plan at random.

    Parameters
    ----------
    kind
        What to make. A swap needs two samples; with one, a plant is drawn.
    names
        Samples to draw from, see `sources`.
    reshared
        Whether the clip goes along a re-share chain.
    """
    if not names:
        raise UsageError("there are no sample clips", "", "Run 'python start.py setup'.")
    sample = str(rng.choice(list(names)))
    start = float(rng.uniform(0, _length(sample) - SECONDS - 0.2))
    chain = str(rng.choice(CHAINS)) if reshared else ""
    others = [n for n in names if not _same_person(n, sample)]
    if kind == "swapped" and others:
        return Plan(sample, start, kind, faces=str(rng.choice(others)), chain=chain)
    if kind == "genuine":
        return Plan(sample, start, kind, chain=chain)
    count = int(rng.choice([1, 1, 2]))
    regions = tuple(sorted(rng.choice(list(PARTS), count, replace=False).tolist()))
    strength = float(rng.choice(_CAREFUL if rng.random() < 0.3 else _STRENGTHS))
    return Plan(sample, start, "planted", regions, strength, chain=chain)


def _same_person(a: str, b: str) -> bool:
    """Return whether two samples show the same man: these are the ones whose names begin alike."""
    return a[:3] == b[:3]


def make(plan: Plan, out: Path, *, tick: Tick = no_tick) -> None:
    """Write the clip of a plan, with its strip of words; about `SECONDS` long.

    Raises
    ------
    VideoError, UsageError
        If the stretch shows no face where one must be forged.
    """
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        raw, sent = Path(folder, "raw.mp4"), Path(folder, "sent.mp4")
        pictures, pts = _pictures(plan, tick)
        media.write_h264(raw, pictures, pts, crf=16)
        if plan.chain:
            reshare(raw, sent, plan.chain, tick=tick)
        video = media.probe(sent if plan.chain else raw)
        shown = (with_strip(_at_most(f.rgb)) for f in media.read(video, np.arange(len(video.pts))))
        media.write_h264(out, shown, video.pts - video.pts[0], crf=CRF)


def _stretch(plan: Plan) -> tuple[Video, NDArray[np.int64], NDArray[np.float64]]:
    video = _probed(plan.sample)
    times = video.pts - video.pts[0]
    wanted = np.flatnonzero((times >= plan.start_s) & (times <= plan.start_s + SECONDS))
    return video, wanted.astype(np.int64), times[wanted] - times[wanted[0]]


def _pictures(plan: Plan, tick: Tick) -> tuple[Iterator[Picture], NDArray[np.float64]]:
    video, wanted, pts = _stretch(plan)
    if plan.kind == "swapped":
        return _swapped(plan, video, wanted, tick), pts
    if plan.kind == "planted":
        return _planted(plan, video, wanted), pts
    return (f.rgb for f in media.read(video, wanted)), pts


def _planted(plan: Plan, video: Video, wanted: NDArray[np.int64]) -> Iterator[Picture]:
    find = FaceFinder()
    for frame in media.read(video, wanted):
        mesh = find(frame.rgb)
        yield frame.rgb if mesh is None else plant_frame(frame.rgb, mesh, plan)


def plant_frame(rgb: Picture, mesh: NDArray[np.floating], plan: Plan) -> Picture:
    """Return one frame with the plan's plant in it."""
    mask = forged_mask(mesh, (rgb.shape[0], rgb.shape[1]), plan.regions)
    source = KINDS["blend"](rgb, face_width(mesh), plan.strength)
    return blend(source, rgb, mask, min(1.0, plan.strength))


def _swapped(plan: Plan, video: Video, wanted: NDArray[np.int64], tick: Tick) -> Iterator[Picture]:
    gallery = gallery_of(plan.faces)
    first, last = (float(video.pts[i] - video.pts[0]) for i in (wanted[0], wanted[-1]))
    performance = swap.read_performance(video.path, start_s=first, end_s=last, tick=tick)
    chosen, _distances = swap.choose_faces(performance, gallery)
    mesh = swap.smooth_mesh(performance.mesh)
    for t, frame in enumerate(media.read(video, wanted)):
        if chosen[t] < 0:
            yield frame.rgb
            continue
        face = gallery.faces[int(chosen[t])]
        yield swap.swap_frame(frame.rgb, mesh[t], face, show=False).rgb


@functools.lru_cache(maxsize=4)
def gallery_of(name: str) -> expression.ExpressionGallery:
    """Return about `GALLERY_FACES` faces of a sample, evenly in time."""
    per_second = min(8.0, GALLERY_FACES / max(_length(name), 1.0))
    return expression.read_clip(samples.path(name), per_second=per_second)


def _at_most(rgb: Picture) -> Picture:
    height, width = rgb.shape[:2]
    if height <= LINES_MAX:
        return rgb
    size = (2 * round(width * LINES_MAX / height / 2), LINES_MAX)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def with_strip(rgb: Picture) -> Picture:
    """Return the picture with the strip of words above it: players cover what is below."""
    width = rgb.shape[1]
    high = max(18, 2 * round(0.035 * width))
    strip = np.zeros((high, width, 3), np.uint8)
    font = cv2.FONT_HERSHEY_DUPLEX
    (w, h), _base = cv2.getTextSize(STRIP_WORDS, font, 1.0, 1)
    scale = min(0.55 * high / h, 0.95 * width / w)
    at = (round((width - w * scale) / 2), round(high / 2 + h * scale / 2))
    cv2.putText(strip, STRIP_WORDS, at, font, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([strip, rgb])


def mask_in_crop(plan: Plan, mesh: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Return where a plan forges, drawn anew on a face crop: (size, size) float32, 0..1.

    From the face as it is found in the finished clip, so that cropping and scaling need no account.
    """
    if plan.kind == "planted":
        return forged_mask(mesh, (size, size), plan.regions)
    if plan.kind == "swapped":
        return hull_mask(mesh[list(OVAL), :2], (size, size), grow=0.97)
    return np.zeros((size, size), np.float32)
