"""What can be done with a case: take in and analyse, cover faces, try re-shares, sign.

Each step works on the working copy, checks at its end that original and working copy are what was
taken in, and only then writes its line in the log.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import models
from toolkit.casework import archive
from toolkit.casework.case import Case, CaseError, Exhibit, dump
from toolkit.casework.intake import Original
from toolkit.detectors import registry
from toolkit.errors import Cancelled, ToolkitError, UnknownNameError, UsageError
from toolkit.files import atomic_write, parse_json
from toolkit.messages import phrase
from toolkit.types import Examination, FaceCrops, Report, Sampling, Tick, Video, no_tick
from toolkit.verdict import calibration
from toolkit.verdict.aggregate import TOP_PART, rule_text

VIDEO_LONGEST_S = 600.0
"""A covered copy shows at most so much of a video."""
NOTEBOOK_VARIABLE = "JPY_SESSION_NAME"
"""Where Jupyter tells a kernel which notebook it belongs to."""

SIDE_BY_SIDE = "side_by_side.png"

Examine = Callable[..., Any]
"""`analysis.examine`, or what stands in for it in a test."""


def add(
    case: Case,
    file: Path | str,
    *,
    exhibit: str | None = None,
    received_from: str = "",
    received_by: str = "",
    received_at: str = "",
    how: str = "",
    source: str = "",
    keep: bool = True,
    detector: str = "seamnet",
    device: str = "auto",
    sampling: Sampling | None = None,
    seed: int = 0,
    trust: bool = True,
    examine: Examine | None = None,
    on_partial: Any = None,
    tick: Tick = no_tick,
) -> Exhibit:
    """Take a file in and analyse it.

    A file that was taken in before but never analysed, because that was interrupted, is analysed
    now.

    Parameters
    ----------
    case, file
        Where to, and a local video file.
    exhibit, received_from, received_by, received_at, how, source, keep
        As for `Case.take_in`.
    detector, device, sampling, seed, on_partial
        As for `analysis.examine`.
    trust
        Whether to test the explanation on the strongest frame: about a minute more.
    tick
        Called with the stages intake, those of the analysis, provenance, and those of `trust`.

    Raises
    ------
    CaseError
        If the file is in the case and analysed already, or the name does not fit.
    IntegrityError
        If the file changes during the run.
    VideoError
        If it cannot be read as video; it stays in the case.
    Cancelled
        If `tick` raises it; what was taken in stays in the case.
    """
    with case.working("add"), Original(Path(file)) as original:
        taken = case.take_in(
            original,
            exhibit=exhibit,
            received_from=received_from,
            received_by=received_by,
            received_at=received_at,
            how=how,
            source=source,
            keep=keep,
            tick=tick,
        )
        if taken.analyses:
            raise CaseError(
                "this file is in the case already", taken.id, "Use `case analyse` to do it again."
            )
        _analyse(
            case,
            taken,
            original=original,
            detector=detector,
            device=device,
            sampling=sampling,
            seed=seed,
            trust=trust,
            examine=examine,
            on_partial=on_partial,
            tick=tick,
        )
        return case.exhibit(taken.id)


def analyse(
    case: Case,
    exhibit: str | None = None,
    *,
    detector: str = "seamnet",
    device: str = "auto",
    sampling: Sampling | None = None,
    seed: int = 0,
    trust: bool = True,
    examine: Examine | None = None,
    on_partial: Any = None,
    tick: Tick = no_tick,
) -> Exhibit:
    """Analyse an exhibit, perhaps again with other settings; parameters as for `add`."""
    with case.working("analyse"):
        chosen = case.exhibit(exhibit)
        _analyse(
            case,
            chosen,
            original=None,
            detector=detector,
            device=device,
            sampling=sampling,
            seed=seed,
            trust=trust,
            examine=examine,
            on_partial=on_partial,
            tick=tick,
        )
        return case.exhibit(chosen.id)


def _analyse(
    case: Case,
    exhibit: Exhibit,
    *,
    original: Original | None,
    detector: str,
    device: str,
    sampling: Sampling | None,
    seed: int,
    trust: bool,
    examine: Examine | None,
    on_partial: Any,
    tick: Tick,
) -> None:
    from toolkit.analysis import pipeline as analysis
    from toolkit.media import credentials, provenance

    sampling = sampling or Sampling()
    asked = {
        "detector": detector,
        "device": device,
        "seed": seed,
        "sampling": sampling.to_dict(),
        "trust": trust,
    }
    copy = case.path(exhibit.working_copy)
    judge: Any = detector
    try:
        if examine is None:
            judge = registry.load(detector, device=device)
        found = (examine or analysis.examine)(
            copy,
            detector=judge,
            device=device,
            sampling=sampling,
            seed=seed,
            on_partial=on_partial,
            tick=tick,
        )
        container = provenance.inspect(copy, tick=tick)
        signed = credentials.read_credentials(copy, tick=tick)
        tested = _trust(judge, found, seed, tick) if trust and examine is None else None
    except (ToolkitError, KeyboardInterrupt) as error:
        word = "cancelled" if isinstance(error, Cancelled | KeyboardInterrupt) else "refused"
        cause = error.parts[0] if isinstance(error, ToolkitError) else phrase("interrupted")
        facts = {"exhibit": exhibit.id, "step": "analyse", "what": str(cause)}
        case.record(word, facts=facts | {"message": cause.to_plain()})
        raise
    end = case.check(exhibit, original=original)
    target = case.free_name(f"derived/{exhibit.id}", "A")
    with case.step(target) as folder:
        contents = _write_examination(folder, found, Path(exhibit.working_copy), judge)
        contents |= {
            "settings.json": asked,
            "provenance.json": container.to_dict(),
            "credentials.json": signed.to_dict(),
            "trust.json": tested,
        }
        for name, content in contents.items():
            (folder / name).write_text(dump(content), encoding="utf-8")
        (folder / "environment.txt").write_text(environment(), encoding="utf-8")
    defaults = {"detector": "seamnet", "device": "auto", "seed": 0, "trust": True}
    defaults |= {"sampling": Sampling().to_dict()}
    case.record_folder(
        "analysed",
        target,
        facts={
            "exhibit": exhibit.id,
            "settings": asked,
            "changed": sorted(k for k, v in asked.items() if v != defaults[k]),
            "notebook_sha256": notebook_sha256(),
            "check": end,
        },
    )


def _write_examination(
    folder: Path, examination: Examination, copy: Path, judge: Any
) -> dict[str, Any]:
    """Write an examination and its pictures; return the facts of it, by file.

    Every path in what is stored is one within the case: that of the working copy.
    """
    from toolkit.analysis import pipeline as analysis

    seen = examination.report
    report = dataclasses.replace(seen, video=dataclasses.replace(seen.video, path=copy))
    archive.write(Examination(report, examination.crops), folder / "examination.npz")
    return {
        "analysis.json": analysis.to_dict(report),
        "run.json": analysis.run_facts(seen),
        "detector.json": detector_facts(judge, report),
        "conditions.json": conditions(report, examination.crops),
        "pictures.json": _write_pictures(report, folder),
    }


def notebook_sha256() -> str | None:
    """Return the hash of the notebook that this runs in, as it is on disk; None without one."""
    name = os.environ.get(NOTEBOOK_VARIABLE, "")
    if not name or not Path(name).is_file():
        return None
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def environment() -> str:
    """Return every installed package with its version, one a line, sorted."""
    described = [d.metadata for d in distributions()]  # read from its file at each access
    packages = {f"{d['Name']}=={d['Version']}" for d in described if d["Name"]}
    lines = [f"python=={platform.python_version()}", *sorted(packages, key=str.lower)]
    return "\n".join(lines) + "\n"


def detector_facts(judge: Any, report: Report) -> dict[str, Any]:
    """Return what a report must say about the detector: its card, and what it looks at."""
    settings = report.settings["detector"]
    card = getattr(judge, "card", None)
    facts: dict[str, Any] = {**settings, "title": None, "blind_to": [], "input": None}
    if card is not None:
        facts |= {
            "title": card.title,
            "licence": card.licence,
            "blind_to": list(card.blind_to),
            "input": {
                "size": judge.spec.size,
                "margin": judge.spec.margin,
                "crop": judge.spec.crop,
                "outside": judge.spec.outside,
                "normalisation": [list(row) for row in card.normalisation] or None,
            },
        }
    rule = rule_text(settings.get("top_part", TOP_PART))
    ratio = calibration.find(settings["name"], settings["weights_sha256"], rule=rule)
    facts["calibration"] = dataclasses.asdict(ratio) if ratio else None
    name = registry.name_now(settings["name"], settings["weights_sha256"])
    path = models.ROOT / "models" / f"{name}.json"
    facts["training"] = None
    if path.is_file():
        known = parse_json(path.read_text(encoding="utf-8"))
        if known.get("sha256") == settings["weights_sha256"]:
            kept = ("recipe", "steps_done", "pictures", "training_clips", "held_back", "validation")
            facts["training"] = {k: known[k] for k in kept if k in known}
            # how far its logits may be apart on two machines
            gaps = [known.get("paths", {}).get("largest"), *_tolerances(known)]
            facts["rounding"] = max((g for g in gaps if g is not None), default=None)
    return facts


def _tolerances(card: Mapping[str, Any]) -> list[float]:
    return [float(path["tolerance"]) for path in card.get("canary", {}).values()]


def conditions(report: Report, crops: Mapping[str, FaceCrops]) -> list[dict[str, Any]]:
    """Return for each person how well it could be seen, and which moments were (not) used."""
    found = []
    for r in report.tracks:
        seen = crops[r.track.person]
        used = set(r.track.indices.tolist())
        sampled = sorted({*r.track.sampled.tolist(), *used})
        found.append(
            {
                "person": r.track.person,
                "face_width_px": float(np.median(seen.face_width)),
                "sharpness": float(np.median(seen.sharpness)),
                "outside_picture": float(np.median(seen.padding)),
                "yaw_degrees": float(np.median(np.abs(r.track.pose[:, 0]))),
                "sampled": sampled,
                "unused": [
                    {"index": i, "pts": float(report.video.pts[i]), "why": "no_usable_face"}
                    for i in sampled
                    if i not in used
                ],
            }
        )
    return found


def _trust(judge: Any, examination: Examination, seed: int, tick: Tick) -> dict[str, Any] | None:
    """Test the explanation of the clip's verdict on its strongest frame.

    The panel on screen asks the same `PersonExplainer` with the same donors, so both say the same.
    """
    from toolkit import samples
    from toolkit.explain import costs, session

    report = examination.report
    decisive = next((r for r in report.tracks if r.track.person == report.decisive), None)
    if decisive is None or decisive.explanation is None or decisive.verdict.abstained:
        return None
    donors = samples.donor_clips(report.video.sha256)
    subject = session.PersonExplainer(
        examination, decisive.track.person, detector=judge, donors=donors, seed=seed
    )
    position = session.strongest(decisive)
    panel = subject.trust(position, tick=costs.counted(subject, tick, "trust"))
    intervention = panel.intervention
    return {
        "person": decisive.track.person,
        "frame": int(decisive.track.indices[position]),
        "pts": float(decisive.track.pts[position]),
        "reference": panel.reference.kind if panel.reference else None,
        "donors": [
            {"file": clip.name, "sha256": hashlib.sha256(clip.read_bytes()).hexdigest()}
            for clip in subject.donors_read
        ],
        "names_regions": intervention is not None,
        "shares_by_intervention": intervention.shares.tolist() if intervention else None,
        "figures": [
            {
                "name": f.name,
                "value": f.value,
                "reads_well": f.reads_well,
                "text": f.text,
                "values": dict(f.values),
            }
            for f in panel.figures
        ],
    }


def _write_pictures(report: Report, folder: Path) -> list[dict[str, Any]]:
    """Write key frames as PNG: the crop, and its evidence; return where each comes from."""
    from toolkit.figures import strength_at
    from toolkit.report.stills import evidence_picture, png

    listed = []
    for r in report.tracks:
        for key in r.key_frames:
            index, pts = int(r.track.indices[key.position]), float(r.track.pts[key.position])
            kinds = {"crop": key.rgb}
            if key.heat is not None:
                kinds["evidence"] = evidence_picture(key, strength_at(r, key.position))
            for kind, rgb in kinds.items():
                name = f"{r.track.person}-{index:07d}-{kind}.png"
                data = png(rgb)
                (folder / name).write_bytes(data)
                listed.append(
                    {
                        "file": name,
                        "sha256": hashlib.sha256(data).hexdigest(),
                        "person": r.track.person,
                        "frame": index,
                        "pts": pts,
                        "kind": kind,
                    }
                )
    return listed


# -- reading what was found


def latest(case: Case, exhibit: Exhibit) -> str:
    """Return the folder of an exhibit's last analysis.

    Raises
    ------
    CaseError
        If it was never analysed.
    """
    if not exhibit.analyses:
        raise CaseError(
            "this exhibit was not analysed", exhibit.id, "Run `case analyse` on it first."
        )
    return exhibit.analyses[-1]


def examination(case: Case, exhibit: Exhibit, folder: str | None = None) -> Any:
    """Return an analysis of an exhibit, its video path that of the working copy."""
    found = archive.read(case.read(f"{folder or latest(case, exhibit)}/examination.npz"))
    video = dataclasses.replace(found.report.video, path=case.path(exhibit.working_copy))
    return dataclasses.replace(found, report=dataclasses.replace(found.report, video=video))


# -- covering


def parse_reveal(case: Case, reveal: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the persons to reveal, by exhibit.

    Parameters
    ----------
    reveal
        ``"A"`` where there is one exhibit, ``"E1:A"`` where there are several.

    Raises
    ------
    UsageError
        If somebody is not there.
    """
    exhibits = {e.id: e for e in case.exhibits() if e.analyses}
    shown: dict[str, set[str]] = {name: set() for name in exhibits}
    for text in reveal:
        name, colon, person = text.rpartition(":")
        if not colon and len(exhibits) == 1:
            name = next(iter(exhibits))
        known = {
            f"{e}:{t['id']}"
            for e, found in exhibits.items()
            for t in case.read_json(f"{found.analyses[-1]}/analysis.json")["tracks"]
        }
        if f"{name}:{person}" not in known:
            raise UnknownNameError(
                "no such person to reveal",
                text,
                "Known: {known}." if known else "Known: nobody.",
                known=sorted(known),
            )
        shown[name].add(person)
    return {name: frozenset(persons) for name, persons in shown.items()}


def covered_name(folder: str, reveal: Collection[str]) -> str:
    """Return the folder that holds the covered pictures of an analysis."""
    return f"{folder}-covered" + "".join(f"-{p}" for p in sorted(reveal))


KEY_PICTURE, KEY_FACTS = "key.png", "key.json"
"""The covered key frame of the first page, and what it shows."""


@dataclass(frozen=True, repr=False)
class CoveredKey:
    """The whole picture at the strongest key frame, with its faces covered as in the video.

    Attributes
    ----------
    picture
        PNG.
    person, frame, pts
        Whose key frame it is, its number in the video, and its second.
    """

    picture: bytes
    person: str
    frame: int
    pts: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without the picture."""
        return {"person": self.person, "frame": self.frame, "pts": self.pts}


def _covered_key(report: Report, covered: Video) -> CoveredKey | None:
    """Return the picture of the first page out of a covered copy; None where nobody decides."""
    from toolkit.media.video import read
    from toolkit.report.stills import png

    decisive = next((r for r in report.tracks if r.track.person == report.decisive), None)
    if decisive is None or not decisive.key_frames:
        return None
    rows = [key.position for key in decisive.key_frames]
    row = max(rows, key=lambda position: float(decisive.evidence.logits[position]))
    pts = float(decisive.track.pts[row])
    nearest = np.array([np.argmin(np.abs(covered.pts - pts))], np.int64)
    rgb = next((frame.rgb for frame in read(covered, nearest)), None)
    if rgb is None:
        return None
    person, index = decisive.track.person, int(decisive.track.indices[row])
    return CoveredKey(png(rgb), person, index, pts)


def covered_key(case: Case, folder: str) -> CoveredKey | None:
    """Return the covered key frame of a folder that `cover` made; older ones have none."""
    if f"{folder}/{KEY_FACTS}" not in case.files():
        return None
    facts = case.read_json(f"{folder}/{KEY_FACTS}")
    return CoveredKey(case.read(f"{folder}/{KEY_PICTURE}"), **facts)


def cover(
    case: Case, exhibit: Exhibit, reveal: Collection[str], *, video: bool, tick: Tick = no_tick
) -> str | None:
    """Make what may be shown of an exhibit: a covered copy, and key frames of who is revealed.

    What was made before is used again. Needs the lock.

    Returns
    -------
    str or None
        The folder; None where no picture of this exhibit is wanted.

    Raises
    ------
    RedactionError
        If a face stays uncovered.
    """
    from toolkit.casework import redaction
    from toolkit.figures import strength_at
    from toolkit.media.display import display_copy
    from toolkit.media.video import probe
    from toolkit.report.stills import evidence_picture, png

    analysis = latest(case, exhibit)
    target = covered_name(analysis, reveal) + ("" if video else "-stills")
    if not video and not reveal:
        return None
    if any(name.startswith(f"{target}/") for name in case.files()):
        return target
    found = examination(case, exhibit)
    report, crops = found.report, found.crops
    covers = redaction.find_covers(
        report.video, [r.track for r in report.tracks], reveal=reveal, tick=tick
    )
    with case.step(target) as folder:
        if video:
            whole = folder / "whole.mp4"
            covers = redaction.redact_video(report.video, covers, whole, max_height=720, tick=tick)
            covered_copy = probe(whole)
            shown = display_copy(
                covered_copy, folder / "display.mp4", longest_s=VIDEO_LONGEST_S, tick=tick
            )
            if (first := _covered_key(report, covered_copy)) is not None:
                (folder / KEY_PICTURE).write_bytes(first.picture)
                (folder / KEY_FACTS).write_text(dump(first.to_dict()), encoding="utf-8")
            (folder / "display.json").write_text(dump(shown.to_dict()), encoding="utf-8")
            whole.unlink()
        listed = []
        covered = redaction.redact_report(report, covers, crops)
        for r in covered.tracks:
            for key in r.key_frames if r.track.person in reveal else ():
                index = int(r.track.indices[key.position])
                evidence = evidence_picture(key, strength_at(r, key.position))
                for kind, rgb in (("crop", key.rgb), ("evidence", evidence)):
                    name = f"{r.track.person}-{index:07d}-{kind}.png"
                    (folder / name).write_bytes(png(rgb))
                    listed.append(
                        {
                            "file": name,
                            "person": r.track.person,
                            "frame": index,
                            "pts": float(r.track.pts[key.position]),
                            "position": key.position,
                            "kind": kind,
                        }
                    )
        (folder / "pictures.json").write_text(dump(listed), encoding="utf-8")
        (folder / "covers.json").write_text(dump(covers.to_dict()), encoding="utf-8")
    case.record_folder(
        "covered",
        target,
        facts={"exhibit": exhibit.id, "revealed": sorted(reveal), "video": video},
    )
    return target


# -- what would change the verdict


def try_reshares(
    case: Case,
    exhibit: str | None = None,
    *,
    chains: Sequence[str] = (),
    device: str = "auto",
    tick: Tick = no_tick,
) -> Any:
    """Send an exhibit through re-share chains, judge it again each time, and keep the outcome."""
    from toolkit.analysis import robustness

    with case.working("reshare"):
        chosen = case.exhibit(exhibit)
        found = examination(case, chosen)
        tried = robustness.try_chains(
            found.report, chains=tuple(chains) or robustness.CHAINS, device=device, tick=tick
        )
        end = case.check(chosen)
        name = case.free_name(f"derived/{chosen.id}", "reshare") + ".json"
        atomic_write(case.path(name), dump(tried.to_dict()))
        facts = {"exhibit": chosen.id, "analysis": latest(case, chosen), "check": end}
        case.record("reshares_tried", facts=facts, files=[name])
    return tried


def compare(case: Case, source: str, share: str, *, tick: Tick = no_tick) -> Any:
    """Lay an exhibit on the one that is presumed to be its source, and keep the outcome.

    Where they fit, a picture of both side by side is kept too; nothing is covered in it, so it
    stays in the case.
    """
    from toolkit.media import alignment
    from toolkit.media.video import probe
    from toolkit.report.stills import png

    with case.working("compare"):
        first, second = case.exhibit(source), case.exhibit(share)
        if first.id == second.id:
            raise UsageError("an exhibit is not its own source", first.id, "Name two exhibits.")
        places = case.path(first.working_copy), case.path(second.working_copy)
        found = alignment.align(*places, tick=tick)
        content: dict[str, Any] = {
            "source": first.id,
            "reshare": second.id,
            "alignment": found.to_dict(),
            "picture": None,
        }
        target = case.free_name(f"derived/{second.id}", "aligned")
        ends = {e.id: case.check(e) for e in (first, second)}
        with case.step(target) as folder:
            if found.aligned:
                pts = probe(places[1], tick=tick).pts
                frame = len(pts) // 2
                at_s = float(pts[frame])
                data = png(alignment.side_by_side(*places, found, at_s=at_s))
                (folder / SIDE_BY_SIDE).write_bytes(data)
                sha256 = hashlib.sha256(data).hexdigest()
                content["picture"] = {
                    "file": f"{target}/{SIDE_BY_SIDE}",
                    "sha256": sha256,
                    "frame": frame,
                    "pts": at_s,
                }
            (folder / "alignment.json").write_text(dump(content), encoding="utf-8")
        facts = {"source": first.id, "reshare": second.id, "check": ends}
        case.record_folder("compared", target, facts=facts)
    return found


def compared(case: Case) -> list[dict[str, Any]]:
    """Return what was laid on what so far, oldest first, each with the file that says so."""
    return [
        {**case.read_json(name), "file": name}
        for e in case.entries()
        if e.event == "compared"
        for name in e.files
        if name.endswith(".json")
    ]


# -- signing


def sign(case: Case, key: Path | str) -> str:
    """Sign the head of the log with the user's own Ed25519 key; return the path of the signature.

    Parameters
    ----------
    key
        Private key, PEM, without a password.

    Raises
    ------
    UsageError
        If it is no such key.
    """
    private = _private_key(Path(key))
    public = public_hex(private.public_key())
    with case.working("sign"):
        head = case.head
        content = {
            "schema": "doorzicht.signature/1",
            "head": head,
            "public_key": public,
            "signature": private.sign(signed_text(head)).hex(),
        }
        name = case.free_name("signatures", "S") + ".json"
        case.path("signatures").mkdir(mode=0o700, exist_ok=True)
        atomic_write(case.path(name), dump(content))
        case.record("signed", facts={"head": head, "public_key": public}, files=[name])
    return name


def new_key(path: Path | str) -> str:
    """Write a new Ed25519 key that only its owner may read; return its public half in hex.

    Raises
    ------
    UsageError
        If there is a file of that name.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError("there is a file of that name", str(path), "Name a new one.") from error
    with os.fdopen(file, "wb") as out:
        out.write(text)
    return public_hex(private.public_key())


def signed_text(head: str) -> bytes:
    """Return what a signature is made over."""
    return b"doorzicht.signature/1 " + head.encode()


def public_hex(key: Any) -> str:
    """Return a public key as 64 hexadecimal digits."""
    from cryptography.hazmat.primitives import serialization

    raw: bytes = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return raw.hex()


def _private_key(path: Path) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    remedy = "Make one with: python -m toolkit case key FILE"
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, OSError) as error:
        raise UsageError("the key cannot be read", path.name, remedy) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError("this is not an Ed25519 key", path.name, remedy)
    return key
