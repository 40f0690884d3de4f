"""Everything that a case's report says, as plain values in no language: most of `report.json`.

`collect` reads the case and nothing else, so the same case gives the same values. Numbers keep
every digit; what is not known is null, never left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.casework import operations
from toolkit.casework.case import ALTERNATIVES, Case, Exhibit

SCHEMA = "doorzicht.case-report/1"
PURPOSE = "structured after ENFSI, SWGDE and ISO/IEC habits; not a statement of compliance"

POINTS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("exhibits", ("exhibits.*.integrity", "exhibits.*.received")),
    2: ("files", ("exhibits.*.derived",)),
    3: ("container", ("exhibits.*.container", "exhibits.*.credentials")),
    4: ("question", ("question", "propositions")),
    5: ("method", ("exhibits.*.method",)),
    6: ("validation", ("exhibits.*.validation",)),
    7: ("result", ("exhibits.*.result",)),
    8: ("persons", ("exhibits.*.persons",)),
    9: ("figures", ("exhibits.*.attribution",)),
    10: ("alternatives", ("alternatives",)),
    11: ("limits", ("limits",)),
    12: ("log", ("log",)),
    13: ("people", ("examiner", "opinions", "review", "conflict_of_interest")),
    14: ("privacy", ("privacy",)),
    15: ("summary", ("summary", "glossary")),
}
"""The 15 points: the section in which each stands, and its fields in `report.json`."""


@dataclass(frozen=True)
class ReportRequest:
    """How a report is asked for.

    Attributes
    ----------
    language
        Of its words.
    reveal
        Persons who may be seen, as in `steps.parse_reveal`, by exhibit.
    video
        Whether a covered copy of each video is put in.
    name_source
        Whether the names and places that a file came from are printed although persons are covered.
    """

    language: str
    reveal: Mapping[str, frozenset[str]]
    video: bool = True
    name_source: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the log."""
        return {
            "language": self.language,
            "reveal": {e: sorted(p) for e, p in sorted(self.reveal.items()) if p},
            "video": self.video,
            "name_source": self.name_source,
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> ReportRequest:
        """Return what `to_dict` wrote."""
        reveal = {e: frozenset(p) for e, p in facts["reveal"].items()}
        return cls(facts["language"], reveal, facts["video"], facts["name_source"])


def collect(case: Case, asked: ReportRequest) -> dict[str, Any]:
    """Return the facts of a case's report.

    Raises
    ------
    IntegrityError
        If something in the case is not what its log says.
    """
    entries, about, notes = case.entries(), case.facts, case.notes()
    exhibits = [_exhibit(case, e, asked) for e in case.exhibits() if e.analyses]
    others = [_not_analysed(case, e, asked) for e in case.exhibits() if not e.analyses]
    asked_last = [n["text"] for n in notes if n["kind"] == "question"]
    stated = [n for n in notes if n["kind"] == "propositions"]
    return {
        "schema": SCHEMA,
        "purpose": PURPOSE,
        "language": asked.language,
        "title": about["title"] or None,
        "opened": about["created"],
        "date": entries[-1].utc,
        "question": {"text": asked_last[-1] if asked_last else None, "history": asked_last},
        "propositions": {
            "stated_by_examiner": bool(stated),
            "h1": stated[-1]["h1"] if stated else None,
            "h2": stated[-1]["h2"] if stated else None,
        },
        "exhibits": exhibits,
        "not_analysed": others,
        "alternatives": _alternatives(notes, exhibits),
        "compared": operations.compared(case),
        "notes": [n for n in notes if n["kind"] == "text"],
        "examiner": {"name": about["examiner"] or None, "role": about["role"] or None},
        "opinions": [n for n in notes if n["kind"] == "opinion"],
        "review": [n for n in notes if n["kind"] == "review"],
        "conflict_of_interest": [n for n in notes if n["kind"] == "conflict"],
        "privacy": {
            "legal_basis": about["legal_basis"] or None,
            "retention": about["retention"] or None,
            "asked": asked.to_dict(),
            "covered": {e["id"]: e["covered_persons"] for e in exhibits},
            "synthetic_material": [e["id"] for e in exhibits if e["is_marked_synthetic"]],
        },
        "log": {
            "head": entries[-1].sha256,
            "entries": [
                {
                    "n": e.n,
                    "utc": e.utc,
                    "event": e.event,
                    "facts": e.facts,
                    "files": len(e.files),
                    "sha256": e.sha256,
                }
                for e in entries
            ],
        },
        "checklist": {
            str(number): {"section": section, "fields": list(fields)}
            for number, (section, fields) in POINTS.items()
        },
    }


def _exhibit(case: Case, exhibit: Exhibit, asked: ReportRequest) -> dict[str, Any]:
    folder = operations.latest(case, exhibit)

    def stored(name: str) -> Any:
        return case.read_json(f"{folder}/{name}.json")

    analysis, detector, run = stored("analysis"), stored("detector"), stored("run")
    reveal = asked.reveal.get(exhibit.id, frozenset())
    persons = [t["id"] for t in analysis["tracks"]]
    covered = [p for p in persons if p not in reveal]
    # without a person found there may still be one in the picture: then nothing is told either
    is_open = not covered and bool(persons)
    container = stored("provenance")
    if not is_open:
        container = _without_private(container)
    is_marked = "synthetic" in str(stored("provenance")["metadata"]).lower()
    return {
        "id": exhibit.id,
        "folder": folder,
        "is_open": is_open,
        "covered_persons": covered,
        "is_marked_synthetic": is_marked,
        "integrity": _integrity(case, exhibit),
        "received": _received(exhibit, is_open or asked.name_source),
        "derived": _derived(case, exhibit, folder),
        "container": container,
        "credentials": stored("credentials") if is_open else unnamed(stored("credentials")),
        "method": {
            "detector": {k: v for k, v in detector.items() if k != "training"},
            "training": detector["training"],
            "settings": stored("settings"),
            "used": analysis["settings"],
            "software": {
                k: run[k] for k in ("python", "system", "threads", "versions") if k in run
            },
        },
        "validation": {
            "held_back": _held_back(detector),
            "calibration": detector.get("calibration"),
            "matches_this_material": None,
            "date": (detector.get("calibration") or {}).get("date"),
            "exhibit": [
                {k: v for k, v in c.items() if k not in {"sampled", "unused"}}
                for c in stored("conditions")
            ],
        },
        "result": {"verdict": analysis["verdict"], "persons": len(persons)},
        "persons": [_person(t, stored("conditions")) for t in analysis["tracks"]],
        "attribution": {
            "method": "shapley_closed_form_over_frames_and_regions",
            "target": "logit_of_forged",
            "unit": "logit",
            "trust": stored("trust"),
            "figures": [
                {
                    "person": t["id"],
                    "reference": t["reference"],
                    "residual": t["residual"],
                    "on": "face" if t["id"] in reveal else "line_drawn_head",
                }
                for t in analysis["tracks"]
            ],
        },
        "reshares": reshares(case, exhibit),
        "analysis": analysis,
    }


def _not_analysed(case: Case, exhibit: Exhibit, asked: ReportRequest) -> dict[str, Any]:
    """Return what is known of a file that was received but that nothing was found out about."""
    stopped = [
        {"event": e.event, "what": e.facts.get("what")}
        | ({"message": e.facts["message"]} if "message" in e.facts else {})
        for e in case.entries()
        if e.event in {"refused", "cancelled"} and e.facts.get("exhibit") == exhibit.id
    ]
    return {
        "id": exhibit.id,
        "integrity": _integrity(case, exhibit),
        "received": _received(exhibit, asked.name_source),
        "why": stopped[-1] if stopped else None,
    }


def _integrity(case: Case, exhibit: Exhibit) -> dict[str, Any]:
    """Return hash and size at intake and at the last check."""
    checks: list[tuple[str, dict[str, Any]]] = []
    for entry in case.entries():
        check = entry.facts.get("check")
        if not isinstance(check, dict):
            continue
        if entry.facts.get("exhibit") == exhibit.id:
            checks.append((entry.utc, check))
        elif isinstance(check.get(exhibit.id), dict):
            checks.append((entry.utc, check[exhibit.id]))
    at_s, last = checks[-1] if checks else (None, {})
    return {
        "sha256_at_intake": exhibit.facts["sha256"],
        "bytes_at_intake": exhibit.facts["bytes"],
        "taken_in_at": exhibit.facts["taken_in_at"],
        "sha256_at_end": last.get("sha256"),
        "bytes_at_end": last.get("bytes"),
        "checked_at": at_s,
        "original_kept_in_case": exhibit.facts["is_kept"],
        "original_written_to": False,
    }


def _received(exhibit: Exhibit, is_told: bool) -> dict[str, Any]:
    """Return who received it, when and how; whence only if that may be told."""
    facts = exhibit.facts
    private = ("original_name", "received_from", "source", "original_changed_at")
    public = {key: (facts[key] or None) if is_told else None for key in private}
    return {
        "by": facts["received_by"] or None,
        "at": facts["received_at"] or None,
        "how": facts["how"] or None,
        **public,
        "withheld": [] if is_told else [key for key in private if facts[key]],
    }


def _derived(case: Case, exhibit: Exhibit, folder: str) -> dict[str, Any]:
    files = case.files()
    pictures = case.read_json(f"{folder}/pictures.json")
    return {
        "working_copy_sha256": files[exhibit.working_copy],
        "files": {
            name: sha256
            for name, sha256 in files.items()
            if name.startswith(f"derived/{exhibit.id}/")
        },
        "pictures": [{**p, "file": f"{folder}/{p['file']}"} for p in pictures],
    }


def _without_private(container: dict[str, Any]) -> dict[str, Any]:
    private_codes = {"several_encoders", "creation_time_epoch"}
    return {
        **container,
        "encoders": [],
        "encoder_settings": None,
        "creation_time": None,
        "metadata": [],
        "signs": [s for s in container["signs"] if s["code"] not in private_codes],
        "private_left_out": True,
    }


def unnamed(credentials: dict[str, Any]) -> dict[str, Any]:
    """Return credentials without what may name a person."""
    names = ("signer", "signed_at", "remote_url", "statement", "generator")
    return {**credentials, **dict.fromkeys(names)}


def _held_back(detector: dict[str, Any]) -> dict[str, Any] | None:
    """Return how genuine clips fared, with a 95 % interval of the part that was called forged."""
    counts = detector.get("held_back")
    if not counts:
        return None
    low, high = wilson(counts["called_forged"], counts["genuine"])
    return {**counts, "called_forged_low": low, "called_forged_high": high}


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion.

    Examples
    --------
    >>> [round(v, 3) for v in wilson(6, 34)]
    [0.083, 0.335]
    """
    if n == 0:
        return 0.0, 1.0
    middle = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def _person(track: dict[str, Any], known: list[dict[str, Any]]) -> dict[str, Any]:
    mine = next(c for c in known if c["person"] == track["id"])
    return {
        "id": track["id"],
        "seen": track["seen"],
        "verdict": track["verdict"],
        "intervals": track["intervals"] or [],
        "frames_sampled": len(mine["sampled"]),
        "frames_used": [f["index"] for f in track["frames"]],
        "frames_unused": mine["unused"],
    }


def reshares(case: Case, exhibit: Exhibit) -> dict[str, Any] | None:
    """Return the outcomes of the last re-shares of an exhibit, or None."""
    pairs = [
        name
        for e in case.entries()
        if e.event == "reshares_tried" and e.facts["exhibit"] == exhibit.id
        for name in e.files
    ]
    return case.read_json(pairs[-1]) if pairs else None


def _alternatives(
    notes: list[dict[str, Any]], exhibits: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the other explanations: what a person wrote last stands over what was computed."""
    listed: dict[str, dict[str, Any]] = {
        name: {"name": name, "state": "not_tested", "why": None, "by": None}
        for name in ALTERNATIVES
    }
    listed["dubbing"] |= {"state": "not_testable", "why": "sound_not_examined"}
    tried = [e["id"] for e in exhibits if e["reshares"]]
    if tried and len(tried) == len(exhibits):
        listed["recompression"] |= {"state": "tested", "why": "reshares"}
    for note in notes:
        if note["kind"] == "alternative":
            listed[note["alternative"]] = {
                "name": note["alternative"],
                "state": note["state"],
                "why": note["text"] or None,
                "by": note["by"] or None,
            }
    return list(listed.values())
