"""The detectors that a user added: a folder for each, with its weights and what is known of it.

What is added is copied, its hash kept, so that it is the same next year. The folder is
`models/cache/detectors`, or what ``DOORZICHT_DETECTORS`` names.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from toolkit.detectors import gend, hub, hugging_face, onnx_files, presets, timm_names, weights
from toolkit.detectors.base import Detector
from toolkit.detectors.canary import canary_picture
from toolkit.detectors.foreign import ForeignDetector, NetworkDetector
from toolkit.detectors.listing import added_folder, added_names
from toolkit.detectors.recipe import (
    ASK_SCALE,
    Draft,
    Recipe,
    settle,
)
from toolkit.errors import DetectorError, ModelError, UsageError
from toolkit.media import show_name
from toolkit.messages import phrase
from toolkit.types import Tick, no_tick

if TYPE_CHECKING:
    from toolkit.detectors.conformance import Canary, Conformance

CANARY_TOLERANCE = 1e-2
"""Another processor, or a GPU, rounds otherwise; another weight file is whole logits away."""

SPECS = ("hub:", "gend:", "hf:")
"""How a source may begin that is no path."""


def read(name: str) -> Recipe:
    """Return what is known of an added detector.

    Raises
    ------
    DetectorError
        If there is none of that name.
    ModelError
        If what is kept of it cannot be read.
    """
    if name not in added_names():
        raise DetectorError(
            "no detector of that name was added",
            name[:60],
            "Added are: {known}.",
            known=", ".join(added_names()) or "-",
        )
    return Recipe.load(added_folder() / name)


def draft_of(
    source: str,
    *,
    work: Path,
    network: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    key: str = "",
    confirm: hub.Confirm | None = None,
    endpoint: str = hub.ENDPOINT,
) -> Draft:
    """Return what a source tells of a detector.

    Parameters
    ----------
    source
        A folder, a file, ``hub:OWNER/NAME`` (``@REVISION`` may follow) or ``gend:MEMBER``.
    work
        A folder for what is converted or fetched.
    network, arguments, key
        timm's name and what goes with it; the key of a state dict in a file with several.
    confirm
        Is shown what would be fetched from the hub; None = nothing is fetched.

    Raises
    ------
    UsageError, DetectorError, ModelError, FetchError
        If the source is none, a package is missing, or files cannot be read or fetched.
    """
    known: dict[str, Any] = {}
    member = gend.MEMBERS.get(source.removeprefix("gend:")) if source.startswith("gend:") else None
    if source.startswith("hub:") or member is not None:
        repo, _, revision = (member.hub if member else source.removeprefix("hub:")).partition("@")
        offered = _offered(repo, revision or "main", confirm, endpoint)
        path = hub.fetch(offered, work, endpoint=endpoint)
        known = {"source": f"hub:{repo}", "revision": offered.revision}
        if offered.licence and not member:
            known["licence"] = offered.licence
    else:
        text = source
        for word in SPECS:
            text = text.removeprefix(word)
        path = Path(text).expanduser()
    if path.is_dir():
        draft = gend.read_folder(path) if gend.is_gend(path) else _classifier(path, work)
    elif path.suffix.lower() == ".onnx":
        draft = onnx_files.read_file(path)
    elif path.suffix.lower() in {".safetensors", *weights.PICKLES}:
        file = path
        if path.suffix.lower() in weights.PICKLES:
            file = work / "model.safetensors"
            weights.convert(path, file, key=key)
        draft = timm_names.read_file(file, network, arguments)
    elif not path.exists():
        raise UsageError(
            "there is no such file or folder",
            show_name(path),
            "Give a folder, a .safetensors, .pth or .onnx file, hub:OWNER/NAME or gend:clip-l.",
        )
    else:
        raise UsageError(
            "this kind of file is no detector",
            show_name(path),
            "Give a folder, a .safetensors, .pth or .onnx file, hub:OWNER/NAME or gend:clip-l.",
        )
    known.setdefault("source", show_name(path))
    return dataclasses.replace(draft, known=dict(draft.known) | known)


def _offered(repo: str, revision: str, confirm: hub.Confirm | None, endpoint: str) -> hub.Offered:
    hub.check_repo(repo)
    if confirm is None:
        raise DetectorError(
            "this detector is not on this computer",
            f"hub:{repo}",
            "Fetch it once: python -m toolkit detector add NAME hub:{repo} --download",
            repo=repo,
        )
    offered = hub.look(repo, revision=revision, endpoint=endpoint)
    if not confirm(offered):
        raise UsageError("nothing was fetched", f"hub:{repo}", "It was not agreed to.")
    return offered


def _classifier(path: Path, work: Path) -> Draft:
    draft = hugging_face.read_folder(path)
    if draft.file.suffix in weights.PICKLES:
        converted = work / hugging_face.WEIGHTS
        weights.convert(draft.file, converted)
        draft = dataclasses.replace(draft, file=converted)
    return draft


def given_of(draft: Draft, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a preset, and GenD by itself, give beside what the user gave."""
    base: dict[str, Any] = {}
    if name := given.get("preset"):
        base = presets.read(str(name)).given()
    if draft.route == "gend":
        base = {**gend.CROP, **base}
    return base | {k: v for k, v in given.items() if v is not None}


def add(
    name: str,
    draft: Draft,
    given: Mapping[str, Any],
    *,
    assume: bool = False,
    device: str = "cpu",
    replace: bool = False,
) -> tuple[Recipe, ForeignDetector]:
    """Copy a detector to where it is kept, load it from there, and return it.

    Parameters
    ----------
    name
        For commands.
    draft
        From `draft_of`.
    given
        Fields of `Recipe`, parts of its crops and a `preset`, as far as the user gives them.
    assume
        See `recipe.settle`.
    device
        Where it is tried.
    replace
        Whether one of that name may be replaced.

    Raises
    ------
    UsageError
        If questions are open, or the name is taken.
    ModelError, DetectorError
        If it does not load.
    """
    from toolkit.detectors import registry

    if name in registry.NAMES or (name in registry.names() and name not in added_names()):
        raise UsageError("this name belongs to another detector", name, "Choose another name.")
    if name in added_names() and not replace:
        raise UsageError(
            "a detector of that name was added before", name, "Remove it first, or use --replace."
        )
    whole = given_of(draft, given)
    recipe = settle(draft, name, whole, assume=assume)
    added_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=added_folder()) as folder:
        work = Path(folder)
        target = hugging_face.WEIGHTS if draft.route in {"huggingface", "gend"} else draft.file.name
        for file, kept in ((draft.file, target), *((p, p.name) for p in draft.beside)):
            shutil.copyfile(file, work / kept)
        recipe = dataclasses.replace(recipe, file=target, sha256=weights.sha256_of(work / target))
        detector = build(recipe, work, device=device)
        _check_scale(detector, stated="answer" in whole or draft.route == "gend")
        recipe = dataclasses.replace(recipe, canary=_canary(detector))
        recipe.save(work)
        final = added_folder() / name
        old = work / ".old"
        if final.exists():
            final.replace(old)
        kept_files = work / ".new"
        kept_files.mkdir()
        for path in list(work.iterdir()):
            if path.name not in {".old", ".new"}:
                path.rename(kept_files / path.name)
        kept_files.replace(final)
    return recipe, detector.but(card=recipe.card())


def add_checked(
    name: str,
    draft: Draft,
    given: Mapping[str, Any],
    canaries: Sequence[Canary] = (),
    *,
    assume: bool = False,
    device: str = "cpu",
    replace: bool = False,
    on_points: Callable[[Conformance], None] = lambda _found: None,
    tick: Tick = no_tick,
) -> tuple[Recipe, Conformance]:
    """Add a detector and check it; one that does not pass is not kept.

    Parameters
    ----------
    name, draft, given, assume, device, replace
        As for `add`.
    canaries, tick
        As for `conformance.check`.
    on_points
        Is given what the check found, also of a detector that is not kept.

    Raises
    ------
    DetectorError
        If it does not pass; the error names the points.
    UsageError, ModelError
        As `add`.
    """
    from toolkit.detectors import conformance

    recipe, detector = add(name, draft, given, assume=assume, device=device, replace=replace)
    other = conformance.other_device(partial(load, name), detector.device)
    result = conformance.check(detector, canaries, other=other, tick=tick)
    on_points(result)
    if not result.passed:
        remove(name)
        points = ", ".join(p.name for p in result.points if p.state == "failed")
        raise DetectorError(
            "the detector did not pass, and was not added",
            points,
            "Answer otherwise what was asked, and add it again.",
        )
    return note_passed(recipe, result), result


def note_passed(recipe: Recipe, found: Conformance) -> Recipe:
    """Keep that published logits came out, where they did: then it is untested no more."""
    passed = any(p.name == "canary" and p.state == "passed" for p in found.points)
    if passed and recipe.is_untested:
        recipe = dataclasses.replace(recipe, is_untested=False)
        set_recipe(recipe)
    return recipe


def _check_scale(detector: ForeignDetector, *, stated: bool) -> None:
    """Ask whether outputs are probabilities where they look like it and nobody said."""
    from toolkit.detectors.conformance import look_like_probabilities, varied_pictures

    if stated or detector.answer.scale == "probabilities":
        return
    if look_like_probabilities(detector.outputs(varied_pictures(detector.spec.size))):
        raise UsageError(
            "its outputs all lie within 0 and 1, as probabilities do",
            detector.card.name,
            ASK_SCALE,
        )


def _canary(detector: ForeignDetector) -> float:
    size = detector.spec.size
    picture = cv2.resize(canary_picture(), (size, size), interpolation=cv2.INTER_LINEAR)
    return float(detector.logits(np.asarray(picture, np.uint8)[None])[0])


def build(recipe: Recipe, where: Path, *, device: str = "auto") -> ForeignDetector:
    """Return the detector of a recipe whose files lie in a folder.

    Raises
    ------
    DetectorError
        If an optional package is missing.
    ModelError
        If the files are damaged, or the canary picture gets another answer than when it was added.
    """
    if recipe.route == "onnx":
        detector: ForeignDetector = onnx_files.build(recipe, where, device=device)
    else:
        if recipe.route == "huggingface":
            if weights.sha256_of(where / recipe.file) != recipe.sha256:
                raise ModelError(
                    "a weight file is damaged or another one",
                    recipe.name,
                    "Add the detector again.",
                )
            body = hugging_face.build(recipe, where)
        elif recipe.route == "gend":
            body = gend.build(recipe, where)
        else:
            body = timm_names.build(recipe, where)
        detector = NetworkDetector(
            body, recipe.card(), recipe.spec, recipe.reading, recipe.answer, device=device
        )
    if recipe.canary is not None:
        answer = _canary(detector)
        if not abs(answer - recipe.canary) <= CANARY_TOLERANCE * max(1.0, abs(recipe.canary)):
            raise ModelError(
                "the detector does not answer as its card says",
                phrase(
                    "{name}: canary logit {answer:.5f}, expected {expected:.5f}",
                    name=recipe.name,
                    answer=answer,
                    expected=recipe.canary,
                ),
                "Add the detector again.",
            )
    return detector


def load(name: str, *, device: str = "auto") -> ForeignDetector:
    """Return an added detector, verified.

    Raises
    ------
    DetectorError, ModelError
        As `read` and `build`.
    """
    return build(read(name), added_folder() / name, device=device)


def load_source(source: str, *, device: str = "auto") -> Detector:
    """Return a detector straight from a folder that tells all that must be known.

    ``hf:FOLDER`` and ``gend:FOLDER``; ``hub:OWNER/NAME`` and ``gend:clip-l`` where it was added.

    Raises
    ------
    DetectorError
        If it was not fetched before.
    UsageError
        If the folder does not tell everything: then it must be added first.
    """
    for name in added_names():
        recipe = read(name)
        member = gend.MEMBERS.get(source.removeprefix("gend:"))
        if recipe.source == (f"hub:{member.hub}" if member else source):
            return load(name, device=device)
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as scratch:
        draft = draft_of(source, work=Path(scratch))
        if draft.file.parent == Path(scratch):  # a .pth is converted once, not at every start
            raise UsageError(
                "this detector must be added first",
                source[:80],
                "Run: python -m toolkit detector add NAME {source}",
                source=source,
            )
        recipe = settle(draft, "unsaved", given_of(draft, {}), assume=True)
        recipe = dataclasses.replace(
            recipe, file=draft.file.name, sha256=weights.sha256_of(draft.file)
        )
        detector = build(recipe, draft.file.parent, device=device)
        _check_scale(detector, stated=draft.route == "gend")
    return detector.but(card=dataclasses.replace(detector.card, name=source))


def set_recipe(recipe: Recipe) -> None:
    """Keep another recipe for a detector that was added, in place of its own.

    Raises
    ------
    DetectorError
        If there is none of that name.
    """
    read(recipe.name)
    recipe.save(added_folder() / recipe.name)


def remove(name: str) -> Path:
    """Take an added detector away; what the user gave is not touched.

    Returns
    -------
    Path
        Where its files lie now: one removed detector is kept, until another is removed.

    Raises
    ------
    DetectorError
        If there is none of that name.
    """
    if name not in added_names():
        read(name)
    kept = added_folder() / ".removed"
    if kept.exists():
        shutil.rmtree(kept)
    (added_folder() / name).replace(kept)
    return kept
