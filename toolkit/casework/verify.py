"""Check a case: every hash, the chain of the log, signatures, and the analyses done again.

Nothing in the case is written to. Each difference is one line that names where and what.
"""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit._i18n import _
from toolkit.casework import case as cases
from toolkit.casework import log, operations
from toolkit.casework.case import Case, CaseError, Exhibit
from toolkit.casework.intake import file_sha256
from toolkit.casework.lock import refuse_if_held
from toolkit.casework.log import LogReading, Problem
from toolkit.detectors import registry
from toolkit.detectors.base import Detector
from toolkit.errors import Cancelled, ToolkitError
from toolkit.files import parse_json
from toolkit.media import show_name
from toolkit.messages import Message
from toolkit.types import Sampling, Tick, no_tick

TOLERANCE = 1e-3
"""How far numbers may be apart that another machine or other software computed, in logits."""
LINES_MAX = 20
"""Differences of one analysis that are named one by one."""


@dataclass(frozen=True)
class Findings:
    """What `verify` found.

    Attributes
    ----------
    differences
        What is not as it was; empty = intact.
    notes
        What a reader must know about how far the check reaches.
    head
        Hash of the last log entry that could be read.
    """

    differences: tuple[Problem, ...]
    notes: tuple[str, ...]
    head: str

    @property
    def is_intact(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def verify(
    folder: Path | str,
    *,
    hashes_only: bool = False,
    head: str | None = None,
    public_key: str | None = None,
    examine: operations.Examine | None = None,
    render: Callable[..., Iterator[tuple[str, bytes]]] | None = None,
    tick: Tick = no_tick,
) -> Findings:
    """Check a case.

    Parameters
    ----------
    folder
        The case.
    hashes_only
        Do not analyse again.
    head
        Hash that was printed in a report or noted elsewhere: the chain must contain it.
    public_key
        64 hexadecimal digits: a signature with this key must be there, and hold.
    examine, render
        What analyses, and what makes a report's files again; None = the real ones.
    tick
        Called with the stage ``"verify"``, and those of the analysis.

    Raises
    ------
    CaseError
        If there is no case, nor what is left of one.
    BusyError
        If another process works on it.
    Cancelled
        If `tick` raises it.
    """
    case = Case(folder)
    refuse_if_held(case.folder)
    reading = _reading(case)
    wrong: list[Problem] = list(reading.problems)
    notes: list[str] = []
    if reading.torn:
        wrong.append(Problem(cases.LOG, _("its last line is torn: a step was interrupted there")))
    altered = list(_files(case, reading, tick))
    wrong += altered
    wrong += _manifest(case, reading, notes)
    wrong += _exhibits(case, reading, notes)
    wrong += _anchors(case, reading, head, public_key, notes)
    if not hashes_only:
        if wrong:
            notes.append(
                _("Nothing was analysed again: what differs has to be explained before that.")
            )
        else:
            wrong += _again(case, examine, render, notes, tick)
    return Findings(tuple(wrong), tuple(notes), reading.head)


def is_case(folder: Path) -> bool:
    """Tell a case, or what is left of one, from a report that left it.

    A case whose log or `case.json` was taken away is a case still: what is missing gets named.
    """
    if any((folder / name).exists() for name in (cases.CASE, "exhibits", "work")):
        return True
    is_report = any((folder / name).is_file() for name in _REPORTS)
    return not is_report and any((folder / n).exists() for n in (cases.LOG, cases.MANIFEST))


_REPORTS = ("report.json", "report.html", "report.pdf")


def _reading(case: Case) -> LogReading:
    """Read the log; where it cannot be read, that is what differs."""
    try:
        return case.reading()
    except CaseError:
        if not is_case(case.folder):
            raise
        what = _("is missing")
    except OSError:
        what = _("cannot be read as an ordinary file")
    return LogReading((), (Problem(cases.LOG, what),), b"")


# -- hashes


def _files(case: Case, reading: LogReading, tick: Tick) -> Iterator[Problem]:
    known = cases.files_of(reading.entries)
    for done, (name, sha256) in enumerate(known.items()):
        tick("verify", done, len(known))
        path = case.path(name)
        if not path.exists() and not path.is_symlink():
            yield Problem(name, _("is missing"))
            continue
        try:
            hash_now = file_sha256(path)
        except OSError:
            yield Problem(name, _("cannot be read as an ordinary file"))
            continue
        if hash_now != sha256:
            yield Problem(name, _("was altered: its hash is not the one in the log"))
    for name in cases.walk(case.folder):
        if name not in known:
            yield Problem(name, _("is not in the log"))
    tick("verify", len(known), len(known))


def _manifest(case: Case, reading: LogReading, notes: list[str]) -> Iterator[Problem]:
    path = case.path(cases.MANIFEST)
    try:
        manifest = parse_json(path.read_bytes())
        number = int(manifest["entries"])
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        yield Problem(cases.MANIFEST, _("is missing"))
        return
    except (OSError, ValueError, KeyError, TypeError):
        yield Problem(cases.MANIFEST, _("cannot be read"))
        return
    entries = reading.entries[: max(number, 0)]
    if text != cases.dump(cases.manifest_of(entries)):
        yield Problem(
            cases.MANIFEST,
            _("does not fit the log: one of them was altered, or the log was shortened"),
        )
    elif number < len(reading.entries):
        notes.append(
            _("The manifest is {n} steps behind the log: the last step was interrupted.").format(
                n=len(reading.entries) - number
            )
        )


def _exhibits(case: Case, reading: LogReading, notes: list[str]) -> Iterator[Problem]:
    """Compare what the log says of each exhibit with its sheet, its copies and its source."""
    known = cases.files_of(reading.entries)
    for entry in reading.entries:
        if entry.event != "received":
            continue
        name, sha256 = str(entry.facts.get("exhibit")), entry.facts.get("sha256")
        copies = [n for n in entry.files if n.startswith(("original/", "work/"))]
        if not copies or any(known[n] != sha256 for n in copies):
            yield Problem(name, _("its copies have other hashes than the exhibit at intake"))
        try:
            facts = parse_json(case.path(f"exhibits/{name}.json").read_bytes())
            kept, place = facts["is_kept"], Path(facts["original_path"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # named already: its hash differs
        if facts.get("sha256") != sha256:
            yield Problem(name, _("its sheet gives another hash than the log"))
        if kept:
            continue
        try:
            if file_sha256(place) != sha256:
                yield Problem(name, _("its original, kept outside of the case, was altered"))
        except OSError:
            notes.append(
                _("{exhibit}: the original is kept outside of the case and was not found.").format(
                    exhibit=name
                )
            )


def _anchors(
    case: Case, reading: LogReading, head: str | None, public_key: str | None, notes: list[str]
) -> Iterator[Problem]:
    """Look for heads that were printed, given or signed in the chain."""
    chain = {entry.sha256 for entry in reading.entries}
    lost = _("gives a head that is not in the log: the log was shortened or made anew")
    if head is not None and typed(head) not in chain:
        yield Problem(_("the head that was given"), lost)
    for path in sorted(case.folder.glob("report/*/report.json")):
        where = path.relative_to(case.folder).as_posix()
        try:
            printed = parse_json(path.read_bytes())["log"]["head"]
        except (OSError, ValueError, KeyError, TypeError):
            yield Problem(where, _("cannot be read"))
            continue
        if printed not in chain:
            yield Problem(where, lost)
    held = []
    for path in sorted(case.folder.glob("signatures/*.json")):
        where = path.relative_to(case.folder).as_posix()
        signed = _signature(path)
        if signed is None:
            yield Problem(where, _("the signature does not hold"))
        elif signed[0] not in chain:
            yield Problem(where, lost)
        else:
            held.append(signed[1])
    if public_key is not None and typed(public_key) not in held:
        yield Problem(_("the key that was given"), _("no signature with it holds"))
    if head is None and public_key is None:
        notes.append(
            _(
                "The chain proves order and content only if its head is also known elsewhere: "
                "compare it with a printed report (--head), or give the key of a signature (--key)."
            )
        )


def typed(text: str) -> str:
    r"""Return a hash or key as somebody typed or pasted it: paper breaks it over lines.

    Examples
    --------
    >>> typed(" AB12\u200bcd34 \n")
    'ab12cd34'
    """
    return "".join(c for c in text.lower() if not c.isspace() and c.isprintable())


def _signature(path: Path) -> tuple[str, str] | None:
    """Return head and public key of a signature that holds, else None."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        signature = parse_json(path.read_bytes())
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["public_key"]))
        key.verify(bytes.fromhex(signature["signature"]), operations.signed_text(signature["head"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        return None
    return str(signature["head"]), str(signature["public_key"])


# -- doing it again


def _again(
    case: Case,
    examine: operations.Examine | None,
    render: Callable[..., Iterator[tuple[str, bytes]]] | None,
    notes: list[str],
    tick: Tick,
) -> Iterator[Problem]:
    """Analyse and report again; a case that its own log does not fit is named, never a crash."""
    try:
        yield from _repeated(case, examine, render, notes, tick)
    except (ToolkitError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as e:
        if isinstance(e, Cancelled):
            raise
        yield Problem(
            cases.LOG, _("does not fit the files of the case: {why}").format(why=_named(e))
        )


def _named(error: Exception) -> str:
    return error.text() if isinstance(error, ToolkitError) else type(error).__name__


def _repeated(
    case: Case,
    examine: operations.Examine | None,
    render: Callable[..., Iterator[tuple[str, bytes]]] | None,
    notes: list[str],
    tick: Tick,
) -> Iterator[Problem]:
    same = True
    for exhibit in case.exhibits():
        for folder in exhibit.analyses:
            is_same, deviations = _analysis(
                case, exhibit, folder, examine=examine, notes=notes, tick=tick
            )
            same &= is_same
            yield from _limited(deviations, folder)
    if not same:
        notes.append(
            _(
                "This machine or its software is not that of the analysis: numbers may differ by "
                "{tolerance} on the logit."
            ).format(tolerance=f"{_largest_tolerance(case):g}")
        )
        return
    if render is None:
        from toolkit.casework.publish import again

        render = again
    for entry in case.entries():
        if entry.event != "reported":
            continue
        for name, data in render(case, entry):
            if case.path(name).read_bytes() != data:
                yield Problem(name, _("is made differently now"))


def _largest_tolerance(case: Case) -> float:
    folders = [folder for exhibit in case.exhibits() for folder in exhibit.analyses]
    return max(tolerance(case.read_json(f"{folder}/detector.json")) for folder in folders)


def _limited(found: Sequence[Problem], folder: str) -> Iterator[Problem]:
    yield from found[:LINES_MAX]
    if len(found) > LINES_MAX:
        rest = _("{n} more differences").format(n=len(found) - LINES_MAX)
        yield Problem(folder, rest)


def _analysis(
    case: Case,
    exhibit: Exhibit,
    folder: str,
    *,
    examine: operations.Examine | None,
    notes: list[str],
    tick: Tick,
) -> tuple[bool, list[Problem]]:
    """Analyse again; return whether this is the same software, and what differs."""
    settings = case.read_json(f"{folder}/settings.json")
    stored = case.read_json(f"{folder}/analysis.json")
    try:
        again, run = repeat(
            case.path(exhibit.working_copy),
            settings,
            stored,
            examine=examine,
            tick=tick,
        )
    except Cancelled:
        raise
    except ToolkitError as error:
        return True, [Problem(folder, _("cannot be repeated: {why}").format(why=error.text()))]
    again["video"]["path"] = stored["video"]["path"]
    before = case.read_json(f"{folder}/run.json")
    packages = case.read(f"{folder}/environment.txt").decode()
    keys = ("python", "system", "threads", "versions")
    is_same = all(before[k] == run[k] for k in keys) and packages == operations.environment()
    for key in ("device", "toolkit"):  # where it ran says nothing about what was found
        was, now = stored["settings"][key], again["settings"][key]
        if was != now:
            is_same = False
            text = _("{where}: {what} was {before}, and is {now} here.")
            notes.append(text.format(where=folder, what=key, before=was, now=now))
            again["settings"][key] = was
    within = tolerance(case.read_json(f"{folder}/detector.json"))
    return is_same, list(differences(stored, again, folder, exact=is_same, within=within))


def repeat(
    copy: Path,
    settings: Mapping[str, Any],
    stored: Mapping[str, Any],
    *,
    examine: operations.Examine | None,
    tick: Tick,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Analyse a file with the settings of an earlier analysis; return report and run facts.

    What ran on a CPU runs on one again: every machine has one. Else the best device there is. A
    detector that has another name today is found by its weights, and keeps its name of then. Who
    stood in for another one then stands in again, though the other may be here now; nobody else
    stands in.

    Parameters
    ----------
    copy
        The file.
    settings
        What was asked for.
    stored
        What came of it: the content of `analysis.json`.
    examine, tick
        As for `verify`.
    """
    from toolkit.analysis import pipeline

    was, device = stored["settings"]["detector"], stored["settings"]["device"]
    device = "cpu" if device == "cpu" else "auto"
    name = registry.name_now(settings["detector"], was["weights_sha256"])
    judge: str | Detector = name
    if was.get("instead_of"):
        judge = registry.stand_in_for(was["instead_of"], _why_stood_in(stored), device=device)
    elif examine is None:
        judge = registry.load(name, device=device, stand_in=False)
    examination = (examine or pipeline.examine)(
        copy,
        detector=judge,
        device=device,
        sampling=Sampling(**settings["sampling"]),
        seed=settings["seed"],
        on_partial=None,
        tick=tick,
    )
    again = json.loads(json.dumps(pipeline.to_dict(examination.report)))
    if name != settings["detector"] and again["settings"]["detector"]["name"] == name:
        again["settings"]["detector"]["name"] = was["name"]
    return again, pipeline.run_facts(examination.report)


def _why_stood_in(stored: Mapping[str, Any]) -> Message:
    """Return the sentence that was stored: it need not hold on this machine."""
    reasons = (n["text"] for n in stored.get("notices", ()) if n["code"] == "stand_in_reason")
    return Message("", next(reasons, ""))


def tolerance(detector: Mapping[str, Any]) -> float:
    """Return how far logits may be apart on two machines: more for a network rounded to INT8.

    Parameters
    ----------
    detector
        What is stored of it: `steps.detector_facts`.
    """
    stated = detector.get("rounding")
    return max(TOLERANCE, float(stated)) if isinstance(stated, int | float) else TOLERANCE


def differences(
    stored: Any, again: Any, where: str, *, exact: bool, within: float = TOLERANCE
) -> Iterator[Problem]:
    """Yield where two JSON values differ; numbers may be `within` apart unless `exact`."""
    if isinstance(stored, dict) and isinstance(again, dict):
        for key in sorted({*stored, *again}):
            here = f"{where}.{key}"
            if key in stored and key in again:
                yield from differences(stored[key], again[key], here, exact=exact, within=within)
            elif key in stored:
                yield Problem(here, _("is not there now"))
            else:
                yield Problem(here, _("was not there before"))
    elif isinstance(stored, list) and isinstance(again, list):
        if len(stored) != len(again):
            text = _("{before} entries in the case, {now} now")
            yield Problem(where, text.format(before=len(stored), now=len(again)))
            return
        for number, (a, b) in enumerate(zip(stored, again, strict=True)):
            yield from differences(a, b, f"{where}[{number}]", exact=exact, within=within)
    elif not _agree(stored, again, exact=exact, within=within):
        text = _("{before} in the case, {now} now")
        yield Problem(where, text.format(before=_short(stored), now=_short(again)))


def _agree(a: Any, b: Any, *, exact: bool, within: float) -> bool:
    if exact or isinstance(a, bool) or isinstance(b, bool) or not isinstance(a, float):
        return type(a) is type(b) and bool(a == b)
    return isinstance(b, int | float) and math.isclose(a, b, rel_tol=0, abs_tol=within)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


# -- a report that left the case


def verify_bundle(
    place: Path | str,
    *,
    original: Path | str | None = None,
    head: str | None = None,
    examine: operations.Examine | None = None,
    tick: Tick = no_tick,
) -> Findings:
    """Check a report without its case: a folder ``R1`` or its ZIP.

    Parameters
    ----------
    place
        Folder or ZIP.
    original
        The exhibit, where it is at hand: it is analysed again.
    head
        As for `verify`.

    Raises
    ------
    CaseError
        If this is no report.
    """
    path = Path(place)
    if path.is_dir():
        return _bundle(path, original, head, examine, tick)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as box:
                for member in box.infolist():
                    if not log.is_inside(member.filename) or member.file_size > 1 << 30:
                        raise CaseError("the ZIP holds a path or size that it may not", path.name)
                box.extractall(folder)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            if not _starts_as_zip(path):
                what = "this is neither a case nor a report"
                raise CaseError(what, show_name(path)) from error
            broken = Problem(path.name, _("cannot be unpacked: it was altered or damaged"))
            return Findings((broken,), (), "")
        return _bundle(Path(folder), original, head, examine, tick)


def _starts_as_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return False


def _bundle(
    folder: Path,
    original: Path | str | None,
    head: str | None,
    examine: operations.Examine | None,
    tick: Tick,
) -> Findings:
    if not any((folder / name).is_file() for name in (*_REPORTS, cases.MANIFEST)):
        raise CaseError("this is neither a case nor a report", show_name(folder))
    wrong: list[Problem] = []
    notes: list[str] = []
    listed = _listed(folder, wrong)
    report, printed = _printed(folder, wrong)
    try:
        reading = log.read(folder / cases.LOG)
        wrong += reading.problems
    except OSError:  # the manifest names it, and says that it is missing
        reading = LogReading((), (), b"")
    for name, sha256 in listed.items():
        path = folder / name
        if not log.is_inside(name) or not path.is_file():
            wrong.append(Problem(name, _("is missing")))
        elif file_sha256(path) != sha256:
            wrong.append(Problem(name, _("was altered: its hash is not the one in the manifest")))
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    wrong += [
        Problem(name, _("is not in the manifest"))
        for name in sorted(files - set(listed) - {cases.MANIFEST})
        if listed
    ]
    wrong = list(dict.fromkeys(wrong))
    if printed and reading.head != printed:
        wrong.append(Problem(cases.LOG, _("does not end with the head that the report prints")))
    if head is not None and typed(head) != printed:
        wrong.append(Problem("report.json", _("prints another head than the one given")))
    if original is not None and not wrong:
        wrong += _bundle_again(report, Path(original), examine, notes, tick)
    elif original is None:
        notes.append(_("Nothing was analysed again: give the original with --original."))
    return Findings(tuple(wrong), tuple(notes), printed or reading.head)


def _listed(folder: Path, wrong: list[Problem]) -> dict[str, str]:
    """Return what the manifest of a report lists; nothing where it cannot be read."""
    try:
        text = (folder / cases.MANIFEST).read_text(encoding="utf-8")
        manifest = parse_json(text)
        listed = {str(name): str(sha256) for name, sha256 in manifest["files"].items()}
        if text != cases.dump(manifest):
            wrong.append(Problem(cases.MANIFEST, _("is not as it was written")))
    except FileNotFoundError:
        wrong.append(Problem(cases.MANIFEST, _("is missing")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        wrong.append(Problem(cases.MANIFEST, _("cannot be read")))
    else:
        return listed
    return {}


def _printed(folder: Path, wrong: list[Problem]) -> tuple[dict[str, Any], str]:
    """Return `report.json` and the head of the log that it prints; nothing if it is unreadable."""
    name = "report.json"
    try:
        report = parse_json((folder / name).read_bytes())
        return report, str(report["log"]["head"])
    except FileNotFoundError:
        wrong.append(Problem(name, _("is missing")))
    except (OSError, ValueError, KeyError, TypeError):
        wrong.append(Problem(name, _("cannot be read")))
    return {}, ""


def _bundle_again(
    report: dict[str, Any],
    original: Path,
    examine: operations.Examine | None,
    notes: list[str],
    tick: Tick,
) -> Iterator[Problem]:
    sha256 = file_sha256(original)
    for exhibit in report["exhibits"]:
        if exhibit["integrity"]["sha256_at_intake"] != sha256:
            continue
        stored = exhibit["analysis"]
        again, _run = repeat(
            original,
            exhibit["method"]["settings"],
            stored,
            examine=examine,
            tick=tick,
        )
        for key in ("tracks", "verdict"):
            deviations = list(
                differences(
                    stored[key],
                    again[key],
                    f"{exhibit['id']}.{key}",
                    exact=False,
                    within=tolerance(exhibit["method"].get("detector") or {}),
                )
            )
            yield from _limited(deviations, exhibit["id"])
        notes.append(
            _("{exhibit} was analysed again from the original.").format(exhibit=exhibit["id"])
        )
        return
    yield Problem(original.name, _("is not an exhibit of this report"))
