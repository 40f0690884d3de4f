"""What the player is given: a report and its display copy, as facts, arrays and words.

Facts are plain JSON values, arrays are little-endian and lie one after the other in `Scene.data`.
Everything goes to the browser once; during playback nothing is asked of Python. Times are original
seconds; frames are frames of the display copy; pixels are those of the display copy.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ShapeError, UnknownNameError
from toolkit.explain import ledger
from toolkit.explain.intervals import divide_time
from toolkit.figures.answer import is_by_chance
from toolkit.figures.pictures import EVEN_SHARES, strengths
from toolkit.media.display import DisplayCopy
from toolkit.messages import phrase
from toolkit.player.words import words
from toolkit.types import REGIONS, FaceCrops, FaceTrack, Report, TrackResult

SCHEMA = "doorzicht.scene/1"
MAP_SIDE = 48
"""Side of the region map of a moment, cells on the face crop."""
GRID_MAX = 64
"""Most cells of a heat map, down and across."""

_MARGINS = {"seamnet": 0.125, "seamnet-small": 0.125}
# Of the face oval, as that detector crops: places its heat map when the crops are not at hand.
_MESH_SIDE = 112  # px; regions are painted at this size from the mesh, then thinned to MAP_SIDE
_FACE_MIN = 8.0  # px; a mesh narrower than that was taken out, not measured

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Scene:
    """One report, ready for the player. Made by `Scene.of`.

    Attributes
    ----------
    report, copy
        What it was made of.
    label
        What tells it from the scene beside it; shown above the picture.
    persons
        The persons it holds, in order.
    facts
        JSON values; ``facts["arrays"]`` says where each array lies in `data`.
    data
        The arrays, each at a multiple of 8 bytes.
    video
        Content of the display copy, MP4.
    """

    report: Report
    copy: DisplayCopy
    label: str
    persons: tuple[str, ...]
    facts: dict[str, Any]
    data: bytes
    video: bytes

    @classmethod
    def of(
        cls,
        report: Report,
        copy: DisplayCopy,
        *,
        crops: Mapping[str, FaceCrops] | None = None,
        only: str | None = None,
        label: str = "",
    ) -> Scene:
        """Make the scene of a report.

        Parameters
        ----------
        report
            What to show.
        copy
            Its display copy.
        crops
            By person, as `analysis.examine` keeps them. Without them heat and regions are placed
            by the face mesh of the report.
        only
            Show this person only.
        label
            Shown above the picture.

        Raises
        ------
        UsageError
            If `only` is not a person of the report.
        ShapeError
            If crops do not belong to the report.
        """
        tracks = [r for r in report.tracks if only is None or r.track.person == only]
        if only is not None and not tracks:
            known = [r.track.person for r in report.tracks]
            raise UnknownNameError(
                "no such person in the report",
                only,
                "Known: {known}." if known else "Known: nobody.",
                known=known,
            )
        arrays: dict[str, NDArray[Any]] = {"pts": copy.pts.astype("<f8")}
        persons = []
        for result in tracks:
            person = _Person(report, result, copy, (crops or {}).get(result.track.person))
            persons.append(person.facts())
            arrays |= {f"{result.track.person}.{k}": a for k, a in person.arrays().items()}
        data, places = _joined(arrays)
        cuts = [n.at_s for n in report.notices if n.code == "cut" and n.at_s is not None]
        facts = {
            "schema": SCHEMA,
            "width": copy.width,
            "height": copy.height,
            "start_s": copy.start_s,
            "players": list(REGIONS),
            "cuts": sorted(cuts),
            "speaks": report.decisive,
            "persons": persons,
            "arrays": places,
        }
        names = tuple(r.track.person for r in tracks)
        return cls(report, copy, label, names, facts, data, copy.read_bytes())

    def __repr__(self) -> str:
        who = ",".join(self.persons) or "nobody"
        return f"Scene({self.copy!r}, persons {who}, {self.bytes} bytes)"

    @property
    def bytes(self) -> int:
        """How much goes to the browser, in bytes, without the words."""
        return len(self.data) + len(self.video)

    def frame_at(self, seconds: float) -> int:
        """Return the frame of the copy on screen at an original time; the nearest end outside."""
        at = int(np.searchsorted(self.copy.pts, seconds - self.copy.start_s + 1e-3, "right")) - 1
        return min(max(at, 0), len(self.copy.pts) - 1)

    def position_of(self, person: str, frame: int) -> int:
        """Return the moment of a person's track that a frame belongs to; -1 = none."""
        row = int(self._array(f"{person}.rows")[frame])
        return -1 if row < 0 else int(self._array(f"{person}.positions")[row])

    def frame_of(self, person: str, position: int) -> int | None:
        """Return the frame that shows a moment of a person's track; None where there is none."""
        indices = next(
            (r.track.indices for r in self.report.tracks if r.track.person == person), ()
        )
        known = 0 <= position < len(indices)
        return self.copy.frame_of(int(indices[position])) if known else None

    def _array(self, name: str) -> NDArray[Any]:
        """Return a flat view of one of the arrays."""
        stored = self.facts["arrays"][name]
        kind = np.dtype(f"<{stored['type']}")
        return np.frombuffer(self.data, kind, math.prod(stored["shape"]), stored["at"])

    def strings(self) -> dict[str, Any]:
        """Return the words of the player in the language in use."""
        return words(self.report, self.copy, label=self.label, persons=self.persons)


def _joined(arrays: Mapping[str, NDArray[Any]]) -> tuple[bytes, dict[str, Any]]:
    """Lay arrays one after the other; return the bytes and where each lies."""
    parts: list[bytes] = []
    places: dict[str, Any] = {}
    at = 0
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).tobytes()
        raw += bytes(-len(raw) % 8)
        places[name] = {"type": array.dtype.str[1:], "shape": list(array.shape), "at": at}
        parts.append(raw)
        at += len(raw)
    return b"".join(parts), places


class _Person:
    """One person's facts and arrays."""

    def __init__(
        self, report: Report, result: TrackResult, copy: DisplayCopy, crops: FaceCrops | None
    ) -> None:
        if crops is not None and len(crops.rgb) != len(result.track.pts):
            have = phrase(
                "{crops} crops, {moments} moments",
                crops=len(crops.rgb),
                moments=len(result.track.pts),
            )
            raise ShapeError("the crops do not belong to this report", have)
        self._result, self._track, self._copy = result, result.track, copy
        self._scale = np.array([copy.width, copy.height]) / (
            report.video.width,
            report.video.height,
        )
        # A redacted track has neither boxes nor mesh: then nothing is placed, crops or not.
        is_placed = bool((self._track.boxes[:, 2:] > 0).any())
        self._crops = crops if is_placed else None
        self._squares = (
            self._place(report) if is_placed else np.full((len(self._track.pts), 3), np.nan)
        )
        spans = result.evidence.spans
        self._rows = (spans[:, 0] + spans[:, 1]) // 2
        self._times = (self._track.pts[spans[:, 0]] + self._track.pts[spans[:, 1]]) / 2
        self._shots = self._track.shots[spans[:, 0]]
        self._shown = copy.pts + copy.start_s

    def facts(self) -> dict[str, Any]:
        result, verdict = self._result, self._result.verdict
        explanation = result.explanation
        keys = {k.position for k in result.key_frames}
        return {
            "person": self._track.person,
            "abstained": bool(verdict.abstained or verdict.logit is None),
            "forged": bool(verdict.is_fake),
            "threshold": float(verdict.threshold),
            "intervals": [[i.start_s, i.end_s] for i in explanation.intervals]
            if explanation and not verdict.abstained
            else [],
            "by_chance": not verdict.abstained and is_by_chance(result),
            "seen": self._track.seen.tolist(),
            "keys": [row for row, at in enumerate(self._rows.tolist()) if at in keys],
            "has_shares": explanation is not None,
            "reference_kind": explanation.reference_kind if explanation else "",
            "reference": None if explanation is None else float(explanation.reference_logit),
            "logit": None if verdict.logit is None else float(verdict.logit),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return T = frames of the copy, M = judged moments: see `scene.js` for each meaning."""
        row_of_frame, starts, ends, stretch = self._time()
        explanation = self._result.explanation
        m = len(self._times)
        shares = np.zeros((m, len(REGIONS) + 1), "<f4")
        if explanation is not None:
            shares[:, :-1], shares[:, -1] = explanation.shares, explanation.unsplit
        arrays: dict[str, NDArray[Any]] = {
            "times": self._times.astype("<f8"),
            "starts": starts.astype("<f8"),
            "ends": ends.astype("<f8"),
            "stretch": stretch.astype("<i4"),
            "logits": self._result.evidence.logits.astype("<f4"),
            "shares": shares,
            "moments": self._moments(),
            "strength": strengths(self._result).astype("<f4"),
            "positions": self._rows.astype("<i4"),
            "frames": self._frames().astype("<i4"),
            "rows": row_of_frame.astype("<i4"),
            "boxes": self._follow(self._boxes()).astype("<f4"),
            "squares": self._follow(self._squares).astype("<f4"),
        }
        if np.isfinite(self._squares).any():
            arrays["map"] = self._map()
            # Where no verdict is given, no map says where it would have come from.
            heat = None if self._result.verdict.abstained else self._heat()
            if heat is not None:
                arrays["heat"] = heat
        return arrays

    def _time(self) -> tuple[NDArray[np.int64], Float, Float, NDArray[np.int64]]:
        """Return the row of each frame (-1 = none) and the time that each row stands for."""
        nothing = np.full(len(self._shown), -1, np.int64)
        if not len(self._times):
            return nothing, np.zeros(0), np.zeros(0), np.zeros(0, np.int64)
        cells = divide_time(self._times, self._shots)
        row = np.searchsorted(cells.start_s, self._shown, side="right") - 1
        inside = (row >= 0) & (self._shown <= cells.end_s[np.maximum(row, 0)])
        rows = np.where(inside, row, nothing)
        frames = self._frames()
        rows[frames[frames >= 0]] = np.flatnonzero(frames >= 0)  # a judged frame shows itself
        return rows, cells.start_s, cells.end_s, cells.stretch

    def _frames(self) -> NDArray[np.int64]:
        """Return the frame of the copy that shows each row; -1 where none does."""
        indices = self._track.indices[self._rows]
        at = np.clip(np.searchsorted(self._copy.indices, indices), 0, len(self._copy.indices) - 1)
        return np.where(self._copy.indices[at] == indices, at, -1)

    def _boxes(self) -> Float:
        boxes = self._track.boxes.copy()
        boxes[(boxes[:, 2:] <= 0).any(axis=1)] = np.nan
        return boxes * np.tile(self._scale, 2)

    def _place(self, report: Report) -> Float:
        """Return left, top and side of each moment's crop in pixels of the copy; NaN = unknown."""
        if self._crops is not None:
            squares = self._upright[0]
        else:
            squares = _mesh_squares(self._track, _MARGINS.get(_detector(report), 0.125))
        return np.asarray(squares * [*self._scale, self._scale[0]])

    def _follow(self, values: Float) -> Float:
        """Interpolate (N, C) values of moments to every frame; NaN where the person is not seen."""
        out = np.full((len(self._shown), values.shape[1]), np.nan)
        pts = self._track.pts
        if not len(pts):
            return out
        cells = divide_time(pts, self._track.shots)
        for stretch in np.unique(cells.stretch):
            rows = np.flatnonzero((cells.stretch == stretch) & np.isfinite(values).all(axis=1))
            if not len(rows):
                continue
            first, last = float(cells.start_s[rows[0]]), float(cells.end_s[rows[-1]])
            here = np.flatnonzero((self._shown >= first) & (self._shown <= last))
            for column in range(values.shape[1]):
                out[here, column] = np.interp(self._shown[here], pts[rows], values[rows, column])
        at = np.searchsorted(self._copy.indices, self._track.indices)
        at = np.minimum(at, len(self._copy.indices) - 1)
        exact = self._copy.indices[at] == self._track.indices
        out[at[exact]] = values[exact]
        return out

    def _heat(self) -> NDArray[np.uint8] | None:
        """Return (M, h, w): 128 = nothing, 255 and 1 = the full colour for and against."""
        evidence = self._result.evidence
        maps = [ledger.heat(evidence, row) for row in range(len(self._times))]
        if not maps or maps[0] is None:
            return None
        stack = np.stack([m for m in maps if m is not None]).astype(np.float64)
        scaled = np.clip(stack * stack[0].size / EVEN_SHARES, -1, 1)
        step = -(-max(scaled.shape[1:]) // GRID_MAX)
        return np.asarray(np.rint(scaled[:, ::step, ::step] * 127) + 128, np.uint8)

    def _moments(self) -> NDArray[np.float32]:
        """Return each frame's own division, (M, 11) in logits: `REGIONS`, then not divided.

        A row adds up to the frame's logit minus the reference's. Where the detector has no
        patches, or nobody knows where the face lies, all of it stays undivided.
        """
        evidence, explanation = self._result.evidence, self._result.explanation
        own = np.zeros((len(self._times), len(REGIONS) + 1))
        if explanation is None or self._result.verdict.abstained:
            return own.astype("<f4")
        is_single = bool((evidence.spans[:, 0] == evidence.spans[:, 1]).all())
        if self._crops is not None or (is_single and np.isfinite(self._squares).any()):
            maps = self._maps if self._crops is None else self._crops.region_map
            rows = evidence
            if self._crops is None:  # a map for each row, not for each moment of the track
                at = np.arange(len(self._rows), dtype=np.int64)
                rows = dataclasses.replace(evidence, spans=np.stack([at, at], axis=1))
            divided = ledger.construction(rows, maps)
            if divided is not None:
                own[:, :-1] = divided
        own[:, -1] = ledger.frame_logits(evidence) - explanation.reference_logit
        own[:, -1] -= own[:, :-1].sum(axis=1)
        return own.astype("<f4")

    @functools.cached_property
    def _upright(self) -> tuple[Float, NDArray[np.uint8]]:
        """Return where each crop lies and its regions; a turned one as the square round it."""
        from toolkit.faces.crops import upright

        assert self._crops is not None
        return upright(
            self._crops.crop_to_frame, self._crops.region_map, fill=REGIONS.index("background")
        )

    @functools.cached_property
    def _maps(self) -> NDArray[np.uint8]:
        """Which region each pixel of the crop belongs to, for each row."""
        if self._crops is not None:
            return np.asarray(self._upright[1][self._rows])
        from toolkit.faces.crops import Square, mesh_in_crop
        from toolkit.faces.regions import region_map_of

        maps = np.full(
            (len(self._rows), _MESH_SIDE, _MESH_SIDE), REGIONS.index("background"), np.uint8
        )
        for row, at in enumerate(self._rows.tolist()):
            if np.isfinite(self._squares[at]).all():
                left, top, side = self._squares[at] / [*self._scale, self._scale[0]]
                square = Square(round(left), round(top), round(side))
                mesh = mesh_in_crop(self._track.mesh[at], square, _MESH_SIDE)
                maps[row] = region_map_of(mesh, _MESH_SIDE)
        return maps

    def _map(self) -> NDArray[np.uint8]:
        """Return which player each cell of the crop belongs to: (M, MAP_SIDE, MAP_SIDE)."""
        maps = self._maps
        pick = ((np.arange(MAP_SIDE) + 0.5) * maps.shape[1] / MAP_SIDE).astype(int)
        return np.asarray(maps[:, pick[:, None], pick], np.uint8)


def _detector(report: Report) -> str:
    return str(report.settings.get("detector", {}).get("name", ""))


def _mesh_squares(track: FaceTrack, margin: float) -> Float:
    from toolkit.faces.crops import face_square, face_width

    out = np.full((len(track.pts), 3), np.nan)
    for row, mesh in enumerate(track.mesh):
        if face_width(mesh) >= _FACE_MIN:
            square = face_square(mesh, margin=margin)
            out[row] = square.left, square.top, square.side
    return out
