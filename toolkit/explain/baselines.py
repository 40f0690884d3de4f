"""What replaces a region: the reference picture of a frame, made, tested and chosen.

A reference that itself looks forged turns every share upside down, so none is trusted before three
tests: it is judged genuine (V1), it does no harm on known-genuine faces (V2), and a planted forgery
is found with it (V3). In order of preference: the same person in material that somebody knows to be
genuine, warped onto the frame by the mesh; another frame of this track that the detector judges
clean; a genuine donor; the frame itself, blurred, with its own fine texture scrambled. Grey, black,
plain blur and the mean face show how references fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.detectors.base import Detector
from toolkit.errors import UnknownNameError
from toolkit.explain.perturbation import RegionGame, antithetic, score, staged, take
from toolkit.faces.crops import face_width
from toolkit.faces.mesh import canonical_face, head_pose
from toolkit.forge.degrade import Picture, noise_like, to_u8
from toolkit.forge.plant import KINDS as PLANTS
from toolkit.forge.selfblend import PARTS, blend, region_mask
from toolkit.types import REGIONS, FaceCrops, Tick, no_tick, spread
from toolkit.verdict.aggregate import frame_logits

Kind = Literal[
    "known_frame", "clean_frame", "donor", "blur_noise", "blur", "mean_face", "grey", "black"
]
AUTOMATIC: tuple[Kind, ...] = ("known_frame", "clean_frame", "donor", "blur_noise")
"""Kinds that may be chosen without being asked for, best first."""

ON_REQUEST: tuple[Kind, ...] = ("blur", "mean_face", "grey", "black")
"""Kinds that look forged to most detectors: only to show what goes wrong."""

CLEAN_BELOW = 1.0  # logits under the threshold from which a frame counts as clean
POSE_WITHIN = 10.0  # degrees, in yaw, pitch and roll
HARM_MAX = 0.25  # V2: median |change| in logits
FAKE_MAX = 0.01  # V2: share of harmless replacements that are judged fake
HIT_MIN, MASS_MIN = 0.9, 0.5  # V3
SEAM_PART = 0.1  # seam control: of |v[all] - v[none]| / n
TESTED = 3  # known-genuine crops per test
SOURCES_TRIED = 8  # donors, or frames of known material, until one is judged genuine

Float = NDArray[np.float64]
Map = NDArray[np.float32]


@dataclass(frozen=True)
class ValidityTest:
    """One validity test.

    Attributes
    ----------
    name
        ``"V1"`` (judged genuine), ``"V2"`` (harmless on genuine faces), ``"V3"`` (finds what was
        planted).
    passed
        None when it could not be tested here.
    value
        V1: the reference's logit. V2: median ``|change|`` in logits. V3: share of hits.
    detail
        What was done, in a few English words for the record.
    """

    name: str
    passed: bool | None
    value: float | None
    detail: str


@dataclass(frozen=True, eq=False)
class Reference:
    """A picture that stands for 'nothing forged' on one frame.

    Attributes
    ----------
    kind
        See `AUTOMATIC` and `ON_REQUEST`.
    position
        The frame it was made for.
    rgb : (S, S, 3) uint8
    logit
        The detector's answer to it: ``v[none]``.
    lights
        The tests that were run, V1 first.
    parameters
        Everything needed to make it again.
    valid_in_principle
        False for the kinds on request.
    source
        The face it was made from; None for kinds made of the frame itself.
    """

    kind: Kind
    position: int
    rgb: Picture
    logit: float
    validity_tests: tuple[ValidityTest, ...]
    parameters: dict[str, Any]
    valid_in_principle: bool
    source: _Face | None = None

    @property
    def is_valid(self) -> bool:
        """Whether it may name regions: no test failed, and V1 passed."""
        return (
            self.valid_in_principle
            and bool(self.validity_tests)
            and self.validity_tests[0].passed is True
            and all(light.passed is not False for light in self.validity_tests)
        )


@dataclass(frozen=True, eq=False)
class Choice:
    """The reference that was chosen, or None, and all that were tried, in order.

    `unusable` is how many faces are known to be genuine where all of them look forged: then none
    of them was tried.
    """

    reference: Reference | None
    tried: tuple[Reference, ...]
    unusable: int = 0

    @property
    def best(self) -> Reference | None:
        """The reference, or the best that was tried: the last one that is judged genuine."""
        passed = [r for r in self.tried if r.validity_tests[0].passed]
        return self.reference or next(reversed(passed or self.tried), None)


@dataclass(frozen=True, eq=False)
class SeamControl:
    """Each region replaced by itself, sent through the same warp, matching and feather.

    Attributes
    ----------
    changes : (n,) float64
        Change of the logit per region.
    limit
        Largest median ``|change|`` that reads well.
    flips
        How many of them turn the verdict.
    """

    changes: Float
    limit: float
    flips: int

    @property
    def median(self) -> float:
        """Median size of the changes, logits."""
        return float(np.median(np.abs(self.changes)))

    @property
    def passed(self) -> bool:
        """Whether the compositor itself leaves no trace the detector reads."""
        return self.median <= self.limit and not self.flips


# -- geometry: one face onto another


def correspondence(target: NDArray[np.floating], source: NDArray[np.floating], size: int) -> Map:
    """Return where each pixel of the target crop lies in the source crop.

    Inside the mesh, affine per triangle. Outside, the movement of the nearest mesh pixel fades
    into none: both crops are centred on their face, and what lies further out was not kept.

    Parameters
    ----------
    target, source : (478, 3)
        Meshes in crop pixels.
    size
        Side of the crop.

    Returns
    -------
    (size, size, 2) float32
        x and y, for `cv2.remap`.
    """
    triangles = canonical_face().triangles
    a = target[:468, :2].astype(np.float64)[triangles]  # (898, 3 corners, 2)
    b = source[:468, :2].astype(np.float64)[triangles]
    square = np.concatenate([a, np.ones((*a.shape[:2], 1))], axis=2)
    flat = np.abs(np.linalg.det(square)) < 1e-3
    square[flat] = np.eye(3)  # seen edge-on: it covers no pixel
    maps = np.linalg.solve(square, b)  # (898, 3, 2)
    label = np.full((size, size), -1, np.int32)
    corners = np.rint(a * 16).astype(np.int32)
    depth = target[:468, 2][triangles].mean(axis=1)
    for i in np.argsort(-depth, kind="stable").tolist():
        if not flat[i]:
            cv2.fillConvexPoly(label, corners[i], i, shift=4)
    y, x = np.mgrid[:size, :size].astype(np.float64)
    grid = np.stack([x, y, np.ones_like(x)], axis=2)
    inside = label >= 0
    if not inside.any():
        return np.asarray(grid[..., :2], np.float32)
    move = np.zeros((size, size, 2))
    move[inside] = np.einsum("pi,pij->pj", grid[inside], maps[label[inside]]) - grid[inside][:, :2]
    away, nearest = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_label = np.zeros((int(nearest.max()) + 1, 2))
    by_label[nearest[inside]] = move[inside]
    spread = by_label[nearest]
    soft = cv2.GaussianBlur(spread, (0, 0), 0.02 * size)
    near = np.clip(away / (0.03 * size), 0, 1)[..., None]
    spread = np.where(inside[..., None], move, near * soft + (1 - near) * spread)
    hold = np.exp(-((away / (0.12 * size)) ** 2))[..., None]
    return np.asarray(grid[..., :2] + hold * spread, np.float32)


def warp(picture: Picture, where: Map) -> Picture:
    """Return the (S, S, 3) picture looked up at `where`, cubic, mirrored outside."""
    out: Picture = cv2.remap(
        picture, where[..., 0], where[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return out


# -- matching: colour, sharpness, noise


def match(
    picture: Picture, target: Picture, region_map: NDArray[np.uint8], rng: np.random.Generator
) -> Picture:
    """Return the picture with the target's colour, and no less noise or more detail than it.

    Parameters
    ----------
    picture, target : (S, S, 3) uint8
        Aligned with each other.
    region_map : (S, S) uint8
    rng
        For the noise.

    Returns
    -------
    (S, S, 3) uint8
        Mean and spread in Lab are those of the target on a ring round each region, because the
        region itself may be what was forged. Missing noise is measured by the median absolute
        deviation of the high-pass residual and added with the target's grain.
    """
    face = region_map != REGIONS.index("background")
    out = _match_colour(picture, target, region_map)
    wanted = _noise_level(target.astype(np.float32), face)
    for sigma in (0.0, 0.4, 0.55, 0.7, 0.9, 1.2):  # a sharper donor would stand out
        soft = cv2.GaussianBlur(out, (0, 0), sigma) if sigma else out
        have = _noise_level(soft, face)
        if have.mean() <= 1.05 * wanted.mean():
            break
    missing = np.sqrt(np.maximum(wanted**2 - have**2, 0))
    if missing.any():
        noise = _grain(target, face, rng)
        soft = soft + noise * (missing / np.maximum(_noise_level(noise, face), 1e-6))
    return to_u8(soft)


def _match_colour(picture: Picture, target: Picture, region_map: NDArray[np.uint8]) -> Map:
    size = len(picture)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, size // 24) + 1,) * 2)
    have, want = (
        cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for p in (picture, target)
    )
    gain, shift = np.ones_like(have), np.zeros_like(have)
    for region in np.unique(region_map):
        inside = region_map == region
        ring = (cv2.dilate(inside.astype(np.uint8), disc) > 0) & ~inside
        if ring.sum() < 30:
            continue
        spread = want[ring].std(axis=0) / np.maximum(have[ring].std(axis=0), 1e-3)
        gain[inside] = np.clip(spread, 0.8, 1.25)
        shift[inside] = want[ring].mean(axis=0) - gain[inside][0] * have[ring].mean(axis=0)
    blur = 0.03 * size  # regions must not meet in a step of colour
    gain, shift = (cv2.GaussianBlur(m, (0, 0), blur) for m in (gain, shift))
    rgb = cv2.cvtColor(have * gain + shift, cv2.COLOR_LAB2RGB)
    return np.asarray(rgb * 255, np.float32)


def _residual(picture: Map) -> Map:
    return np.asarray(picture - cv2.GaussianBlur(picture, (0, 0), 1.0), np.float32)


def _noise_level(picture: Map, face: NDArray[np.bool_]) -> Map:
    """Return the noise per channel (3,): scaled median |deviation| of the high-pass residual."""
    values = _residual(picture)[face if face.any() else slice(None)].reshape(-1, 3)
    middle = np.median(values, axis=0)
    return np.asarray(1.4826 * np.median(np.abs(values - middle), axis=0), np.float32)


def _grain(target: Picture, face: NDArray[np.bool_], rng: np.random.Generator) -> Map:
    """Return noise whose neighbouring pixels go together as much as the target's do."""
    both = face[:, 1:] & face[:, :-1]

    def likeness(picture: Map) -> float:
        r = _residual(picture).mean(axis=2)
        a, b = r[:, 1:][both], r[:, :-1][both]
        size = float(np.sqrt((a @ a) * (b @ b)))
        return float(a @ b) / size if size > 0 else 0.0

    wanted = likeness(target.astype(np.float32))
    noises = [noise_like(target.shape, 1.0, grain, rng) for grain in (0.0, 0.4, 0.6, 0.8, 1.1)]
    return min(noises, key=lambda noise: abs(likeness(noise) - wanted))


def _scrambled(target: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Return the picture blurred, with its own fine texture put back in random phase."""
    x = target.astype(np.float32)
    smooth = cv2.GaussianBlur(x, (0, 0), sigma)
    detail = x - smooth
    spectrum = np.abs(np.fft.rfft2(detail, axes=(0, 1)))
    phase = np.fft.rfft2(rng.standard_normal(x.shape[:2]))[..., None]  # one for all channels
    noise = np.fft.irfft2(
        spectrum * phase / np.maximum(np.abs(phase), 1e-12), s=x.shape[:2], axes=(0, 1)
    ).astype(np.float32)
    # as strong as the detail is around there: eyes are no measure for cheeks
    local = [np.sqrt(cv2.GaussianBlur(d * d, (0, 0), 3 * sigma)) for d in (detail, noise)]
    return to_u8(smooth + noise * local[0] / np.maximum(local[1], 1e-3))


# -- the references of one track


@dataclass(frozen=True, eq=False)
class _Face:
    """One face onto which a reference is made, or from which."""

    position: int
    pool: _Pool
    rgb: Picture
    mesh: NDArray[np.float32]
    region_map: NDArray[np.uint8]
    pose: Float


@dataclass(frozen=True, eq=False)
class _Pool:
    """Faces of one origin: the track, what is known to be genuine, or other persons.

    `usable` are the positions of those that seem genuine to the detector; in the track, lowest
    logit first.
    """

    crops: FaceCrops
    poses: Float
    usable: tuple[int, ...]

    def face(self, position: int) -> _Face:
        crops = self.crops
        return _Face(
            position,
            self,
            crops.rgb[position],
            crops.mesh[position],
            crops.region_map[position],
            self.poses[position],
        )


class References:
    """Makes and tests the references of one track; keeps what was tested.

    Parameters
    ----------
    detector
        Any that gives a logit per crop.
    crops
        The track, N frames.
    logits : (N,) float64
        Its frame logits.
    gallery
        Genuine faces of other persons, cut for the same detector, or None.
    known
        Faces of this person that are known to be genuine, likewise.
    seed
        For noise and permutations.
    """

    def __init__(
        self,
        detector: Detector,
        crops: FaceCrops,
        logits: Float,
        *,
        gallery: FaceCrops | None = None,
        known: FaceCrops | None = None,
        seed: int = 0,
    ) -> None:
        self._detector, self._crops, self._logits = detector, crops, logits
        self.threshold = detector.card.threshold
        self.seed = seed
        order = np.argsort(logits, kind="stable").tolist()
        genuine = [i for i in order if logits[i] < self.threshold]
        clear = int((logits <= self.threshold - CLEAN_BELOW).sum())
        # the best there is, if few are clear
        self._track = _Pool(crops, _poses(crops), tuple(genuine[: max(clear, TESTED + 1)]))
        self._gallery: _Pool | None = None
        self._known: _Pool | None = None
        self._shared: dict[tuple[str, Kind], ValidityTest] = {}
        self.add_donors(gallery)
        self.know(known)

    def add_donors(self, gallery: FaceCrops | None) -> None:
        """Take genuine faces of other persons as donors; those that look forged are left out.

        Donors are tested anew, and everything where these faces are what it is tested on.
        """
        if gallery is None or not len(gallery.rgb):
            return
        self._gallery = self._pool(gallery)
        test_faces = self._known is None and not self._track.usable
        for key, light in list(self._shared.items()):
            if test_faces or light.passed is None or key[1] == "donor":
                del self._shared[key]

    def know(self, faces: FaceCrops | None) -> None:
        """Take faces of this person as known to be genuine, in place of any before; None = none.

        They are the sources that are tried first, and every kind is tested on them. Those that
        look forged to the detector are left out.
        """
        self._known = self._pool(faces) if faces is not None and len(faces.rgb) else None
        self._shared.clear()

    @property
    def unusable(self) -> int:
        """How many faces are known to be genuine, if all of them look forged to the detector."""
        known = self._known
        return 0 if known is None or known.usable else len(known.crops.rgb)

    def _pool(self, faces: FaceCrops) -> _Pool:
        logits = frame_logits(self._detector.evidence(faces))
        usable = np.flatnonzero(logits < self.threshold).tolist()
        return _Pool(faces, _poses(faces), tuple(usable))

    # -- making

    def make(self, kind: Kind, position: int, *, rank: int = 0) -> Reference | None:
        """Make a reference of one kind for one frame, and run V1 (one pass).

        Parameters
        ----------
        kind
            From `AUTOMATIC` or `ON_REQUEST`.
        position
            The frame.
        rank
            0 = the best candidate frame or donor, 1 = the next, to compare.

        Returns
        -------
        Reference or None
            None when there is no frame known to be genuine, no clean one or no donor.

        Raises
        ------
        UsageError
            If there is no such kind.
        """
        baseline = self._paint(kind, self._track.face(position), rank)
        if baseline is None:
            return None
        rgb, parameters, source = baseline
        logit = float(score(self._detector, self._crops, position, rgb[None])[0])
        light = ValidityTest("V1", logit < self.threshold, logit, f"threshold {self.threshold:.3f}")
        fits = kind in AUTOMATIC
        return Reference(kind, position, rgb, logit, (light,), parameters, fits, source)

    def _paint(
        self, kind: Kind, face: _Face, rank: int = 0
    ) -> tuple[Picture, dict[str, Any], _Face | None] | None:
        """Return the picture, its parameters and its source; a face is never its own source."""
        if kind not in get_args(Kind):
            raise UnknownNameError(
                "unknown kind of reference",
                kind,
                "One of {kinds}.",
                known=get_args(Kind),
                kinds=str(get_args(Kind)),
            )
        rng = np.random.default_rng(self.seed)
        size = len(face.rgb)
        if kind in ("known_frame", "clean_frame", "donor"):
            source = self._source(kind, face, rank)
            if source is None:
                return None
            other, gap = source
            where = correspondence(face.mesh, other.mesh, size)
            out = match(warp(other.rgb, where), face.rgb, face.region_map, rng)
            facts = {"source": other.position, "pose_gap_deg": round(gap, 1), "seed": self.seed}
            return out, facts, other
        width = face_width(face.mesh)
        if kind == "blur_noise":
            sigma = max(1.0, 0.03 * width)
            return _scrambled(face.rgb, sigma, rng), {"sigma_px": sigma, "seed": self.seed}, None
        if kind == "blur":
            sigma = max(1.0, 0.06 * width)
            return np.asarray(cv2.GaussianBlur(face.rgb, (0, 0), sigma)), {"sigma_px": sigma}, None
        if kind == "mean_face":
            return to_u8(self._crops.rgb.mean(axis=0)), {"frames": len(self._crops.rgb)}, None
        return np.full_like(face.rgb, 128 if kind == "grey" else 0), {}, None

    def _source(self, kind: Kind, face: _Face, rank: int) -> tuple[_Face, float] | None:
        """Return the rank-th source and how far its pose is off, in degrees."""
        pool = self._sources(kind)
        if pool is None:
            return None
        own = face.pool.crops.rgb[face.position]  # `face` itself may show it with a planted part
        gaps = {
            i: float(np.abs(pool.poses[i] - face.pose).max())
            for i in pool.usable
            if not np.array_equal(pool.crops.rgb[i], own)  # known seconds are of this very track
        }
        ordered = sorted(gaps, key=lambda i: gaps[i])
        if pool is self._track:  # the cleanest of those that look the same way
            near = [i for i in gaps if gaps[i] <= POSE_WITHIN]
            ordered = [*near, *(i for i in ordered if gaps[i] > POSE_WITHIN)]
        return (pool.face(ordered[rank]), gaps[ordered[rank]]) if rank < len(ordered) else None

    def _sources(self, kind: Kind) -> _Pool | None:
        pools = {"known_frame": self._known, "clean_frame": self._track, "donor": self._gallery}
        return pools[kind]

    # -- testing

    def test(self, reference: Reference, *, plant: bool = True, tick: Tick = no_tick) -> Reference:
        """Return the reference with V2 and, on request, V3 (made once per kind and track)."""
        kind = reference.kind
        validity_tests = [reference.validity_tests[0], self._once("V2", kind, tick)]
        if plant:
            validity_tests.append(self._once("V3", kind, tick))
        return replace(reference, validity_tests=tuple(validity_tests))

    def _once(self, name: str, kind: Kind, tick: Tick) -> ValidityTest:
        if (name, kind) not in self._shared:
            run = self._harmless if name == "V2" else self._finds
            self._shared[name, kind] = run(kind, tick)
        return self._shared[name, kind]

    def _known_genuine(self) -> list[_Face]:
        """Return up to `TESTED` faces: known to be genuine, else seeming so, else of others.

        Known material may be another recording, in other light and coding than the track: then
        what is made of it is tested on frames of the track as well that are clear of the threshold.
        """
        track = [self._track.face(i) for i in self._track.usable[:TESTED]]
        known, gallery = (
            []
            if pool is None
            else [pool.face(pool.usable[i]) for i in spread(len(pool.usable), TESTED)]
            for pool in (self._known, self._gallery)
        )
        if known:
            limit = self.threshold - CLEAN_BELOW
            return known + [f for f in track if self._logits[f.position] <= limit]
        return track or gallery

    def _harmless(self, kind: Kind, tick: Tick) -> ValidityTest:
        known = self._known_genuine()
        if not known:
            return ValidityTest("V2", None, None, "no face here is known to be genuine")
        changes, judged = [], []
        for step, face in enumerate(known):
            baseline = self._paint(kind, face)
            if baseline is None:
                continue
            game = RegionGame(self._detector, face.pool.crops, face.position, baseline[0])
            masks = [
                game.full,
                *(game.full ^ (1 << i) for i in np.unique(face.region_map).tolist()),
            ]
            v = game.values(masks, tick=staged(tick, "test reference", step, len(known)))
            changes += np.abs(v[1:] - v[0]).tolist()
            judged += (v[1:] >= self.threshold).tolist()
        if not changes:
            return ValidityTest("V2", None, None, "too few genuine frames to test on")
        value, fakes = float(np.median(changes)), float(np.mean(judged))
        detail = f"{len(changes)} replacements on genuine frames, {fakes:.0%} judged fake"
        return ValidityTest("V2", value <= HARM_MAX and fakes < FAKE_MAX, value, detail)

    def _finds(self, kind: Kind, tick: Tick) -> ValidityTest:
        """Plant a blend into a genuine crop, part by part, and look for it with this kind."""
        known = self._known_genuine()
        if not known:
            return ValidityTest("V3", None, None, "no face here is known to be genuine")
        clean = known[0]
        hits, masses = [], []
        for step, part in enumerate(PARTS):
            forged = plant_in_crop(clean.rgb, clean.mesh, part)
            planted = replace(take(clean.pool.crops, [clean.position]), rgb=forged[None])
            if score(self._detector, planted, 0, forged[None])[0] < self.threshold:
                continue  # what the detector does not see, no explanation can show
            baseline = self._paint(kind, replace(clean, rgb=forged))
            if baseline is None:
                continue
            estimate = antithetic(
                RegionGame(self._detector, planted, 0, baseline[0]),
                pairs=2,
                seed=self.seed,
                tick=staged(tick, "test reference", step, len(PARTS)),
            )
            up = np.maximum(estimate.shares, 0)
            hits.append(REGIONS[int(estimate.shares.argmax())] == part)
            masses.append(float(up[REGIONS.index(part)] / up.sum()) if up.any() else 0.0)
        if not hits:
            return ValidityTest("V3", None, None, "the detector sees none of the planted forgeries")
        hit, mass = float(np.mean(hits)), float(np.mean(masses))
        detail = f"{len(hits)} planted parts seen, positive mass {mass:.2f}"
        return ValidityTest("V3", hit >= HIT_MIN and mass >= MASS_MIN, hit, detail)

    # -- choosing

    def choose(
        self,
        position: int,
        *,
        kinds: Sequence[Kind] = AUTOMATIC,
        plant: bool = True,
        tick: Tick = no_tick,
    ) -> Choice:
        """Make references in order of preference until one passes.

        Parameters
        ----------
        position
            The frame.
        kinds
            What to try, in this order.
        plant
            Whether V3 is run too.

        Returns
        -------
        Choice
            Its reference is None when none is valid: then no region may be named.
        """
        tried: list[Reference] = []
        for kind in kinds:
            baseline = self.best(kind, position)
            if baseline is None:
                continue
            if baseline.validity_tests[0].passed:  # the others cost passes and could not save it
                baseline = self.test(baseline, plant=plant, tick=tick)
            tried.append(baseline)
            if baseline.is_valid:
                return Choice(baseline, tuple(tried))
        return Choice(None, tuple(tried), self.unusable)

    def best(self, kind: Kind, position: int) -> Reference | None:
        """Make a reference of one kind; of donors and known frames the first that passes V1.

        Where none of `SOURCES_TRIED` passes, the one with the lowest logit.
        """
        baseline = self.make(kind, position)
        if kind not in {"known_frame", "donor"} or baseline is None:
            return baseline
        tried = [baseline]
        while not tried[-1].validity_tests[0].passed and len(tried) < SOURCES_TRIED:
            other = self.make(kind, position, rank=len(tried))
            if other is None:
                break
            tried.append(other)
        passed = tried[-1].validity_tests[0].passed
        return tried[-1] if passed else min(tried, key=lambda r: r.logit)

    def seam_control(
        self, reference: Reference, *, total: float | None = None, tick: Tick = no_tick
    ) -> SeamControl:
        """Replace each region by itself through the same steps; the logit must hardly move.

        For a warped reference the frame is warped onto the source and back, which resamples twice
        where the reference was resampled once: careful, not kind. n + 1 passes.

        Parameters
        ----------
        reference
            Made by this object.
        total
            ``v[all] - v[none]``; None takes it from the frame's and the reference's logits.
        """
        p = reference.position
        face = self._track.face(p)
        itself = face.rgb
        if reference.source is not None:
            other = reference.source
            there = warp(itself, correspondence(other.mesh, face.mesh, len(itself)))
            itself = warp(there, correspondence(face.mesh, other.mesh, len(itself)))
            rng = np.random.default_rng(self.seed)
            itself = match(itself, face.rgb, face.region_map, rng)
        game = RegionGame(self._detector, self._crops, p, itself)
        n = game.n_players
        v = game.values([game.full, *(game.full ^ (1 << i) for i in range(n))], tick=tick)
        total = float(v[0]) - reference.logit if total is None else total
        judged = v >= self.threshold
        flips = int((judged != judged[0]).sum())
        return SeamControl(v[1:] - v[0], SEAM_PART * abs(total) / n, flips)


def plant_in_crop(
    rgb: Picture, mesh: NDArray[np.floating], part: str, *, kind: str = "blend"
) -> Picture:
    """Return the (S, S, 3) crop with one part of the face forged, as `forge.plant` does it."""
    width = face_width(mesh)
    mask = region_mask(mesh, (rgb.shape[0], rgb.shape[1]), [part])
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.8, 0.03 * width))
    return blend(PLANTS[kind](rgb, width, 1.0), rgb, mask)


def _poses(crops: FaceCrops) -> Float:
    return np.array([head_pose(m) for m in crops.mesh]).reshape(-1, 3)
