"""A whole swap: read a performance, choose the faces, write a clip that says what it is."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.errors import (
    OutOfRangeError,
    VideoError,
)
from toolkit.files import atomic_path
from toolkit.forge import expression, marks
from toolkit.forge.expression import (
    ExpressionFace,
    ExpressionGallery,
    ExpressionReader,
    ExpressionReading,
    Picture,
)
from toolkit.forge.marks import Place
from toolkit.forge.swap.frame import looked_at, swap_frame
from toolkit.forge.swap.recipe import USUAL, SwapRecipe
from toolkit.forge.swap.steps import Float
from toolkit.messages import phrase
from toolkit.types import Tick, Video, no_tick

SECONDS_MAX = 60.0
"""Longest swap: it is for lessons."""
SMOOTH_FRAMES = 0.7
"""Standard deviation, in frames, of the smoothing of the target's mesh over time."""
FADE = (0.25, 0.5, 0.25)
"""Weights of the gallery pictures of the frame before, this one and the next: a change of picture
fades in over three frames. Longer would wash out blinks."""


@dataclass(frozen=True, eq=False)
class Performance:
    """The face of a target clip, moment by moment.

    Attributes
    ----------
    path, sha256
        The clip.
    indices : (T,) int64
        Frames of the stretch.
    pts : (T,) float64
        Seconds from the start of the stretch.
    mesh : (T, 478, 3) float32
        NaN where no face was found.
    coefficients : (T, 52) float32
        Zero there.
    poses : (T, 3) float64
        Zero there.
    size
        Width and height of the frames.
    """

    path: Path
    sha256: str
    indices: NDArray[np.int64]
    pts: Float
    mesh: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    poses: Float
    size: tuple[int, int]

    @property
    def has_face(self) -> NDArray[np.bool_]:
        """(T,) whether a face was found."""
        return np.asarray(np.isfinite(self.mesh[:, 0, 0]))

    @property
    def rest(self) -> Float:
        """(52,) the resting face of this stretch."""
        return expression.rest_of(self.coefficients[self.has_face].astype(np.float64))

    def at(self, moment: int) -> ExpressionReading:
        """Return what was read at one moment."""
        yaw, pitch, roll = self.poses[moment].tolist()
        return ExpressionReading(self.mesh[moment], self.coefficients[moment], (yaw, pitch, roll))


def read_performance(
    path: Path | str, *, start_s: float = 0.0, end_s: float = np.inf, tick: Tick = no_tick
) -> Performance:
    """Read the largest face of every frame of a stretch of a clip. Pixels are not kept.

    Raises
    ------
    UsageError
        If the stretch is empty or longer than `SECONDS_MAX`.
    VideoError
        If the clip cannot be read or shows no face.
    """
    video = media.probe(path, tick=tick)
    times = video.pts - video.pts[0]
    wanted = np.flatnonzero((times >= start_s) & (times <= end_s)).astype(np.int64)
    if not len(wanted):
        value = phrase("{start:g} to {end:g} s", start=start_s, end=end_s)
        raise OutOfRangeError("nothing of the clip is chosen", value, "Choose a longer stretch.")
    pts = times[wanted] - times[wanted[0]]
    if pts[-1] > SECONDS_MAX:
        value = phrase("{seconds:.0f} s", seconds=pts[-1])
        raise OutOfRangeError(
            "this stretch is too long", value, "Use at most {most:.0f} s.", most=SECONDS_MAX
        )
    mesh = np.full((len(wanted), 478, 3), np.nan, np.float32)
    coefficients = np.zeros((len(wanted), len(expression.BLENDSHAPES)), np.float32)
    poses = np.zeros((len(wanted), 3))
    reader = ExpressionReader()
    for t, rgb in _frames(video, wanted, tick, "read"):
        reading = reader(rgb)
        if reading is not None:
            mesh[t], coefficients[t], poses[t] = reading.mesh, reading.coefficients, reading.pose
    if not np.isfinite(mesh).any():
        raise VideoError("the clip shows no face", media.show_name(path), "Choose another clip.")
    return Performance(
        Path(path),
        video.sha256,
        wanted,
        pts,
        mesh,
        coefficients,
        poses,
        (video.width, video.height),
    )


def _frames(
    video: Video, wanted: NDArray[np.int64], tick: Tick, stage: str
) -> Iterator[tuple[int, Picture]]:
    """Yield number and picture of each wanted frame; a frame that is missing is an error."""
    found = media.read(video, wanted, tick=tick, stage=stage)
    for number, index in enumerate(wanted.tolist()):
        frame = next(found, None)
        if frame is None or frame.index != index:
            at_s = float(video.pts[index] - video.pts[0])
            raise VideoError(
                "the clip has frames that cannot be read", phrase("at {at_s:.2f} s", at_s=at_s)
            )
        yield number, frame.rgb


def choose_faces(
    performance: Performance, gallery: ExpressionGallery, recipe: SwapRecipe = USUAL
) -> tuple[NDArray[np.int64], Float]:
    """Choose a gallery face for every moment of a performance.

    Returns
    -------
    chosen : (T,) int64
        Positions in the gallery; -1 where the target shows no face.
    distances : (T,) float64
        How far the chosen ones are; NaN there.
    """
    there = performance.has_face
    expressions, poses = expression.squared_distances(
        performance.coefficients[there].astype(np.float64), performance.poses[there], gallery
    )
    squared = expressions + poses
    costs = squared if recipe.match == "best" else squared.max() - squared
    path = expression.choose_path(costs, jump=recipe.jump, is_clip=gallery.is_clip)
    chosen = np.full(len(there), -1, np.int64)
    distances = np.full(len(there), np.nan)
    chosen[there] = path
    distances[there] = np.sqrt(squared[np.arange(len(path)), path])
    return chosen, distances


def smooth_mesh(mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (T, 478, 3) meshes without their trembling; moments without a face stay NaN."""
    reach = 2
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTH_FRAMES) ** 2)
    there = np.isfinite(mesh[:, :1, :1])
    filled = np.where(there, mesh, 0)
    total, weight = np.zeros(mesh.shape), np.zeros(there.shape)
    count = len(mesh)
    for offset, part in zip(range(-reach, reach + 1), kernel, strict=True):
        to = slice(max(0, offset), count + min(0, offset))
        of = slice(max(0, -offset), count - max(0, offset))
        total[to] += part * filled[of]
        weight[to] += part * there[of]
    out = np.where(there, total / np.maximum(weight, 1e-9), np.nan)
    return np.asarray(out, np.float32)


@dataclass(frozen=True, eq=False)
class Made:
    """A synthetic clip that was written.

    Attributes
    ----------
    path, sidecar, masks
        The clip, the facts about it (JSON), and the mask of every frame (ZIP of PNG files).
    frames, forged
        Frames written, and those in which a face was put.
    chosen : (T,) int64
        Gallery face of each frame, -1 for none.
    distances : (T,) float64
        How far it was, NaN for none.
    place
        Where the label stands.
    """

    path: Path
    sidecar: Path
    masks: Path
    frames: int
    forged: int
    chosen: NDArray[np.int64]
    distances: Float
    place: Place

    @property
    def jumps(self) -> int:
        """How often the gallery picture changed to one that is not its neighbour."""
        used = self.chosen[self.chosen >= 0]
        return int((np.abs(np.diff(used)) > 3).sum())


def swap(
    performance: Performance,
    gallery: ExpressionGallery,
    out: Path | str,
    *,
    recipe: SwapRecipe = USUAL,
    consent: bool = False,
    tick: Tick = no_tick,
) -> Made:
    """Put a gallery's face on a performance and write the clip, marked in every way there is.

    Parameters
    ----------
    performance
        From `read_performance`: whose expression is kept.
    gallery
        Whose face is put on.
    out
        ``synthetic_*.mp4``; the truth is written beside it. Sound is left out.
    recipe
        How.
    consent
        Whether everybody who can be seen agreed to it; not needed for the samples.
    tick
        Stages of `media.probe`, then ``"swap"``.

    Raises
    ------
    UsageError
        If the name does not say that the clip is synthetic, a file lies in a case folder, consent
        is needed and was not given, or the gallery has no pictures.
    VideoError
        If the clip changed since it was read, or cannot be read.
    OSError
        If a file cannot be written.
    """
    path = marks.check_out(out)
    marks.refuse_case(performance.path)
    marks.check_consent((performance.sha256, *gallery.sources), consent=consent)
    video = media.probe(performance.path, tick=tick)
    if video.sha256 != performance.sha256:
        raise VideoError("the file has changed since it was read", media.show_name(video.path))
    chosen, distances = choose_faces(performance, gallery, recipe)
    mesh = smooth_mesh(performance.mesh)
    place = marks.choose_place((video.height, video.width), *looked_at(performance.mesh))
    masks_path = marks.masks_path(path)
    with (
        tempfile.TemporaryDirectory(prefix="doorzicht-") as folder,
        atomic_path(masks_path) as masks_part,
    ):
        coded = Path(folder, "coded.mp4")
        with zipfile.ZipFile(masks_part, "w") as file:
            writer = marks.MaskWriter(file, strip=place.strip)

            def frames() -> Iterator[Picture]:
                for t, rgb in _frames(video, performance.indices, tick, "swap"):
                    done = rgb
                    mask = np.zeros(rgb.shape[:2], np.float32)
                    if chosen[t] >= 0:
                        faces = _fading(gallery, chosen, t)
                        swapped = swap_frame(rgb, mesh[t], faces, recipe, show=False)
                        done, mask = swapped.rgb, swapped.mask
                    writer.add(mask)
                    yield marks.draw_label(done, place)

            media.write_h264(coded, frames(), performance.pts, crf=recipe.crf)
        signed = marks.seal(coded, path)
    forged = int((chosen >= 0).sum())
    sidecar = marks.write_sidecar(
        path,
        {
            "clip": {"name": path.name, "sha256": media.probe(path).sha256},
            "target": {
                "sha256": performance.sha256,
                "first_frame": int(performance.indices[0]),
                "frames": len(performance.indices),
            },
            "faces": {"name": gallery.name, "sha256": list(gallery.sources), "count": len(gallery)},
            "recipe": asdict(recipe),
            "seed": recipe.seed,
            "forged": (chosen >= 0).tolist(),
            "chosen": chosen.tolist(),
            "masks": masks_path.name,
            "label": {"box": list(place.box), "strip": place.strip, "is_clear": place.is_clear},
            "credentials": {"signed_with": signed},
            "consent_stated": consent,
        },
    )
    return Made(path, sidecar, masks_path, len(chosen), forged, chosen, distances, place)


def _fading(
    gallery: ExpressionGallery, chosen: NDArray[np.int64], moment: int
) -> list[tuple[ExpressionFace, float]]:
    """Return the faces that show at a moment, each once, with weights that sum to 1."""
    weights: dict[int, float] = {}
    for offset, weight in zip((-1, 0, 1), FADE, strict=True):
        at = min(max(moment + offset, 0), len(chosen) - 1)
        which = int(chosen[at] if chosen[at] >= 0 else chosen[moment])
        weights[which] = weights.get(which, 0.0) + weight
    return [(gallery.faces[which], weight) for which, weight in weights.items()]
