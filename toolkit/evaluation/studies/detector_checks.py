"""Whether the check of foreign detectors finds what is planted, and lets right ones through.

    python -m toolkit study detector-check [--tries 20] [--right 50] [--labels]

Each try is a detector with its own size, crop, normalisation, order of colours and classes: a small
network with random weights, whose outputs are spread over faces as a detector's are, or the bundled
small SeamNet as a foreign network would hold it. Its logits of a genuine and a forged frame,
rounded to two digits, stand for the published ones. Then one thing about it is said wrongly, and
`conformance.check` is asked. With ``--labels`` it knows only which of the two pictures the right
detector calls forged, as one knows it of published examples. One bit cannot name a normalisation,
an order of colours or a margin: there the table says how many are missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import nn

from toolkit import media, samples
from toolkit.detectors import registry
from toolkit.detectors.base import Card, InputSpec, network_of
from toolkit.detectors.conformance import MARGINS, Canary, Conformance, Mistake, check
from toolkit.detectors.foreign import NetworkDetector
from toolkit.detectors.reading import NORMALISATIONS, Answer, Reading
from toolkit.errors import ToolkitError, UsageError
from toolkit.faces.crops import CROPS
from toolkit.faces.mesh import LargestFace
from toolkit.files import atomic_write
from toolkit.jobs import TerminalLine
from toolkit.types import Tick, no_tick, spread

MISTAKES: tuple[Mistake, ...] = get_args(Mistake)
GENUINE, FORGED = "cap12_edit", "planted_cap12"
FRAMES = 12  # of each clip, to draw canaries from
SIZES = (64, 96, 128, 160)
MARGIN_APART = 0.05  # a margin that is nearer to the right one is no mistake
SEAMNET_EVERY = 4  # one try in so many holds a network that was trained


@dataclass(frozen=True)
class CheckOutcome:
    """What was planted (None = nothing), what a check named, and whether it let it pass."""

    planted: Mistake | None
    named: tuple[Mistake, ...]
    passed: bool
    network: str
    number: int

    @property
    def is_right(self) -> bool:
        """Whether the planted mistake was named, or a right detector passed unnamed."""
        if self.planted is None:
            return self.passed and not self.named
        return self.planted in self.named


SPREAD = 2.0
"""Standard deviation over faces of a random network's outputs."""


class _Small(nn.Module):
    """A small network with random weights."""

    def __init__(self, outputs: int, rng: np.random.Generator) -> None:
        super().__init__()
        torch.manual_seed(int(rng.integers(1 << 31)))
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=3), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU()
        )
        self.last = nn.Linear(12 * 9, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return outputs (N, K)."""
        pooled = nn.functional.adaptive_avg_pool2d(self.body(x), 3).flatten(1)
        out: torch.Tensor = self.last(pooled)
        return out

    @torch.no_grad()
    def spread(self, x: torch.Tensor) -> None:
        """Bring its outputs for some faces to mean 0 and deviation `SPREAD`."""
        out = self(x)
        scale = SPREAD / out.std(dim=0)
        self.last.weight *= scale[:, None]
        self.last.bias.copy_((self.last.bias - out.mean(dim=0)) * scale)


class _SeamNet(nn.Module):
    """The small SeamNet as a foreign network: it takes normalised pictures, gives K outputs."""

    def __init__(self, outputs: int, reading: Reading) -> None:
        super().__init__()
        self.net = network_of(registry.load(registry.SMALL, device="cpu"))
        self._outputs, self._reading = outputs, reading

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return outputs (N, K): the first is the fake logit, the others are 0."""
        std = x.new_tensor(self._reading.std).view(1, 3, 1, 1)
        mean = x.new_tensor(self._reading.mean).view(1, 3, 1, 1)
        pixels = 255 * (x * std + mean)
        logit = self.net(pixels.flip(1) if self._reading.colour == "bgr" else pixels)[0]
        rest = logit.new_zeros(len(logit), self._outputs - 1)
        return torch.cat([logit[:, None], rest], 1)


class _Squashed(nn.Module):
    """A network with a sigmoid or softmax as its last layer."""

    def __init__(self, net: nn.Module, outputs: int) -> None:
        super().__init__()
        self.net, self._one = net, outputs == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities (N, K)."""
        out = self.net(x)
        return torch.sigmoid(out) if self._one else torch.softmax(out, 1)


def draw(
    rng: np.random.Generator, planted: Mistake | None, number: int, frames: Sequence[Canary]
) -> NetworkDetector:
    """Return a detector that is read rightly."""
    trained = number % SEAMNET_EVERY == 0
    names = list(NORMALISATIONS)
    reading = Reading.named(names[int(rng.integers(len(names)))])
    if rng.random() < 0.3:
        reading = replace(reading, colour="bgr")
    outputs = 5 if planted == "outputs" else int(rng.choice([1, 2, 2, 3]))
    if trained or outputs == 1:
        answer = Answer((0,), tuple(range(1, outputs)))
    else:
        classes = rng.permutation(outputs).tolist()
        n_fake = int(rng.integers(1, outputs))
        answer = Answer(tuple(sorted(classes[:n_fake])), tuple(sorted(classes[n_fake:])))
    squashed = planted == "probability" or (planted is None and rng.random() < 0.3)
    size = 224 if trained else int(rng.choice(SIZES))
    margin = float(rng.choice(MARGINS))
    spec = InputSpec(size, margin, CROPS[int(rng.integers(len(CROPS)))])
    net: nn.Module
    if trained:
        net = _SeamNet(outputs, reading)
    else:
        net = small = _Small(outputs, rng)
        crops = np.stack([c.crop(spec) for c in frames])
        small.spread(reading.read(torch.from_numpy(crops).permute(0, 3, 1, 2).float()))
    if squashed:
        net = _Squashed(net, outputs)
        answer = replace(answer, scale="probabilities")
    name = "SeamNet" if trained else "random"
    card = Card(name, name, "", 0.0, "", (), threshold_measured=False)
    return NetworkDetector(net, card, spec, reading, answer, device="cpu")


def spoil(
    detector: NetworkDetector, planted: Mistake | None, rng: np.random.Generator
) -> NetworkDetector:
    """Return the detector with one thing said wrongly."""
    reading, answer, spec = detector.reading, detector.answer, detector.spec
    if planted == "classes":
        return detector.but(answer=answer.swapped)
    if planted == "normalisation":
        others = [n for n in NORMALISATIONS if NORMALISATIONS[n] != (reading.mean, reading.std)]
        mean, std = NORMALISATIONS[others[int(rng.integers(len(others)))]]
        return detector.but(reading=replace(reading, mean=mean, std=std))
    if planted == "colours":
        return detector.but(reading=reading.alternatives()["bgr"])
    if planted == "margin":
        far = [m for m in MARGINS if abs(m - spec.margin) >= MARGIN_APART]
        return detector.but(spec=replace(spec, margin=far[int(rng.integers(len(far)))]))
    if planted == "probability":
        return detector.but(answer=replace(answer, scale="logits"))
    if planted == "outputs":
        return detector.but(answer=Answer((1,), (0,)))
    return detector


def faces(*, tick: Tick = no_tick) -> dict[str, list[Canary]]:
    """Return frames with a face of a genuine and of a forged sample."""
    finder, faces_by_clip = LargestFace(), {}
    for name in (GENUINE, FORGED):
        video = media.probe(samples.path(name))
        indices = spread(len(video.pts), FRAMES)
        rows = []
        for done, frame in enumerate(media.read(video, indices)):
            tick("faces", done, len(indices))
            if (face := finder.detect(frame.rgb)) is not None:
                rows.append(Canary(frame.rgb, name == FORGED, None, *face))
        faces_by_clip[name] = rows
    return faces_by_clip


def one(
    planted: Mistake | None, number: int, frames: dict[str, list[Canary]], *, published: bool
) -> CheckOutcome:
    """Draw a detector, say one thing wrongly, and check it."""
    rng = np.random.default_rng([number, MISTAKES.index(planted) if planted else 99])
    right = draw(rng, planted, number, [c for rows in frames.values() for c in rows])
    pair = [rows[int(rng.integers(len(rows)))] for rows in frames.values()]
    if published:
        logits = [float(right.logits(c.crop(right.spec)[None])[0]) for c in pair]
        pair = [replace(c, expected=round(z, 2)) for c, z in zip(pair, logits, strict=True)]
    else:  # random weights know nothing of forgeries: what they put higher is their forged one
        first, second = (float(right.logits(c.crop(right.spec)[None])[0]) for c in pair)
        pair = [replace(pair[0], is_fake=first > second), replace(pair[1], is_fake=second >= first)]
    conformance: Conformance = check(spoil(right, planted, rng), pair)
    return CheckOutcome(planted, conformance.mistakes, conformance.passed, right.card.name, number)


def run(
    *,
    tries: int,
    right: int,
    published: bool,
    known: Sequence[CheckOutcome] = (),
    on_outcome: Callable[[list[CheckOutcome]], None] = lambda _outcomes: None,
    tick: Tick = no_tick,
) -> list[CheckOutcome]:
    """Run all tries.

    Parameters
    ----------
    tries
        Of each mistake.
    right
        Detectors about which nothing is said wrongly.
    published
        Whether canaries have published logits, or labels only.
    known
        Tries that were run before, and are not run again.
    on_outcome
        Called after each with all so far.
    tick
        Stage ``"tries"``.
    """
    frames = faces(tick=tick)
    work: list[tuple[Mistake | None, int]] = [(m, i) for m in MISTAKES for i in range(tries)]
    work += [(None, i) for i in range(right)]
    earlier = {(o.planted, o.number): o for o in known}
    outcomes: list[CheckOutcome] = []
    for done, (planted, number) in enumerate(work):
        tick("tries", done, len(work))
        if (outcome := earlier.get((planted, number))) is None:
            outcome = one(planted, number, frames, published=published)
        outcomes.append(outcome)
        on_outcome(outcomes)
    return outcomes


def table(outcomes: Sequence[CheckOutcome]) -> Iterator[str]:
    """Yield a line per mistake, and one for detectors that are read rightly."""
    for mistake in MISTAKES:
        rows = [o for o in outcomes if o.planted == mistake]
        right = sum(o.is_right for o in rows)
        alone = sum(o.is_right and o.named == (mistake,) for o in rows)
        yield f"  {mistake:<14} found in {right} of {len(rows)} tries, alone in {alone}"
    rows = [o for o in outcomes if o.planted is None]
    alarms = sum(not o.is_right for o in rows)
    yield f"  nothing wrong  {alarms} false alarms in {len(rows)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print how many planted mistakes are found."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit study detector-check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tries", type=int, default=20, help="of each mistake")
    parser.add_argument("--right", type=int, default=50, help="detectors with nothing wrong")
    parser.add_argument("--labels", action="store_true", help="without published logits")
    parser.add_argument("--out", type=Path, help="JSON file; one that is there is gone on with")
    options = parser.parse_args(argv)
    published = not options.labels
    try:
        known = _read(options.out, published=published) if options.out else ()
        with TerminalLine() as tick:
            outcomes = run(
                tries=options.tries,
                right=options.right,
                published=published,
                known=known,
                on_outcome=lambda rows: _write(options.out, rows, published=published),
                tick=tick,
            )
    except ToolkitError as error:
        print(error, file=sys.stderr)
        return 1
    print("with published logits:" if published else "with labels only:")
    print("\n".join(table(outcomes)))
    return 0


def _write(out: Path | None, outcomes: Sequence[CheckOutcome], *, published: bool) -> None:
    if out is not None:
        rows = [asdict(o) for o in outcomes]
        atomic_write(out, json.dumps({"published": published, "outcomes": rows}, indent=1) + "\n")


def _read(out: Path, *, published: bool) -> list[CheckOutcome]:
    """Return the tries in a file, to go on with them; none where there is no such file."""
    if not out.is_file():
        return []
    try:
        content = json.loads(out.read_text(encoding="utf-8"))
        rows = content["outcomes"] if content["published"] == published else []
        return [CheckOutcome(**{**row, "named": tuple(row["named"])}) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError("this is no result of this study", str(out), "Name another.") from error
