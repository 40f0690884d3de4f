"""Average the weights of networks that were trained on from one another, and make one of them.

    python -m toolkit train average WEIGHTS[:SHARE] ... --faces DIR[:WEIGHT] ... --out FILE

Runs that start from each other's weights stay in one valley of the loss, and their mean often
judges unknown footage better than any of them (Wortsman et al., Model soups, ICML 2022). Threshold,
reference and validation figures of the mean are computed as after training, on the validation
identities of the same folders. Choose shares by those figures, never by the clips you report on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from toolkit.errors import ToolkitError, UsageError
from toolkit.jobs import TerminalLine
from toolkit.training.data import index_folder, parse_folder
from toolkit.training.train import Trainer, TrainingRecipe, trained_network
from toolkit.types import Tick, no_tick


def average(
    parts: Sequence[tuple[Path, float]],
    faces: Sequence[tuple[Path, float]],
    out: Path,
    work: Path,
    *,
    device: str = "auto",
    tick: Tick = no_tick,
) -> Trainer:
    """Write the weighted mean of trained networks, with its card's facts beside it.

    Parameters
    ----------
    parts
        Weights (``.safetensors``, each with its ``.json``) and their shares; shares are scaled to
        sum to 1.
    faces
        Folders of genuine faces and how often each is drawn, as for `train.train`.
    out, work
        As for `train.train`; `work` keeps the index of faces. The recipe in the card is that of
        the part with the largest share.

    Raises
    ------
    UsageError
        If there are no parts, or a share is not positive.
    ModelError
        If weights and their card do not belong together.
    """
    if not parts or any(share <= 0 for _, share in parts):
        raise UsageError("nothing to average", str(len(parts)), "Give weights and shares above 0.")
    total = sum(share for _, share in parts)
    folders = [index_folder(p, work, weight=w, tick=tick) for p, w in faces]
    networks = [
        (*trained_network(path), share) for path, share in parts
    ]  # checked with their cards
    main_part, _ = max(parts, key=lambda part: part[1])
    trainer = Trainer(folders, work, _recipe(main_part), start=main_part, device=device)
    mean = {k: torch.zeros_like(v) for k, v in trainer.ema.items()}
    names = []
    for network, sha256, share in networks:
        names.append(f"{share / total:g} of {sha256}")
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                mean[key] += share / total * value.to(mean[key].device)
            else:  # a counter of batches, which nothing reads
                mean[key] = value.to(mean[key].device)
    trainer.ema, trainer.started_from = mean, " + ".join(names)
    trainer.log = [{"step": 0, **trainer.validate()}]
    trainer.export(out)
    return trainer


def _recipe(weights: Path) -> TrainingRecipe:
    """Return the recipe in the card of weights."""
    facts = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    return TrainingRecipe(**facts["recipe"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m toolkit train average", description=__doc__)
    parser.add_argument("weights", nargs="+", metavar="WEIGHTS[:SHARE]")
    parser.add_argument("--faces", action="append", required=True, metavar="DIR[:WEIGHT]")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/train"))
    options = parser.parse_args(argv)
    try:
        with TerminalLine() as progress:
            mean = average(
                [parse_folder(w) for w in options.weights],
                [parse_folder(f) for f in options.faces],
                options.out,
                options.work,
                tick=progress,
            )
    except ToolkitError as error:
        print(error, file=sys.stderr)
        return 2
    print(mean.log[-1])
    return 0
