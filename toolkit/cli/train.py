"""``train``: the small network, or the heads of the large one."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.cli import study
from toolkit.cli.common import Command
from toolkit.errors import UsageError
from toolkit.jobs import TerminalLine
from toolkit.runtime import DEVICES


def add_commands(command: Command) -> None:
    """Add the command."""
    sub = command("train", _train, "train SeamNet from folders of genuine faces")
    sub.epilog, sub.formatter_class = study.help_of_train(), argparse.RawTextHelpFormatter
    sub.add_argument(
        "--network",
        choices=("small", "clip-head"),
        default="small",
        help="the small network, or the heads of the large one on its frozen body",
    )
    sub.add_argument(
        "--faces",
        action="append",
        required=True,
        metavar="DIR[:WEIGHT]",
        help="folder of pictures with one face each, and how often it is drawn; may be repeated",
    )
    sub.add_argument("--out", type=Path, help="default: runs/seamnet[-small].safetensors")
    sub.add_argument("--work", type=Path, default=Path("runs/train"), help="checkpoints; resumes")
    sub.add_argument("--start", type=Path, help="weights to go on from (default: ImageNet body)")
    sub.add_argument("--steps", type=int)
    sub.add_argument("--rate", type=float, help="highest learning rate")
    sub.add_argument("--pairs", type=int, help="training pairs per step")
    sub.add_argument("--patch-weight", type=float, help="of the patches' loss; 0 = without")
    sub.add_argument("--order-weight", type=float, help="of the order within a pair; 0 = without")
    sub.add_argument("--seed", type=int)
    sub.add_argument("--workers", type=int)
    sub.add_argument("--threshold", type=float, help="default: from genuine validation faces")
    sub.add_argument("--device", choices=DEVICES, default="auto")
    _add_clip_head(sub)


def _add_clip_head(sub: argparse.ArgumentParser) -> None:
    """Add what only the heads of the large network have."""
    head = sub.add_argument_group("with --network clip-head")
    head.add_argument(
        "--clips",
        action="append",
        default=[],
        metavar="CSV[:WEIGHT]",
        help="published clips to train on as well: path, label, dataset, method; may be repeated",
    )
    head.add_argument(
        "--under",
        action="append",
        default=[],
        metavar="PREFIX",
        help="of the lists, only clips whose path begins so; may be repeated",
    )
    head.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="PAGE",
        help="a dataset of the lists that is not trained on, to test on it; may be repeated",
    )
    head.add_argument("--clip-weight", type=float, help="of genuine clips, in the first head")
    head.add_argument("--tune-weight", type=float, help="of all clips, in the second head")
    head.add_argument("--tune-steps", type=int, help="of the second head, on forged clips as well")
    head.add_argument("--blends", type=int, help="pairs of self-blends")
    head.add_argument("--blocks", help="of the body that are read, for example 4,6,8,10")
    head.add_argument("--small-weight", type=float, help="part of the small network; 0 = none")
    head.add_argument("--hidden", type=int, help="units of each head")
    head.add_argument("--tau", type=float, help="sharpness of the pooling over patches")


def _train(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from toolkit.training import train
    from toolkit.training.data import parse_folder

    train.with_allocator()
    if options.network == "clip-head":
        return _train_heads(options)
    options.out = options.out or Path("runs/seamnet-small.safetensors")
    faces = [parse_folder(text) for text in options.faces]
    names = ("steps", "rate", "pairs", "patch_weight", "order_weight", "seed")
    parts = {name: getattr(options, name) for name in names}
    recipe = replace(train.TrainingRecipe(), **{k: v for k, v in parts.items() if v is not None})
    train.train(
        faces,
        options.out,
        options.work,
        recipe,
        start=options.start,
        device=options.device,
        workers=options.workers,
        threshold=options.threshold,
    )
    print(options.out)
    return 0


def _train_heads(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from toolkit.training import clip_head
    from toolkit.training.data import parse_folder
    from toolkit.training.tokens import read_clips

    foreign = ("start", "workers")
    if unfit := [name for name in foreign if getattr(options, name) is not None]:
        raise UsageError("this is for the small network", f"--{unfit[0]}", "Leave it out.")
    of_both = ("steps", "rate", "pairs", "patch_weight", "order_weight", "seed")
    own = ("clip_weight", "tune_weight", "tune_steps", "blends", "small_weight", "hidden", "tau")
    names = (*of_both, *own)
    changes = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    if options.blocks:
        changes["blocks"] = _blocks(options.blocks)
    out = options.out or Path("runs/seamnet.safetensors")
    with TerminalLine() as progress:
        lists = [parse_folder(text) for text in options.clips]
        clips = read_clips(lists, under=options.under, leave_out=options.leave_out)
        facts = clip_head.train(
            [parse_folder(text) for text in options.faces],
            clips,
            out,
            options.work,
            replace(clip_head.HeadRecipe(), **changes),
            threshold=options.threshold,
            tick=progress,
        )
    fresh = facts["validation"]
    print(
        f"{out}: on {fresh['pairs']} self-blends of other people, AUC {fresh['auc']:.3f}, "
        f"{fresh['in_order']:.0%} of pairs in order; threshold {facts['threshold']:+.2f}"
    )
    return 0


def _blocks(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(p.strip().isdigit() for p in parts):
        raise UsageError("these are no blocks", text, "For example 4,6,8,10.")
    return tuple(sorted({int(p) for p in parts}))
