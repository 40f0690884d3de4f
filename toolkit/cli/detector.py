"""``python -m toolkit detector``: add, list, check, calibrate and remove detectors of others."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit._i18n import _
from toolkit.cli.case import add_language
from toolkit.errors import UsageError
from toolkit.jobs import TerminalLine
from toolkit.messages import text_of
from toolkit.runtime import DEVICES

if TYPE_CHECKING:
    from toolkit.detectors.conformance import Canary, Conformance
    from toolkit.detectors.hub import Offered

Command = Callable[[str, Any, str], argparse.ArgumentParser]

SIGNS = {"passed": "+", "failed": "X", "warning": "!", "skipped": "-"}
CROPS = ("oval", "box", "five_points")


def add_commands(command: Command) -> None:
    """Add the command to the parser; `command` takes its name, what runs it, and its help."""
    text = "detectors that others made: add them, check them, measure their threshold"
    whole = command("detector", None, text)
    whole.set_defaults(run=lambda _options: whole.error("name what to do with it"))
    verbs = whole.add_subparsers(dest="verb", metavar="VERB")

    def verb(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        add_language(sub)
        return sub

    _add_add(verb("add", _add, "copy a detector to where every command finds it, and check it"))
    sub = verb("list", _list, "the detectors that there are, and what is known of them")
    sub.add_argument("--presets", action="store_true", help="of published detectors, instead")
    sub.add_argument("--json", action="store_true", help="for programs")
    sub = verb("check", _check, "read pictures with known answers; say what looks wrong")
    sub.add_argument("name")
    sub.add_argument("--device", choices=DEVICES, default="auto")
    _add_canaries(sub)
    sub = verb("threshold", _threshold, "measure the threshold on genuine clips of your own")
    sub.add_argument("name")
    sub.add_argument("--genuine", type=Path, required=True, metavar="DIR", help="of genuine clips")
    sub.add_argument("--share", type=float, default=0.05, help="of genuine clips above it, at most")
    sub.add_argument("--frames", type=int, help="moments per person; default: by length")
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub = verb("remove", _remove, "take an added detector away; your own files are not touched")
    sub.add_argument("name")


def _add_add(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("name", help="to call it by")
    sub.add_argument(
        "source",
        help="a folder (Hugging Face, GenD), a .safetensors, .pth or .onnx file, hub:OWNER/NAME, "
        "gend:clip-l, gend:pe-l or gend:dinov3-l",
    )
    sub.add_argument(
        "--download", action="store_true", help="a hub: or gend: source may be fetched"
    )
    sub.add_argument("--yes", action="store_true", help="fetch without asking")
    sub.add_argument("--preset", help="what is known of a published detector; see list --presets")
    sub.add_argument("--network", help="timm's name of the network, for a file of weights")
    sub.add_argument(
        "--argument",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="given to timm with it",
    )
    sub.add_argument("--key", default="", help="of the state dict in a file with several")
    sub.add_argument("--fake", type=int, nargs="*", help="numbers of outputs that mean fake")
    sub.add_argument("--real", type=int, nargs="*", help="numbers of outputs that mean real")
    sub.add_argument("--scale", choices=("logits", "probabilities"), help="of its outputs")
    sub.add_argument(
        "--normalise", choices=("imagenet", "half", "clip", "none"), help="of its pictures"
    )
    sub.add_argument("--mean", type=float, nargs=3, help="of each colour, of pixels of 0..1")
    sub.add_argument("--std", type=float, nargs=3, help="deviation of each colour")
    sub.add_argument("--colour", choices=("rgb", "bgr"), help="order of colours it wants")
    sub.add_argument("--size", type=int, help="side of its pictures in pixels")
    sub.add_argument("--crop", choices=CROPS, help="what its crops are laid round")
    sub.add_argument("--margin", type=float, help="on each side, in sides of that")
    sub.add_argument("--outside", choices=("repeat", "black"), help="the picture")
    sub.add_argument("--title", help="for people")
    sub.add_argument("--licence", help="of the weights")
    sub.add_argument("--trained-on", dest="training", help="in words; shown beside every verdict")
    sub.add_argument("--assume", action="store_true", help="the usual where nobody states it")
    sub.add_argument("--replace", action="store_true", help="one of that name")
    sub.add_argument("--device", choices=DEVICES, default="cpu", help="where it is tried")
    _add_canaries(sub)


def _add_canaries(sub: argparse.ArgumentParser) -> None:
    canary = sub.add_argument_group("pictures with known answers")
    canary.add_argument("--canary-real", type=Path, nargs="*", default=[], metavar="PICTURE")
    canary.add_argument("--canary-fake", type=Path, nargs="*", default=[], metavar="PICTURE")
    canary.add_argument(
        "--expect",
        type=float,
        nargs="*",
        metavar="LOGIT",
        help="their published fake logits, those of --canary-real first",
    )
    canary.add_argument(
        "--crops", action="store_true", help="the pictures are finished crops, not whole frames"
    )


# --- add


def _add(options: argparse.Namespace) -> int:
    from toolkit.detectors import added

    given = _given(options)
    confirm = (lambda offered: _confirm(offered, sure=options.yes)) if options.download else None
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as work:
        draft = added.draft_of(
            options.source,
            work=Path(work),
            network=options.network or _preset_network(options.preset),
            arguments=dict(_argument(text) for text in options.argument),
            key=options.key,
            confirm=confirm,
        )
        recipe, _found = added.add_checked(
            options.name,
            draft,
            given,
            read_canaries(options),
            assume=options.assume,
            device=options.device,
            replace=options.replace,
            on_points=_print_points,
        )
    text = _("{name} was added: python -m toolkit analyse VIDEO --out DIR --detector {name}")
    print(text.format(name=recipe.name))
    if recipe.assumed:
        print(_("Nobody stated and so assumed: {what}.").format(what=", ".join(recipe.assumed)))
    text = _("Its threshold is not measured yet: python -m toolkit detector threshold {name} ...")
    print(text.format(name=recipe.name))
    return 0


def _confirm(offered: Offered, *, sure: bool) -> bool:
    """Show what would be fetched, and ask; where nobody can answer, only --yes is a yes."""
    print(f"hub:{offered.repo}, {_('revision')} {offered.revision}")
    print(f"  {_('licence')}: {offered.licence or _('not stated')}")
    print(f"  {_('size')}: {offered.bytes / 1e6:.1f} MB")
    for name, size, _sha in offered.files:
        print(f"    {name}: {size / 1e6:.1f} MB")
    if sure:
        return True
    if not sys.stdin.isatty():
        return False
    answer = input(_("Fetch it? (y/n) "))
    return answer.strip().lower() in {"y", "yes", "j", "ja"}


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the options state, as `recipe.settle` takes it."""
    from toolkit.detectors.presets import read
    from toolkit.detectors.reading import NORMALISATIONS, Answer, Reading

    names = ("preset", "size", "crop", "margin", "outside", "title", "licence", "training")
    given = {name: getattr(options, name) for name in names}
    stated = read(options.preset).given() if options.preset else {}
    if options.fake is not None or options.real is not None:
        fake, real = tuple(options.fake or ()), tuple(options.real or ())
        given["answer"] = Answer(fake, real, options.scale or "logits")
    elif options.scale and "answer" in stated:
        given["answer"] = dataclasses.replace(stated["answer"], scale=options.scale)
    elif options.scale:
        raise UsageError("--scale says nothing alone", options.scale, "Give --fake and --real.")
    if options.mean is not None or options.std is not None:
        if options.normalise or options.mean is None or options.std is None:
            raise UsageError("give --normalise, or --mean and --std", "", "One of the two.")
        given["reading"] = Reading(tuple(options.mean), tuple(options.std))
    elif options.normalise:
        given["reading"] = Reading(*NORMALISATIONS[options.normalise])
    if options.colour:
        if "reading" not in given and "reading" not in stated:
            raise UsageError("--colour says nothing alone", options.colour, "Give --normalise.")
        reading = given.get("reading") or stated["reading"]
        given["reading"] = dataclasses.replace(reading, colour=options.colour)
    return given


def _preset_network(preset: str | None) -> str | None:
    from toolkit.detectors.presets import read

    return read(preset).network if preset else None


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError("this is no argument", text, "Give NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def read_canaries(options: argparse.Namespace) -> list[Canary]:
    """Return the pictures with known answers that the options name."""
    from toolkit.detectors.conformance import read_canary
    from toolkit.training.data import read_picture

    paths = [(p, False) for p in options.canary_real] + [(p, True) for p in options.canary_fake]
    expected: Sequence[float | None] = options.expect or [None] * len(paths)
    if len(expected) != len(paths):
        raise UsageError(
            "each picture needs its logit",
            f"{len(expected)} / {len(paths)}",
            "Give --expect as many numbers as there are pictures.",
        )
    found = []
    for (path, fake), value in zip(paths, expected, strict=True):
        rgb = read_picture(path)
        if rgb is None:
            raise UsageError("this is no picture that can be read", str(path), "Give JPEG or PNG.")
        found.append(read_canary(rgb, is_fake=fake, expected=value, is_crop=options.crops))
    return found


def _print_points(found: Conformance) -> None:
    for point in found.points:
        print(f" {SIGNS[point.state]} {point.name:<12}{text_of(point.text)}")
    if len(found.readings) > 1:
        print(f"   {_('logits of these pictures, read otherwise')}:")
        for name, logits in found.readings.items():
            print(f"     {name:<14}" + "  ".join(f"{z:+.2f}" for z in logits))


# --- the others


def _list(options: argparse.Namespace) -> int:
    from toolkit.detectors import presets

    if options.presets:
        for preset in presets.read_all().values():
            print(f"{preset.name:<24}{preset.title}; {preset.licence}; {preset.where}")
        return 0
    from toolkit.figures.detectors import list_detectors

    rows = list_detectors()
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(f"{row['name']:<24}{row['title']}")
        for line in row["facts"]:
            print(f"{'':<24}{line}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from toolkit.detectors import added, conformance, registry
    from toolkit.detectors.listing import added_names

    detector = registry.load(options.name, device=options.device, stand_in=False)
    other = conformance.other_device(
        lambda device: registry.load(options.name, device=device, stand_in=False), detector.device
    )
    with TerminalLine() as progress:
        found = conformance.check(detector, read_canaries(options), other=other, tick=progress)
    _print_points(found)
    if found.passed and options.name in added_names():
        added.note_passed(added.read(options.name), found)
    return 0 if found.passed else 1


def _threshold(options: argparse.Namespace) -> int:
    from toolkit.detectors import registry
    from toolkit.evaluation import own_threshold
    from toolkit.types import Sampling

    clips = own_threshold.find_clips(options.genuine)
    detector = registry.load(options.name, device=options.device, stand_in=False)
    with TerminalLine() as progress:
        found = own_threshold.measure(
            detector,
            clips,
            share=options.share,
            sampling=Sampling(frames=options.frames),
            on_clip=lambda name, logit: progress.write(
                f"{name}: {'-' if logit is None else f'{logit:+.2f}'}"
            ),
            tick=progress,
        )
    is_used = own_threshold.keep(detector, found)
    text = _("threshold {value:.3f}, 90 % interval {low:.3f} to {high:.3f}, from {n} genuine clips")
    print(
        text.format(
            value=found.value,
            low=found.measured.low,
            high=found.measured.high,
            n=found.measured.clips,
        )
    )
    text = _("genuine clips lie at {mean:.3f}, deviation {deviation:.3f}: the scale is kept")
    print(text.format(mean=found.measured.mean, deviation=found.measured.deviation))
    if not is_used:
        print(_("This detector keeps the threshold that it came with."))
    if found.promised > options.share:
        text = _("So few clips cannot hold back less than {share:.0%} of genuine ones.")
        print(text.format(share=found.promised))
    for name, why in found.refused.items():
        print(f"  {_('no logit')}: {name}: {why}")
    return 0


def _remove(options: argparse.Namespace) -> int:
    from toolkit.detectors import added

    kept = added.remove(options.name)
    text = _("{name} was removed. Until another is removed its files lie in {folder}.")
    print(text.format(name=options.name, folder=kept))
    return 0
