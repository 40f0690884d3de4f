"""Read expressions, and find in one person's pictures the expression of another.

A face swap needs, for each moment of the target clip, a picture of the other person who looks the
same way: mouth as far open, eyes as far closed, head turned alike. Here the expression of a face is
its 52 blendshape coefficients and its head pose; a `Gallery` holds another person's faces; `search`
finds the closest ones, and `choose_path` one per moment of a clip so that it does not flicker.

How a distance is made is in `Weights`, and why. ``python -m toolkit study swaps weights``
measures it against simpler ones.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.errors import OutOfRangeError, ShapeError, UsageError
from toolkit.faces.crops import face_width
from toolkit.faces.mesh import Expression, LargestFace, head_pose
from toolkit.messages import phrase
from toolkit.types import Tick, no_tick, spread

Float = NDArray[np.float64]
Picture = NDArray[np.uint8]

_NAMES = (
    "_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight "
    "cheekPuff cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft "
    "eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight "
    "eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight "
    "jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight "
    "mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft "
    "mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight mouthRollLower "
    "mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight "
    "mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft "
    "noseSneerRight"
)
BLENDSHAPES = tuple(_NAMES.split())
"""Names of the 52 coefficients in the network's order (MediaPipe); left is the subject's left."""

PICTURE_BYTES_MAX = 20 << 20
PICTURE_PIXELS_MAX = 40_000_000  # a phone's largest pictures
PICTURES_MAX = 6000
"""Most faces of one gallery. A face of a 360 x 288 clip takes about 0.1 MB."""
FACE_SIDE_MAX = 512  # px; a larger face is kept smaller, as no target is that large
MARGIN = 0.25  # of the mesh's longer side, kept around a face
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True)
class Weights:
    """What makes two faces look alike, in a number.

    The distance is ``sum((w * (a - b))**2)`` over the 51 coefficients, each person's own median
    subtracted first, plus ``((yaw, pitch, roll) / degrees)**2``.

    * *Median*: a resting face is not zero. One person's brows read as raised, another's mouth as
      pressed; without it the search finds the pictures that resemble the other's bones.
    * *Eyelids, jaw and lips* count more: the eye sees at once when they are wrong, and the warp
      cannot make teeth or an iris that the picture does not have.
    * *Gaze* counts less: the coefficient is noisy.
    * *Yaw and pitch* hide parts of the face and move the light, so a difference of
      `turn_degrees` costs as much as a whole coefficient. *Roll* costs a third: turning a picture
      in its plane is free.
    """

    blink: float = 3.0
    jaw: float = 2.0
    lips: float = 2.0
    gaze: float = 0.5
    turn_degrees: float = 30.0
    roll_degrees: float = 90.0
    subtract_rest: bool = True

    def coefficients(self) -> Float:
        """Return the weight of each coefficient: (52,), 0 for neutral."""
        groups = (
            (self.blink, ("eyeBlink",)),
            (self.jaw, ("jawOpen",)),
            (
                self.lips,
                ("mouthClose", "mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthPucker"),
            ),
            (self.gaze, ("eyeLook",)),
        )
        w = np.ones(len(BLENDSHAPES))
        w[0] = 0
        for weight, starts in groups:
            w[[name.startswith(starts) for name in BLENDSHAPES]] = weight
        return w


USUAL = Weights()
"""Chosen on `cap12_edit` and `franck`, both ways, from 72 combinations. On `cap13_edit2`, which was
not looked at, the correlation with the face that is found rises from 0.38 to 0.74 for the opening
of the mouth and from 0.74 to 0.92 for that of the eyes, against `PLAIN`. Subtracting the resting
face helps eyes and yaw on both clips, not the opening of the mouth; pitch gets 2 degrees worse."""

PLAIN = Weights(1.0, 1.0, 1.0, 1.0, roll_degrees=30.0, subtract_rest=False)
"""Every coefficient alike, nothing subtracted: what `USUAL` is measured against."""


@dataclass(frozen=True, eq=False)
class ExpressionReading:
    """What was read in one picture: `mesh` (478, 3) px, `coefficients` (52,), `pose` (3,) degrees.

    `pose` is yaw, pitch, roll.
    """

    mesh: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    pose: tuple[float, float, float]


class ExpressionReader:
    """Reads the largest face of a picture: mesh, expression, pose. One per thread."""

    def __init__(self) -> None:
        self._find, self._expression = LargestFace(), Expression()

    def __call__(self, rgb: Picture) -> ExpressionReading | None:
        """Return the largest face of an (H, W, 3) RGB picture, or None."""
        mesh = self._find(rgb)
        return (
            None
            if mesh is None
            else ExpressionReading(mesh, self._expression(mesh), head_pose(mesh))
        )


@dataclass(frozen=True, eq=False)
class ExpressionFace:
    """One picture of a face, cut out of what it came from.

    Attributes
    ----------
    rgb : (h, w, 3) uint8
        The face with a margin. Empty (0 x 0) in a gallery made for searching only.
    mesh : (478, 3) float32
        In pixels of `rgb`.
    coefficients : (52,) float32
        Blendshapes, 0..1.
    pose
        Yaw, pitch, roll in degrees.
    label
        Where it comes from, for people: a time or a file name.
    index
        Frame index in its clip, or its number among the pictures.
    """

    rgb: Picture
    mesh: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    pose: tuple[float, float, float]
    label: str
    index: int

    @property
    def width(self) -> float:
        """Width of the face oval in pixels of `rgb`."""
        return face_width(self.mesh)


@dataclass(frozen=True, eq=False)
class ExpressionGallery:
    """Faces of one person to search in.

    Attributes
    ----------
    faces
        In order of time, where they come from a clip.
    is_clip
        Whether neighbours in the list are neighbours in time.
    sources
        SHA-256 of each file that faces come from.
    name
        What the gallery is called for people.
    without_face
        Pictures that were looked at and had no usable face.
    """

    faces: tuple[ExpressionFace, ...]
    is_clip: bool
    sources: tuple[str, ...]
    name: str
    without_face: int = 0
    _cache: dict[str, Float] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.faces:
            raise UsageError(
                "no picture with a face was found", self.name, "Give pictures that show the face."
            )

    def __repr__(self) -> str:
        return f"Gallery({self.name!r}, {len(self.faces)} faces)"

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def coefficients(self) -> Float:
        """(N, 52) blendshapes."""
        if "coefficients" not in self._cache:
            self._cache["coefficients"] = np.stack([f.coefficients for f in self.faces]).astype(
                np.float64
            )
        return self._cache["coefficients"]

    @property
    def poses(self) -> Float:
        """(N, 3) yaw, pitch, roll in degrees."""
        if "poses" not in self._cache:
            self._cache["poses"] = np.array([f.pose for f in self.faces], np.float64)
        return self._cache["poses"]

    @property
    def rest(self) -> Float:
        """(52,) this person's median: the resting face."""
        return rest_of(self.coefficients)

    def picked(self, indices: Sequence[int] | NDArray[np.int64]) -> ExpressionGallery:
        """Return a smaller gallery; its faces keep their order."""
        chosen = tuple(self.faces[i] for i in sorted(set(np.asarray(indices).tolist())))
        return ExpressionGallery(chosen, self.is_clip, self.sources, self.name)


@dataclass(frozen=True, eq=False)
class Matches:
    """The closest faces of a gallery, best first.

    Attributes
    ----------
    indices : (k,) int64
        Positions in `Gallery.faces`.
    distances : (k,) float64
        Square roots of the weighted squared distances.
    expression, pose : (k,) float64
        The two parts: ``distances**2 == expression**2 + pose**2``.
    """

    indices: NDArray[np.int64]
    distances: Float
    expression: Float
    pose: Float


def rest_of(coefficients: Float) -> Float:
    """Return the resting face, the median of (N, 52) coefficients.

    Raises
    ------
    ShapeError
        If there are none.
    """
    if coefficients.ndim != 2 or not len(coefficients):
        raise ShapeError("coefficients have the wrong shape", str(coefficients.shape), "(N, 52)")
    return np.asarray(np.median(coefficients, axis=0))


def squared_distances(
    target: Float,
    target_poses: Float,
    gallery: ExpressionGallery,
    *,
    target_rest: Float | None = None,
    weights: Weights = USUAL,
) -> tuple[Float, Float]:
    """Return how far each gallery face is from each target moment, in two parts.

    Parameters
    ----------
    target : (T, 52)
        Coefficients of the target's moments.
    target_poses : (T, 3)
        Their yaw, pitch and roll in degrees.
    gallery
        N faces.
    target_rest : (52,)
        The target's own resting face; None = the median of `target`, which needs many moments. One
        moment alone would be its own rest, so give it there.
    weights
        See `Weights`.

    Returns
    -------
    expression, pose : (T, N) float64
        Their sum is the squared distance.
    """
    w = weights.coefficients()
    a, b = np.atleast_2d(target).astype(np.float64), gallery.coefficients
    if weights.subtract_rest:
        a = a - (rest_of(a) if target_rest is None else target_rest)
        b = b - gallery.rest
    degrees = np.array([weights.turn_degrees] * 2 + [weights.roll_degrees])
    return _apart(a * w, b * w), _apart(
        np.atleast_2d(target_poses) / degrees, gallery.poses / degrees
    )


def _apart(a: Float, b: Float) -> Float:
    """Return squared distances between rows: (n, d), (m, d) to (n, m)."""
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.asarray(np.maximum(squared, 0.0))


def search(
    gallery: ExpressionGallery,
    target: ExpressionReading | ExpressionFace,
    *,
    k: int = 10,
    target_rest: Float | None = None,
    weights: Weights = USUAL,
) -> Matches:
    """Return the `k` gallery faces closest to one face.

    Parameters
    ----------
    gallery
        Whom to search.
    target
        The face whose expression is wanted.
    k
        How many; fewer when the gallery is smaller.
    target_rest : (52,)
        Resting face of the target's person; None = the gallery's, as if they were one person.
    weights
        See `Weights`.

    Raises
    ------
    UsageError
        If `k` is not positive.
    """
    if k < 1:
        raise OutOfRangeError(
            "the number of matches is not positive", str(k), "Ask for at least 1."
        )
    expression, pose = squared_distances(
        target.coefficients[None].astype(np.float64),
        np.array([target.pose], np.float64),
        gallery,
        target_rest=gallery.rest if target_rest is None else target_rest,
        weights=weights,
    )
    total = expression[0] + pose[0]
    best = np.argsort(total, kind="stable")[:k].astype(np.int64)
    return Matches(best, np.sqrt(total[best]), np.sqrt(expression[0, best]), np.sqrt(pose[0, best]))


def choose_path(
    squared: Float, *, jump: float = 0.0, is_clip: bool = True, follow: int = 3
) -> NDArray[np.int64]:
    """Choose one gallery face per moment: close to each, and seldom jumping.

    The cheapest path (Viterbi) over ``squared[t, n]`` plus `jump` for each change of picture.
    Holding a picture is free; in a clip, so is going on by up to `follow` pictures either way.

    Parameters
    ----------
    squared : (T, N) float64
        Squared distances.
    jump
        Cost of a jump, on the scale of `squared`; 0 = the closest face at each moment.
    is_clip
        Whether neighbours in the gallery look alike.
    follow
        How many pictures one may move without a jump.

    Returns
    -------
    (T,) int64
        Positions in the gallery.

    Examples
    --------
    >>> costs = np.array([[0.0, 1.0], [0.6, 0.5], [0.0, 1.0]])
    >>> choose_path(costs).tolist(), choose_path(costs, jump=0.4, is_clip=False).tolist()
    ([0, 1, 0], [0, 0, 0])
    """
    if squared.ndim != 2 or not squared.size:
        raise ShapeError("distances have the wrong shape", str(squared.shape), "Expected (T, N).")
    if jump <= 0:
        return np.asarray(squared.argmin(axis=1), np.int64)
    moments, faces = squared.shape
    came_from = np.zeros((moments, faces), np.int32)
    own = np.arange(faces)
    steps = range(-follow, follow + 1) if is_clip else range(1)
    best = squared[0].copy()
    for t in range(1, moments):
        far = int(best.argmin())
        cheapest, origin = np.full(faces, best[far] + jump), np.full(faces, far)
        for step in sorted(steps, key=abs, reverse=True):  # holding is tried last and wins ties
            before = own - step
            inside = (before >= 0) & (before < faces)
            cost = np.where(inside, best[np.clip(before, 0, faces - 1)], np.inf)
            nearer = cost <= cheapest
            cheapest, origin = np.where(nearer, cost, cheapest), np.where(nearer, before, origin)
        came_from[t], best = origin, cheapest + squared[t]
    path = np.empty(moments, np.int64)
    path[-1] = int(best.argmin())
    for t in range(moments - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


# -- galleries


def read_clip(
    path: Path | str,
    *,
    per_second: float = 5.0,
    start_s: float = 0.0,
    end_s: float = np.inf,
    name: str = "",
    keep_pictures: bool = True,
    tick: Tick = no_tick,
) -> ExpressionGallery:
    """Make a gallery of the largest face in frames of a clip, evenly in time.

    Parameters
    ----------
    path
        A local video.
    per_second
        Frames per second of the clip; at most all, and at most `PICTURES_MAX` together.
    start_s, end_s
        The stretch to use.
    name
        What to call it; empty = the file's name.
    keep_pictures
        False for a gallery that is only searched.
    tick
        Stages of `media.probe`, then ``"gallery"``.

    Raises
    ------
    UsageError
        If nothing of the clip is in the stretch, or no face is found.
    VideoError
        If the clip cannot be read.
    """
    video = media.probe(path, tick=tick)
    times = video.pts - video.pts[0]
    inside = np.flatnonzero((times >= start_s) & (times <= end_s))
    if per_second <= 0 or not len(inside):
        value = phrase(
            "{rate} per second of {start:g} to {end:g} s",
            rate=per_second,
            start=start_s,
            end=end_s,
        )
        raise OutOfRangeError("no frame of the clip is chosen", value, "Choose a longer stretch.")
    span = float(times[inside[-1]] - times[inside[0]])
    count = min(len(inside), PICTURES_MAX, max(1, round(span * per_second) + 1))
    wanted = inside[spread(len(inside), count)]
    reader, faces, missed = ExpressionReader(), [], 0
    for frame in media.read(video, wanted.astype(np.int64), tick=tick, stage="gallery"):
        reading = reader(frame.rgb)
        if reading is None:
            missed += 1
            continue
        label = _clock(frame.pts_seconds - float(video.pts[0]))
        faces.append(cut_face(frame.rgb, reading, label, frame.index, keep=keep_pictures))
    return ExpressionGallery(
        tuple(faces), True, (video.sha256,), name or media.show_name(path), without_face=missed
    )


def read_folder(
    folder: Path | str, *, name: str = "", keep_pictures: bool = True, tick: Tick = no_tick
) -> ExpressionGallery:
    """Make a gallery of the largest face in each picture of a folder, by file name.

    Raises
    ------
    UsageError
        If the folder is not there, holds no picture, or none shows a face.
    """
    where = Path(folder)
    if not where.is_dir():
        raise UsageError("this folder does not exist", media.show_name(where), "Check the path.")
    files = sorted(p for p in where.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())

    def load(file: Path) -> bytes:
        if file.stat().st_size > PICTURE_BYTES_MAX:
            return b""
        return file.read_bytes()

    named = ((media.show_name(p), lambda p=p: load(p)) for p in files[:PICTURES_MAX])
    return _gallery(
        named,
        total=min(len(files), PICTURES_MAX),
        name=name or media.show_name(where),
        keep=keep_pictures,
        tick=tick,
    )


def read_pictures(
    pictures: Sequence[tuple[str, bytes]], *, name: str, tick: Tick = no_tick
) -> ExpressionGallery:
    """Make a gallery of pictures that exist in memory only; nothing is written.

    Parameters
    ----------
    pictures
        Name and content (JPEG, PNG or WebP) of each.
    name
        What to call the gallery.

    Raises
    ------
    UsageError
        If there are none, or none shows a face.
    """
    named = ((media.show_name(n), lambda data=data: data) for n, data in pictures[:PICTURES_MAX])
    return _gallery(named, total=len(pictures), name=name, keep=True, tick=tick)


def _gallery(
    named: Iterable[tuple[str, Callable[[], bytes]]],
    *,
    total: int,
    name: str,
    keep: bool,
    tick: Tick,
) -> ExpressionGallery:
    reader = ExpressionReader()
    faces: list[ExpressionFace] = []
    sources: list[str] = []
    missed = 0
    for number, (label, load) in enumerate(named):
        tick("gallery", number, total)
        data = load()
        rgb = decode_picture(data)
        reading = None if rgb is None else reader(rgb)
        if rgb is None or reading is None:
            missed += 1
            continue
        faces.append(cut_face(rgb, reading, label, number, keep=keep))
        sources.append(hashlib.sha256(data).hexdigest())
    return ExpressionGallery(tuple(faces), False, tuple(sources), name, without_face=missed)


def decode_picture(data: bytes) -> Picture | None:
    """Return a JPEG, PNG or WebP as an upright (H, W, 3) RGB picture; None when it is not one.

    Files of more than `PICTURE_BYTES_MAX` or pictures of more than `PICTURE_PIXELS_MAX` are
    refused by what their header says, before anything is unpacked.
    """
    from PIL import Image, ImageOps

    if not data or len(data) > PICTURE_BYTES_MAX:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            if image.width * image.height > PICTURE_PIXELS_MAX:
                return None
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return np.array(upright, np.uint8)
    except Exception:  # noqa: BLE001 - whatever a damaged picture does to its decoder, it is none
        return None


def cut_face(
    rgb: Picture, reading: ExpressionReading, label: str, index: int, *, keep: bool = True
) -> ExpressionFace:
    """Cut a face with its margin out of a picture; a very large one is made smaller."""
    import cv2

    low, high = reading.mesh[:, :2].min(axis=0), reading.mesh[:, :2].max(axis=0)
    margin = MARGIN * float((high - low).max())
    x0, y0 = np.maximum(np.floor(low - margin), 0).astype(int).tolist()
    x1, y1 = np.minimum(np.ceil(high + margin), (rgb.shape[1], rgb.shape[0])).astype(int).tolist()
    mesh = reading.mesh - np.array([x0, y0, 0], np.float32)
    picture = rgb[y0:y1, x0:x1]
    scale = FACE_SIDE_MAX / max(*picture.shape[:2], 1)
    if scale < 1:
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        # pixel centres stay pixel centres, as cv2.resize has it
        factor = np.array([size[0] / picture.shape[1], size[1] / picture.shape[0]], np.float32)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        mesh = mesh * np.float32(scale)
        mesh[:, :2] = (reading.mesh[:, :2] - (x0, y0) + 0.5) * factor - 0.5
    if not keep:
        picture = np.zeros((0, 0, 3), np.uint8)
    return ExpressionFace(
        np.ascontiguousarray(picture), mesh, reading.coefficients, reading.pose, label, index
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
