"""Clips to start with: fetched and verified, or planted by our own code. None is committed.

``python -m toolkit.samples`` obtains what is missing. What is known of the people in them is in
``models/samples.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit import models
from toolkit.errors import ToolkitError
from toolkit.files import atomic_write, parse_json
from toolkit.messages import text_of
from toolkit.models import Fetched, PinnedFile
from toolkit.types import Tick, no_tick

MANIFEST = models.ROOT / "models" / "samples.toml"
FOLDER = models.ROOT / "samples"
_FORGE = Path(__file__).with_name("forge")


@dataclass(frozen=True)
class Planted:
    """The recipe of the sample that is made here: a known region in a known interval."""

    id: str
    file: str
    title: str
    source_id: str
    regions: tuple[str, ...]
    keep_s: tuple[float, float]
    start_s: float
    end_s: float
    kind: str
    strength: float
    seed: int


@dataclass(frozen=True)
class SampleCard:
    """What is known of a sample.

    Attributes
    ----------
    name, file, title
        What it is.
    licence
        As its source states it.
    source
        Package it comes from, or how it was made.
    is_video
        False for a picture.
    """

    name: str
    file: str
    title: str
    licence: str
    source: str
    is_video: bool


def planted() -> Planted:
    """Return the recipe of the planted sample."""
    with MANIFEST.open("rb") as file:
        recipe = tomllib.load(file)["planted"]
    lists = {"regions": tuple(recipe["regions"]), "keep_s": tuple(recipe["keep_s"])}
    return Planted(**{**recipe, **lists})


def _pinned() -> dict[str, PinnedFile]:
    return models.read_manifest(MANIFEST, table="sample")


def names(*, present: bool = False) -> list[str]:
    """Return the names of the sample videos, the planted one first.

    Parameters
    ----------
    present
        Only those that are on this machine.
    """
    everything = [planted().id, *_pinned()]
    videos = [name for name in everything if card(name).is_video]
    return [name for name in videos if (FOLDER / card(name).file).is_file() or not present]


def card(name: str) -> SampleCard:
    """Return what is known of a sample.

    Raises
    ------
    ToolkitError
        If there is no sample of that name.
    """
    cards, pinned = planted(), _pinned()
    stem = name.rsplit(".", 1)[0]  # both "franck" and "franck.mp4" are understood
    if stem == cards.id:
        licence = pinned[cards.source_id].licence
        source = f"made on this machine from {cards.source_id}"
        return SampleCard(cards.id, cards.file, cards.title, licence, source, is_video=True)
    if stem not in pinned:
        known = ", ".join([cards.id, *pinned])
        raise ToolkitError("there is no such sample", name, "Choose one of {known}.", known=known)
    entry = pinned[stem]
    first = entry.sources[0]
    source = first.get("requirement") or first.get("package") or first["url"]
    is_video = Path(entry.file).suffix == ".mp4"
    return SampleCard(entry.id, entry.file, entry.title, entry.licence, source, is_video)


def path(name: str) -> Path:
    """Return where a sample lies; nothing is fetched.

    Raises
    ------
    ToolkitError
        If there is no such sample, or it is not on this machine.
    """
    where = FOLDER / card(name).file
    if not where.is_file():
        raise ToolkitError("this sample is not here", where.name, models.SETUP)
    return where


def donor_clips(sha256: str) -> tuple[Path, ...]:
    """Return the genuine sample videos on this machine, to take reference faces from.

    Parameters
    ----------
    sha256
        Hash of the clip in question. It is no donor, nor is the one that the planted sample was
        made from while that is in question; the planted sample never is one.
    """
    cards, pinned = planted(), _pinned()
    truth = FOLDER / Path(cards.file).with_suffix(".truth.json")
    try:
        is_planted = parse_json(truth.read_text(encoding="utf-8"))["sha256"] == sha256
    except (OSError, ValueError, KeyError, TypeError):
        is_planted = False
    shut_out = {cards.id, *([cards.source_id] if is_planted else [])}
    shut_out |= {name for name, file in pinned.items() if file.sha256 == sha256}
    return tuple(path(name) for name in names(present=True) if name not in shut_out)


def fetch(
    *, from_folder: Path | None = None, on_result: models.OnResult = models.ignore
) -> list[Fetched]:
    """Obtain the samples that are missing or damaged; a failure is returned, never raised.

    Parameters
    ----------
    from_folder
        Take the files, or the archives that hold them, from here and never from a network.
    tell
        Called after each file.
    """
    return models.fetch_files(
        _pinned().values(), FOLDER, from_folder=from_folder, on_result=on_result
    )


def make_planted(*, tick: Tick = no_tick) -> Path:
    """Make the planted sample, unless the one that is there came from the same recipe.

    Returns
    -------
    Path
        The video; its truth lies beside it, with the suffix ``.truth.json``.

    Raises
    ------
    ToolkitError
        If the clip it is made from is not here.
    """
    cards = planted()
    source, out = path(cards.source_id), FOLDER / cards.file
    truth, stamp = out.with_suffix(".truth.json"), out.with_suffix(".recipe.json")
    recipe = _recipe(cards, source)
    if all(p.is_file() for p in (out, truth, stamp)) and _is_stamp(stamp, recipe):
        return out

    from toolkit.forge.plant import plant

    stamp.unlink(missing_ok=True)
    plant(
        source,
        out,
        regions=cards.regions,
        start_s=cards.start_s,
        end_s=cards.end_s,
        kind=cards.kind,
        strength=cards.strength,
        seed=cards.seed,
        keep=cards.keep_s,
        tick=tick,
    )
    atomic_write(stamp, json.dumps(recipe, indent=1))
    return out


def _recipe(made: Planted, source: Path) -> dict[str, Any]:
    code = hashlib.sha256()
    for module in sorted(_FORGE.glob("*.py")):
        code.update(module.read_bytes())
    return {
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "forge_sha256": code.hexdigest(),
        **vars(made),
        "regions": list(made.regions),
        "keep_s": list(made.keep_s),
    }


def _is_stamp(stamp: Path, recipe: dict[str, Any]) -> bool:
    try:
        return bool(parse_json(stamp.read_text(encoding="utf-8")) == recipe)
    except ValueError:
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Obtain the samples and make the planted one; a missing sample is told, never an error."""
    parser = argparse.ArgumentParser(prog="python -m toolkit.samples", description=main.__doc__)
    parser.add_argument(
        "--from-folder",
        type=Path,
        metavar="DIR",
        help="take the files, or the archives that hold them, from here: no network",
    )
    options = parser.parse_args(argv)
    try:
        fetch(from_folder=options.from_folder, on_result=models.say)
    except (ToolkitError, OSError) as error:
        print(f"  samples: not obtained ({text_of(error)})")
    _try_to_plant(make_planted)
    return 0


def _try_to_plant(make: Callable[[], Path]) -> None:
    try:
        print(f"  {make().name}: planted on this machine")
    except Exception as error:  # noqa: BLE001 - a sample never stops the set-up; the reason is told
        print(f"  {planted().file}: not made ({type(error).__name__}: {text_of(error)})")


if __name__ == "__main__":
    sys.exit(main())
