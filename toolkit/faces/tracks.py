"""Find the persons of a video: a coarse scan, then moments per person.

The scan looks at a few moments per second, joins detections to tracklets, breaks them at cuts, and
groups tracklets of the same person. The second pass reads the chosen moments of all persons once,
meshes the faces and cuts the crops; whole frames are never kept, so memory does not grow with the
length of the video.
"""

from __future__ import annotations

import dataclasses
import math
import string
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.errors import ModelError
from toolkit.faces.crops import CropCollector, InputSpec
from toolkit.faces.detect import Detection, FaceDetector, iou
from toolkit.faces.identity import HEIGHT_MIN, SAME_PERSON_MIN, Identity, face_signature
from toolkit.faces.mesh import FaceMesh, head_pose
from toolkit.types import FaceCrops, FaceTrack, Frame, Notice, Sampling, Tick, Video, no_tick

LINK_IOU = 0.3
GAP_S = 1.0  # a tracklet survives this long without a detection
CUT_CHANGE = 18.0  # mean change of 32 x 32 thumbnails, 0-255; a false alarm only asks for identity
STILL_MAX = 4.0  # of 255, in every cell of a thumbnail: what coding a still changes
PERSONS_MAX = 8
EMBED_FIRST = 10  # embeddings of every second detection, then of every fourth
PICTURE_SAME_MIN = 0.75  # correlation with the face last embedded; below it, embed this one too
CHANGED_MAX = 0.45  # cosine to the person so far; persons in five clips kept 0.67 or more
CHANGED_RUN = 2  # embeddings in a row that must say so
UNMIXED_MIN = 0.8  # next to a change, a face less like its own person may be mixed with the other
UPRIGHT_SURE = 0.5  # mean `uprightness`: faces that stood upright had 0.65 or more, others 0.35
UPRIGHT_MORE = 0.15  # so much more must speak for another quarter turn before it is believed
LOOKS_AGAIN = 4  # moments of a doubtful tracklet that are tried in all quarter turns
DOUBTS_MAX = 6  # tracklets that are tried, the heaviest first
TURNED_OVERLAP = 0.2  # a face upside down gets its box a little elsewhere


@dataclass(frozen=True)
class _Look:
    """How upright a tracklet's face stood at one moment: frame index, place in it, 0..1."""

    index: int
    position: int
    uprightness: float


@dataclass(eq=False)
class _Tracklet:
    """One face from its first detection to its last, without a cut between."""

    times: list[float] = field(default_factory=list)
    found: list[Detection] = field(default_factory=list)
    vectors: list[NDArray[np.float64]] = field(default_factory=list)
    looks: list[_Look] = field(default_factory=list)
    vector_at: list[int] = field(default_factory=list)  # which detections were embedded
    signature: NDArray[np.float32] | None = None  # of the face last embedded

    @property
    def wants_look(self) -> bool:
        """Whether to look how upright the newest detection is: the 1st, 3rd, 7th, 15th, ..."""
        count = len(self.found) + 1
        return count & (count - 1) == 0

    @property
    def uprightness(self) -> float:
        """Mean over the looks, 0..1."""
        return float(np.mean([look.uprightness for look in self.looks])) if self.looks else 0.0

    @property
    def weight(self) -> float:
        """Area times presence."""
        return sum(float(f.box[2] * f.box[3]) for f in self.found)

    @property
    def wants_embedding(self) -> bool:
        """Whether the next detection should be embedded, were the face to look as before."""
        return len(self.found) % (2 if len(self.vectors) < EMBED_FIRST else 4) == 0

    @property
    def embedding(self) -> NDArray[np.float64] | None:
        if not self.vectors:
            return None
        mean = np.mean(self.vectors, axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))

    def box_at(self, at_s: float) -> NDArray[np.float64]:
        """Return the box at a time, interpolated between detections."""
        boxes = np.stack([f.box for f in self.found])
        return np.array([np.interp(at_s, self.times, boxes[:, i]) for i in range(4)])

    def part(self, start: int, end: int) -> _Tracklet:
        """Return the detections from `start` to before `end` as a tracklet."""
        vectors = [i for i, at in enumerate(self.vector_at) if start <= at < end]
        looks = [look for look in self.looks if start <= look.position < end]
        return _Tracklet(
            self.times[start:end],
            self.found[start:end],
            [self.vectors[i] for i in vectors],
            [dataclasses.replace(look, position=look.position - start) for look in looks],
            [self.vector_at[i] - start for i in vectors],
        )

    def by_person(self) -> list[_Tracklet]:
        """Return the stretches of one person each: where a face dissolves into another, two.

        A stretch ends with its last embedding that is like the person so far, and the next begins
        with the first that is like whoever comes; what is mixed between them belongs to neither.
        """
        changes = _changes(self.vectors)
        if not changes:
            return [self]
        parts, start = [], 0
        for last, first in changes:
            parts.append(self.part(start, self.vector_at[last] + 1))
            start = self.vector_at[first]
        return [*parts, self.part(start, len(self.found))]

    def overlaps(self, other: _Tracklet) -> bool:
        return self.times[0] <= other.times[-1] and other.times[0] <= self.times[-1]


@dataclass(frozen=True, eq=False)
class PersonTracklets:
    """Tracklets of one person, in order of time."""

    tracklets: tuple[_Tracklet, ...]

    @property
    def seconds(self) -> float:
        """Time on screen between first and last detection of each tracklet."""
        return sum(t.times[-1] - t.times[0] for t in self.tracklets)

    @property
    def weight(self) -> float:
        """Area times presence: who is the main person."""
        return sum(t.weight for t in self.tracklets)

    @property
    def max_score(self) -> float:
        """Highest score of its detections, 0..1."""
        return max(f.score for t in self.tracklets for f in t.found)

    @property
    def hits(self) -> int:
        """Number of detections in the scan."""
        return sum(len(t.found) for t in self.tracklets)


@dataclass(frozen=True, eq=False)
class Scan:
    """What the coarse scan found.

    Attributes
    ----------
    persons
        Most present first.
    looked_at
        Moments that were read.
    without_face
        How many of them show no face.
    cuts : (C,) float64
        Times of the first moment after each presumed cut, seconds.
    video
        The video, turned by quarter turns where that was needed to find faces.
    notices
        What a reader must know.
    """

    persons: tuple[PersonTracklets, ...]
    looked_at: int
    without_face: int
    cuts: NDArray[np.float64]
    video: Video
    notices: tuple[Notice, ...]


def scan_moments(video: Video, sampling: Sampling) -> NDArray[np.int64]:
    """Return the frame indices of the scan: evenly in time, first and last frame included."""
    total = len(video.pts)
    span = float(video.pts[-1] - video.pts[0])
    wanted = min(sampling.scan_limit, max(2, math.ceil(span * sampling.scan_per_second) + 1))
    return nearest_frames(video, np.linspace(video.pts[0], video.pts[-1], min(wanted, total)))


def nearest_frames(video: Video, at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the index of the frame nearest to each time, increasing and without repeats."""
    right = np.clip(np.searchsorted(video.pts, at_s), 1, max(1, len(video.pts) - 1))
    right = np.minimum(right, len(video.pts) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(video.pts[left] - at_s) <= np.abs(video.pts[right] - at_s)
    return np.unique(np.where(closer, left, right)).astype(np.int64)


class FaceReader:
    """The face models of one worker; loads each once. Not thread-safe."""

    def __init__(self) -> None:
        self.detector = FaceDetector()
        self.mesh = FaceMesh()
        self.identity: Identity | None = None
        self.notices: tuple[Notice, ...] = ()
        try:
            self.identity = Identity()
        except ModelError as error:
            text = "Persons are not grouped across cuts: {why}"
            self.notices = (Notice("no_identity", text, values={"why": error.message}),)

    # -- the scan

    def scan(self, video: Video, sampling: Sampling, *, tick: Tick = no_tick) -> Scan:
        """Look through the video for persons and cuts.

        A lost rotation flag, or a camera on its head, shows faces turned; the detector finds such
        faces all the same. So every face's uprightness is looked at, and where it is in doubt, or
        no face is found, a few moments are tried in all quarter turns. The turn for which most
        speaks holds for the video. A face that stands otherwise than the rest is left out, with a
        notice.
        """
        tracklets, scan = self._scan_as_stored(video, sampling, tick)
        video = scan.video
        own_turns = self._turns(video, tracklets)
        turns = _elected(tracklets, own_turns)
        notices: list[Notice] = []
        if turns:
            turned = dataclasses.replace(
                video,
                rotation=(video.rotation + turns) % 4,
                width=video.height if turns % 2 else video.width,
                height=video.width if turns % 2 else video.height,
            )
            text = "Faces stand upright only after turning the picture by {angle} degrees."
            notices.append(Notice("turned", text, values={"angle": 90 * turns}))
            tracklets, scan = self._scan_as_stored(turned, sampling, tick)
            own_turns = self._turns(scan.video, tracklets)
        notices += _left_out(tracklets, own_turns)
        kept: list[_Tracklet] = []
        for tracklet in tracklets:
            if own_turns.get(tracklet, 0):
                continue
            stretches = tracklet.by_person()
            kept += stretches
            text = "A face gives way to another without a cut: the two are judged as two persons."
            notices += [Notice("person_changes", text, t.times[0]) for t in stretches[1:]]
        persons = _group(kept)
        solid = [p for p in persons if p.hits >= 2] or persons
        if len(solid) > PERSONS_MAX:
            text = "{n} persons were found; the {limit} most present are analysed."
            values = {"n": len(solid), "limit": PERSONS_MAX}
            notices.append(Notice("many_persons", text, values=values))
        return dataclasses.replace(
            scan, persons=tuple(solid[:PERSONS_MAX]), notices=(*scan.notices, *notices)
        )

    def _scan_as_stored(
        self, video: Video, sampling: Sampling, tick: Tick
    ) -> tuple[list[_Tracklet], Scan]:
        """Return the tracklets, and a scan that still lacks its persons.

        Where the picture changes its shape, the video is given room for all shapes first.
        """
        shapes: set[tuple[int, int]] = set()
        moments = scan_moments(video, sampling)
        open_: list[_Tracklet] = []
        done: list[_Tracklet] = []
        cuts: list[float] = []
        notices: list[Notice] = list(self.notices)
        before: NDArray[np.int16] | None = None
        looked_at = without_face = 0
        moved = 0.0  # largest change of a thumbnail's cell, 0-255
        for frame in media.read(
            video, moments, tick=tick, stage="scan", notices=notices, shapes=shapes
        ):
            now = frame.pts_seconds
            looked_at += 1
            small = cv2.resize(frame.rgb, (32, 32), interpolation=cv2.INTER_AREA).astype(np.int16)
            changed = np.abs(small - before) if before is not None else np.zeros(1)
            is_cut = float(changed.mean()) > CUT_CHANGE
            moved = max(moved, float(changed.max()))
            before = small
            faces = self.detector(frame.rgb)
            without_face += not faces
            if is_cut:
                cuts.append(now)
                done += open_
                open_ = []
            done += [t for t in open_ if now - t.times[-1] > self._gap(video, moments)]
            open_ = [t for t in open_ if now - t.times[-1] <= self._gap(video, moments)]
            pairs = sorted(
                (
                    (-iou(t.found[-1].box, f.box), i, j)
                    for i, t in enumerate(open_)
                    for j, f in enumerate(faces)
                ),
            )
            free_t, free_f = set(range(len(open_))), set(range(len(faces)))
            for overlap, i, j in pairs:
                if -overlap >= LINK_IOU and i in free_t and j in free_f:
                    self._add(open_[i], frame, faces[j])
                    free_t.discard(i)
                    free_f.discard(j)
            for j in sorted(free_f):
                fresh = _Tracklet()
                self._add(fresh, frame, faces[j])
                open_.append(fresh)
        if (wide := media.widen(video, shapes)) is not video:
            return self._scan_as_stored(wide, sampling, tick)
        combed = tuple(n for n in notices if n.code == "combed")
        if combed:  # with that notice the video is read deinterlaced
            known = dataclasses.replace(video, notices=(*video.notices, *combed))
            tracklets, scan = self._scan_as_stored(known, sampling, tick)
            return tracklets, dataclasses.replace(scan, notices=(*combed, *scan.notices))
        notices += _scan_notices(video, moments, sampling, moved)
        scan = Scan((), looked_at, without_face, np.array(cuts, np.float64), video, tuple(notices))
        return done + open_, scan

    @staticmethod
    def _gap(video: Video, moments: NDArray[np.int64]) -> float:
        """Return how long a tracklet may go unseen: `GAP_S`, more on thinly scanned videos."""
        if len(moments) < 2:
            return GAP_S
        step = float(video.pts[moments[-1]] - video.pts[moments[0]]) / (len(moments) - 1)
        return max(GAP_S, 1.5 * step)

    def _add(self, tracklet: _Tracklet, frame: Frame, face: Detection) -> None:
        if self.identity and face.box[3] >= HEIGHT_MIN:
            signature = face_signature(frame.rgb, face.points)
            before = tracklet.signature
            looks_new = before is None or float(signature @ before) < PICTURE_SAME_MIN
            if looks_new or tracklet.wants_embedding:
                tracklet.vectors.append(self.identity(frame.rgb, face.points))
                tracklet.vector_at.append(len(tracklet.found))
                tracklet.signature = signature
        tracklet.times.append(frame.pts_seconds)
        tracklet.found.append(face)
        if tracklet.wants_look:
            upright = self.mesh.uprightness(frame.rgb, face)
            tracklet.looks.append(_Look(frame.index, len(tracklet.found) - 1, upright))

    def _turns(self, video: Video, tracklets: list[_Tracklet]) -> dict[_Tracklet | None, int]:
        """Return the quarter turns clockwise that set doubtful tracklets upright.

        Without any tracklet, what is said of None holds for all faces of a few moments.
        """
        doubtful = sorted(
            (t for t in tracklets if t.uprightness < UPRIGHT_SURE), key=lambda t: -t.weight
        )[:DOUBTS_MAX]
        seen: dict[_Tracklet | None, NDArray[np.float64]]
        seen = {t: np.zeros(4) for t in (doubtful if tracklets else [None])}
        wanted: dict[int, list[tuple[_Tracklet | None, NDArray[np.float64] | None]]] = {}
        for tracklet in doubtful:
            for look in tracklet.looks[-LOOKS_AGAIN:]:
                here = tracklet.found[look.position].box
                wanted.setdefault(look.index, []).append((tracklet, here))
        if not tracklets:
            few = np.linspace(video.pts[0], video.pts[-1], LOOKS_AGAIN + 2)[1:-1]
            wanted = {int(i): [(None, None)] for i in nearest_frames(video, few)}
        for frame in media.read(video, np.array(sorted(wanted), np.int64), stage="scan"):
            for turns in range(4):
                rgb = np.ascontiguousarray(np.rot90(frame.rgb, -turns))
                faces = self.detector(rgb)
                for key, box in wanted[frame.index]:
                    near = faces
                    if box is not None:
                        expected = _turned_box(box, frame.rgb.shape[:2], turns)
                        near = [f for f in faces if iou(f.box, expected) >= TURNED_OVERLAP]
                    seen[key][turns] += max(
                        (self.mesh.uprightness(rgb, face) for face in near),
                        default=0.0,
                    ) / (LOOKS_AGAIN if key is None else len(key.looks[-LOOKS_AGAIN:]))
        return {
            key: int(sums.argmax()) if sums.max() >= sums[0] + UPRIGHT_MORE else 0
            for key, sums in seen.items()
        }

    # -- moments per person

    def read_faces(
        self, scan: Scan, sampling: Sampling, *, spec: InputSpec, tick: Tick = no_tick
    ) -> tuple[list[tuple[FaceTrack, FaceCrops]], tuple[Notice, ...]]:
        """Read the moments of every person: mesh, pose and crop.

        Parameters
        ----------
        scan
            What `scan` returned.
        spec
            Which crops the detector wants.

        Returns
        -------
        list of (FaceTrack, FaceCrops), notices
            In the order of `scan.persons`; a person without one accepted mesh is left out.
        """
        video = scan.video
        wanted = [self._moments(video, person, sampling) for person in scan.persons]
        union = np.unique(np.concatenate([np.zeros(0, np.int64), *wanted]))
        rows: list[list[tuple[int, float, int, NDArray[np.float64], NDArray[np.float32], float]]]
        rows = [[] for _ in wanted]
        collectors = [CropCollector(spec) for _ in wanted]
        wishes = [set(w.tolist()) for w in wanted]
        notices: list[Notice] = []
        for frame in media.read(video, union, tick=tick, stage="faces", notices=notices):
            free = self.detector(frame.rgb)
            for p, person in enumerate(scan.persons):
                if frame.index not in wishes[p]:
                    continue
                shot, expected = _expected(person, frame.pts_seconds)
                match = max(free, key=lambda f, e=expected: iou(f.box, e), default=None)  # type: ignore[misc]
                if match is None or iou(match.box, expected) < LINK_IOU:
                    continue
                result = self.mesh(frame.rgb, match)
                if result is None:
                    continue
                free = [f for f in free if f is not match]
                collectors[p].add(frame.rgb, result.points, match)
                rows[p].append(
                    (
                        frame.index,
                        frame.pts_seconds,
                        shot,
                        match.box,
                        result.points,
                        result.presence,
                    )
                )
        out: list[tuple[FaceTrack, FaceCrops]] = []
        for person, mine, asked, collector in zip(
            scan.persons, rows, wanted, collectors, strict=True
        ):
            if not mine:
                continue
            index, pts, shots, boxes, meshes, presence = zip(*mine, strict=True)
            track = FaceTrack(
                person=string.ascii_uppercase[len(out)],
                indices=np.array(index, np.int64),
                pts=np.array(pts, np.float64),
                boxes=np.stack(boxes),
                mesh=np.stack(meshes),
                presence=np.array(presence, np.float64),
                pose=np.array([head_pose(m) for m in meshes], np.float64),
                shots=np.array(shots, np.int64),
                seen=np.array([(t.times[0], t.times[-1]) for t in person.tracklets], np.float64),
                max_score=person.max_score,
                sampled=asked,
            )
            out.append((track, collector.crops()))
        return out, tuple(notices)

    @staticmethod
    def _moments(video: Video, person: PersonTracklets, sampling: Sampling) -> NDArray[np.int64]:
        """Return frame indices evenly over the time the person is on screen."""
        count = sampling.frames_for(person.seconds)
        starts = np.array([t.times[0] for t in person.tracklets])
        lengths = np.array([t.times[-1] - t.times[0] for t in person.tracklets])
        ends = np.cumsum(lengths)
        on_screen = np.linspace(0, ends[-1], count)
        which = np.minimum(np.searchsorted(ends, on_screen), len(ends) - 1)
        return nearest_frames(video, starts[which] + on_screen - (ends - lengths)[which])


def _scan_notices(
    video: Video, moments: NDArray[np.int64], sampling: Sampling, moved: float
) -> Iterator[Notice]:
    """Yield what a reader must know of how the scan went."""
    span = float(video.pts[-1] - video.pts[0])
    if len(moments) >= 2 and span * sampling.scan_per_second + 1 > sampling.scan_limit:
        step = span / (len(moments) - 1)
        text = (
            "This long video was looked at every {step:.1f} s only; a person on screen for less "
            "than twice that can be missed."
        )
        yield Notice("thin_scan", text, values={"step": step})
    if len(moments) >= 2 and moved < STILL_MAX:
        yield Notice("still", "Nothing moves: the video shows one picture all the time.")


def _turned_box(box: NDArray[np.float64], size: tuple[int, ...], turns: int) -> NDArray[np.float64]:
    """Return where a box x, y, width, height lies in a picture turned clockwise."""
    (x, y, width, height), (rows, columns) = box.tolist(), size
    for _ in range(turns):
        x, y, width, height = rows - y - height, x, height, width
        rows, columns = columns, rows
    return np.array([x, y, width, height])


def _elected(tracklets: list[_Tracklet], own: dict[_Tracklet | None, int]) -> int:
    """Return the quarter turns that stand most of what is seen of faces upright."""
    if not tracklets:
        return own.get(None, 0)
    votes = np.zeros(4)
    for tracklet in tracklets:
        votes[own.get(tracklet, 0)] += tracklet.weight
    return int(votes.argmax())


def _left_out(tracklets: list[_Tracklet], own: dict[_Tracklet | None, int]) -> Iterator[Notice]:
    """Yield what is said of tracklets that stand otherwise than the rest of the video."""
    for tracklet in tracklets:
        if turns := own.get(tracklet, 0):
            seconds = tracklet.times[-1] - tracklet.times[0]
            text = (
                "A face stands turned by {angle} degrees for {seconds:.1f} s, unlike the rest of "
                "the video; it is not judged."
            )
            values = {"angle": 90 * (4 - turns), "seconds": seconds}
            yield Notice("turned_part", text, tracklet.times[0], values)


def _expected(person: PersonTracklets, at_s: float) -> tuple[int, NDArray[np.float64]]:
    """Return which tracklet a time belongs to (the nearest), and the box expected there."""

    def distance(k: int) -> float:
        times = person.tracklets[k].times
        return max(times[0] - at_s, at_s - times[-1], 0.0)

    shot = min(range(len(person.tracklets)), key=distance)
    return shot, person.tracklets[shot].box_at(at_s)


def _changes(vectors: list[NDArray[np.float64]]) -> list[tuple[int, int]]:
    """Return where one person follows another: last of the one and first of the other.

    Parameters
    ----------
    vectors
        Embeddings of one face in order of time, unit length.

    Returns
    -------
    list of (int, int)
        Positions in `vectors`; those between the two are like neither.
    """
    changes: list[tuple[int, int]] = []
    start, n = 0, len(vectors)
    i = CHANGED_RUN
    while i + CHANGED_RUN <= n:
        mean = np.mean(vectors[start:i], axis=0)
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
        run = vectors[i : i + CHANGED_RUN]
        # unlike the person so far, and alike among themselves: another face, not a bad moment
        if max(float(v @ mean) for v in run) < CHANGED_MAX <= min(float(v @ run[0]) for v in run):
            last, first = i - 1, i
            while last > start and float(vectors[last] @ mean) < UNMIXED_MIN:
                last -= 1
            coming = np.mean(vectors[i + 1 : i + 1 + 2 * CHANGED_RUN], axis=0)
            coming /= max(float(np.linalg.norm(coming)), 1e-12)
            while first < i + CHANGED_RUN and float(vectors[first] @ coming) < UNMIXED_MIN:
                first += 1
            changes.append((last, first))
            start, i = first, first + CHANGED_RUN
        else:
            i += 1
    return changes


def _group(tracklets: list[_Tracklet]) -> list[PersonTracklets]:
    """Group tracklets of the same person: best matching pair of groups first, average linkage."""
    groups = [[t] for t in tracklets]
    vectors = [t.embedding for t in tracklets]
    while True:
        best = (SAME_PERSON_MIN, -1, -1)
        for i in range(len(groups)):
            for j in range(i + 1, len(groups)):
                a, b = vectors[i], vectors[j]
                if a is None or b is None:
                    continue
                # two faces on screen at once are two persons, however alike
                if any(s.overlaps(t) for s in groups[i] for t in groups[j]):
                    continue
                best = max(best, (float(a @ b), i, j))
        _, i, j = best
        if i < 0:
            break
        groups[i] += groups.pop(j)
        merged = vectors[i]
        other = vectors.pop(j)
        if merged is None or other is None:  # cannot be: both were compared above
            break
        mean = merged + other
        vectors[i] = np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))
    persons = [PersonTracklets(tuple(sorted(g, key=lambda t: t.times[0]))) for g in groups]
    return sorted(persons, key=lambda p: -p.weight)
