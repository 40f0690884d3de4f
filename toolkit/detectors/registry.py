"""Detectors by name: the bundled ones, those that a user added, plug-ins, and registered ones."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolkit import models
from toolkit.detectors.base import Detector, PatchDetector
from toolkit.errors import DetectorError
from toolkit.files import parse_json
from toolkit.messages import Message

DEFAULT, SMALL = "seamnet", "seamnet-small"
"""The detector that judges unless another is named, and the one that steps in for it."""

MESONETS = ("meso4", "mesoinception4", "meso4_f2f", "mesoinception4_f2f")
"""MesoNet's four published weights; the user gives the file, see `add_weights`."""

LRNETS = ("lrnet", "lrnet_ff")
"""LRNet's two published pairs of weights, of which the user gives the files; experimental."""

NAMES = (DEFAULT, SMALL, *MESONETS, *LRNETS)
"""Names of the detectors that come with the toolkit."""

Factory = Callable[[str], Detector]
"""Takes a device (``"auto"``, ``"cpu"``, ...) and returns a detector."""

_registered: dict[str, Factory] = {}


def register(name: str, factory: Factory) -> None:
    """Make a detector of one's own known by name: to `load`, and so to every command and call.

    Parameters
    ----------
    name
        Must not be one of `NAMES`. Registered again, it is replaced.
    factory
        Called with the device each time that the detector is loaded. The `card` of what it returns
        should carry the same name: reports find it by that.

    Raises
    ------
    DetectorError
        If the name belongs to a bundled detector, or is empty.
    """
    if not name or name in NAMES:
        raise DetectorError("this name cannot be registered", name, "Choose another name.")
    _registered[name] = factory


def names() -> tuple[str, ...]:
    """Return all names that `load` knows: bundled, added, of plug-ins, registered."""
    return tuple(dict.fromkeys((*NAMES, *_registered, *further())))


def further() -> tuple[str, ...]:
    """Return the names of the detectors that a user added, and of those that plug-ins bring.

    None of them is loaded for the question.
    """
    from toolkit.detectors import plugins
    from toolkit.detectors.listing import added_names

    return (*added_names(), *plugins.find())


def weights(name: str) -> Path:
    """Return where a bundled detector's weights lie, or would lie; of LRNet, the first of two.

    Raises
    ------
    DetectorError
        If there is none of that name.
    """
    if name not in NAMES:
        raise _unknown(name)
    folder = models.CACHE if name in (*MESONETS, *LRNETS) else models.ROOT / "models"
    return folder / f"{name}.safetensors"


def available() -> tuple[str, ...]:
    """Return the names whose weights are here, in the order of `names`; nothing is verified."""
    here = (n for n in NAMES if all(file.is_file() for file in _files(n)))
    return tuple(dict.fromkeys((*here, *_registered, *further())))


def _files(name: str) -> tuple[Path, ...]:
    where = weights(name)
    return (where, where.with_stem(f"{name}-steps")) if name in LRNETS else (where,)


def add_weights(path: Path) -> tuple[str, Path]:
    """Verify a file of published weights, convert it, and put it where `load` finds it.

    MesoNet's are ``.h5``, LRNet's ``.pth``; of LRNet it takes both.

    Returns
    -------
    str, Path
        The detector's name, and the file that was written.

    Raises
    ------
    ModelError
        If the file cannot be read, is not a published one, or does not convert as it should.
    """
    from toolkit.detectors import lrnet, mesonet

    add = lrnet.add if path.suffix.lower() == ".pth" else mesonet.add
    return add(path, models.CACHE)


def substitute(name: str) -> tuple[str, Message] | None:
    """Return who would judge in place of a detector and why, in one sentence; or None.

    Only the body of the default detector is fetched and may be missing; nothing is verified.
    """
    if name != DEFAULT:
        return None
    from toolkit.detectors import clip_body

    problem = clip_body.missing()
    return None if problem is None else (SMALL, problem)


def load(name: str, *, device: str = "auto", stand_in: bool = True) -> Detector:
    """Return a detector, its weights verified.

    Parameters
    ----------
    name
        From `names`; or ``hf:FOLDER`` or ``gend:FOLDER`` for a folder that tells all that must be
        known, and ``hub:OWNER/NAME`` or ``gend:clip-l`` for one that was added from the hub.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    stand_in
        Whether the small network, whose card then says so, may be returned where the default one
        lacks its body. Not where figures about a detector are measured.

    Raises
    ------
    DetectorError
        If there is none of that name.
    ModelError
        If its weights are missing, differ from their card, or do not answer as the card says.
    """
    if name in _registered:
        return _registered[name](device)
    if name not in NAMES:
        return _load_further(name, device)
    where = weights(name)
    if name in (*MESONETS, *LRNETS):
        return _load_published(name, where, device)
    other = substitute(name) if stand_in else None
    if name == SMALL or other is not None:
        from toolkit.detectors.seamnet_small import SeamNetDetector

        if other is not None:
            return stand_in_for(name, other[1], device=device)
        return SeamNetDetector(device=device)
    from toolkit.detectors.seamnet_clip import SeamNet2Detector

    return SeamNet2Detector(device=device)


def _load_published(name: str, where: Path, device: str) -> Detector:
    """Return a detector of published weights, with the threshold that was measured here."""
    from toolkit.detectors.measured import with_threshold

    judge: Any
    if name in MESONETS:
        from toolkit.detectors.mesonet import MesoNetDetector

        judge = MesoNetDetector(name, device=device, weights=where)
    else:
        from toolkit.detectors.lrnet import LRNetDetector

        judge = LRNetDetector(name, folder=where.parent, device=device)
    judge.card = with_threshold(judge.card)
    return judge  # type: ignore[no-any-return]


def _load_further(name: str, device: str) -> Detector:
    from toolkit.detectors import plugins
    from toolkit.detectors.listing import added_names

    if name in added_names() or name.partition(":")[0] in {"hf", "hub", "gend"}:
        from toolkit.detectors import added

        in_store = name in added_names()
        return (added.load if in_store else added.load_source)(name, device=device)
    if name in plugins.find():
        return plugins.load(name, device=device)
    raise _unknown(name)


def resolve(detector: str | Any, *, device: str = "auto", stand_in: bool = True) -> Detector:
    """Return a detector by its name, as it is, or made of an object of one's own (`own.adapt`).

    Raises
    ------
    DetectorError, ModelError
        As `load` and `own.adapt`.
    """
    if isinstance(detector, str):
        return load(detector, device=device, stand_in=stand_in)
    from toolkit.detectors.own import adapt

    return adapt(detector, device=device)


def identity(name: str) -> dict[str, Any] | None:
    """Return what tells a detector from all others, without loading it; None if that is unknown.

    What is registered, or comes with a plug-in, may answer otherwise tomorrow: it has none.
    """
    from toolkit.detectors.listing import FILE, added_folder, added_names

    try:
        if name in NAMES:
            facts: dict[str, Any] = {"name": name}
            facts["file_sha256"] = hashlib.sha256(weights(name).read_bytes()).hexdigest()
            measures = added_folder() / "measured.json"
            if name in (*MESONETS, *LRNETS) and measures.is_file():
                facts["measured"] = measures.read_text("utf-8")
            return facts
        if name in added_names() and name not in _registered:
            return {"name": name, "added": (added_folder() / name / FILE).read_text("utf-8")}
    except OSError:
        return None
    return None


def stand_in_for(name: str, because: Message, *, device: str = "auto") -> Detector:
    """Return the small network, whose card says in place of whom it judges, and why.

    Raises
    ------
    ModelError
        As `load`.
    """
    from toolkit.detectors.seamnet_small import SeamNetDetector

    small = SeamNetDetector(device=device)
    small.card = dataclasses.replace(small.card, instead_of=name, because=because)
    return small


def load_weights(path: Path | None = None, *, device: str = "auto") -> PatchDetector:
    """Return a SeamNet with weights of one's own, large or small as their card says.

    Parameters
    ----------
    path
        ``.safetensors`` with its card ``.json`` beside it; None = the default detector's.

    Raises
    ------
    ModelError
        As `load`; nobody steps in here.
    """
    path = weights(DEFAULT) if path is None else path
    if "blocks" in _facts(path):
        from toolkit.detectors.seamnet_clip import SeamNet2Detector

        return SeamNet2Detector(device=device, weights=path)
    from toolkit.detectors.seamnet_small import SeamNetDetector

    return SeamNetDetector(device=device, weights=path)


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = parse_json(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # what is wrong with it is said by who loads it
        return {}
    return facts if isinstance(facts, dict) else {}


def name_now(name: str, weights_sha256: str) -> str:
    """Return the name under which the detector of a report is loaded today.

    The small network was called ``seamnet`` before the larger one took that name.

    Examples
    --------
    >>> name_now("meso4", "00")
    'meso4'
    """
    if name != DEFAULT:
        return name
    return SMALL if _facts(weights(SMALL)).get("sha256") == weights_sha256 else name


def _unknown(name: str) -> DetectorError:
    known = ", ".join(names())
    return DetectorError(
        "there is no detector of that name", name, "Choose one of {known}.", known=known
    )
