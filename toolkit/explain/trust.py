"""How far an explanation can be trusted: figures that stand beside it, each with its sentence.

None of them says that the verdict is right. They say whether the reference may be used, whether
the compositor itself leaves traces, whether the explanation depends on what the network learned,
whether it repeats, whether it orders regions better than chance, and whether bars can describe it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _
from toolkit.detectors.base import Detector
from toolkit.errors import UsageError
from toolkit.explain import regions
from toolkit.explain.intervention import (
    Agreement,
    Game,
    Intervention,
    agreement,
    antithetic,
    correlation,
    exact,
    ranks,
)
from toolkit.explain.references import (
    AUTOMATIC,
    HARM_MAX,
    HIT_MIN,
    Reference,
    References,
    SeamControl,
)
from toolkit.types import PLAYERS, FaceCrops, Tick, no_tick

if TYPE_CHECKING:
    from torch import nn

    from toolkit.explain.pixels import PixelAttribution

ADDITIVE_MIN = 0.8  # R² from which bars describe the detector
COMPLETE_MAX = 0.05  # relative completeness error of a pixel method
ALIKE_MAX = 0.5  # rank correlation with a network whose weights are random
STABLE_MAX = 0.1  # spread over seeds, as a part of the summed sizes
RANDOM_ORDERS = 20
SEEDS = 3

Float = NDArray[np.float64]


@dataclass(frozen=True)
class TrustFigure:
    """One line of the trust panel.

    Attributes
    ----------
    name
        Stable word for programs.
    value
        The figure, or None when it could not be computed.
    reads_well
        Whether it speaks for the explanation; None when it says nothing.
    sentence
        What it means, in the language in use when it was made.
    """

    name: str
    value: float | None
    reads_well: bool | None
    sentence: str


# -- the reference


def reference_lights(reference: Reference) -> tuple[TrustFigure, ...]:
    """Return a figure for each validity test of a reference."""
    return tuple(
        TrustFigure(f"reference_{light.name.lower()}", light.value, light.passed, text)
        for light in reference.lights
        for text in (_light_text(light.name, light.passed, light.value),)
    )


def _light_text(name: str, passed: bool | None, value: float | None) -> str:
    if passed is None or value is None:
        untested = {
            "V1": _("The reference was not judged."),
            "V2": _("There was no genuine face here to test the reference on."),
            "V3": _("The detector saw none of the forgeries planted to test the reference."),
        }
        return untested[name]
    if name == "V1":
        text = (
            _("The reference itself is judged genuine (logit {value:.2f}).")
            if passed
            else _("The reference itself is judged forged (logit {value:.2f}): shares mislead.")
        )
    elif name == "V2":
        text = (
            _("On genuine frames a replaced region moves the logit by {value:.2f} at the median.")
            if passed
            else _(
                "On genuine frames a replaced region already looks forged "
                "(median change {value:.2f}, limit {limit:.2f})."
            )
        )
    else:
        text = (
            _("Of the forgeries planted to test it, {value:.0%} were found in the right region.")
            if passed
            else _(
                "Of the forgeries planted to test it, only {value:.0%} were found "
                "(at least {least:.0%} is wanted)."
            )
        )
    return text.format(value=value, limit=HARM_MAX, least=HIT_MIN)


def seam_figure(control: SeamControl) -> TrustFigure:
    """Return the figure of the seam control."""
    text = (
        _("Replacing a region by itself moves the logit by {value:.3f}: the seam leaves no trace.")
        if control.passed
        else _(
            "Replacing a region by itself already moves the logit by {value:.3f} "
            "(limit {limit:.3f}, {flips} verdicts turned): small shares mean nothing."
        )
    )
    sentence = text.format(value=control.median, limit=control.limit, flips=control.flips)
    return TrustFigure("seam", control.median, control.passed, sentence)


def reference_agreement(a: Intervention, b: Intervention) -> TrustFigure:
    """Compare what two references say about the same frame."""
    both = agreement(a.shares, b.shares)
    text = (
        _("A second reference names the same region first (rank correlation {value:.2f}).")
        if both.same_top
        else _("A second reference names another region first (rank correlation {value:.2f}).")
    )
    sentence = text.format(value=both.spearman)
    return TrustFigure("references_agree", both.spearman, both.same_top, sentence)


# -- faithfulness, from the exact table


@dataclass(frozen=True)
class OrderPlaces:
    """Where orders of replacing regions lie between the worst (0) and the best (1) of all n!.

    Attributes
    ----------
    deletion, insertion
        Of the order by shares.
    centre
        Deletion, central regions first.
    random, random_high
        Deletion in random orders: mean, and the value that 5 % of them exceed.
    """

    deletion: float
    insertion: float
    centre: float
    random: float
    random_high: float


def order_places(
    table: Float, shares: Float, players: NDArray[np.uint8], *, seed: int = 0
) -> OrderPlaces:
    """Place the order by `shares`, and its controls, on the scale of all orders.

    Parameters
    ----------
    table : (2^n,) float64
    shares : (n,) float64
        Any method's region vector.
    players : (S, S) uint8
        For the centre prior: a Gaussian of a quarter of the crop.
    seed
        Of the random orders.
    """
    n = len(shares)
    order = np.argsort(-shares, kind="stable").tolist()
    rng = np.random.default_rng(seed)
    drawn = [
        regions.deletion_place(table, rng.permutation(n).tolist()) for _k in range(RANDOM_ORDERS)
    ]
    prior = centre_prior(len(players))
    weight = [float(prior[players == r].mean()) if (players == r).any() else 0.0 for r in range(n)]
    central = np.argsort(-np.array(weight), kind="stable").tolist()
    return OrderPlaces(
        deletion=regions.deletion_place(table, order),
        # inserting in an order passes the same sets as deleting in the reverse of it
        insertion=1 - regions.deletion_place(table, order[::-1]),
        centre=regions.deletion_place(table, central),
        random=float(np.mean(drawn)),
        random_high=float(np.percentile(drawn, 95)),
    )


def centre_prior(size: int) -> Float:
    """Return a Gaussian (size, size) about the centre, sigma a quarter of the side, sum 1."""
    x = (np.arange(size) - (size - 1) / 2) / (size / 4)
    bell = np.exp(-(x**2) / 2)
    return np.asarray(np.outer(bell, bell) / bell.sum() ** 2)


def order_figures(places: OrderPlaces) -> tuple[TrustFigure, ...]:
    """Return the figures of deletion and insertion beside their controls."""
    controls = max(places.centre, places.random_high)
    figures = []
    for name, value, limit in (
        ("deletion", places.deletion, controls),
        ("insertion", places.insertion, places.random_high),
    ):
        good = value > limit
        text = (
            _("{name}: the order lies at {value:.0%} from worst to best; chance at {chance:.0%}.")
            if good
            else _(
                "{name}: the order is no better ({value:.0%}) than simple controls ({chance:.0%})."
            )
        )
        word = _("Deletion") if name == "deletion" else _("Insertion")
        chance = places.random if good else limit
        sentence = text.format(name=word, value=value, chance=chance)
        figures.append(TrustFigure(name, value, good, sentence))
    return tuple(figures)


def additivity_figure(table: Float) -> TrustFigure:
    """Return how well bars describe the detector on this frame."""
    value = float(regions.additivity(table))
    good = value >= ADDITIVE_MIN
    text = (
        _("Bars describe this frame well: they explain {value:.0%} of all composites' logits.")
        if good
        else _("Regions act together here (bars explain {value:.0%}): read the pairs as well.")
    )
    return TrustFigure("additivity", value, good, text.format(value=value))


def infidelity_figure(table: Float, shares: Float) -> TrustFigure:
    """Return the exact infidelity of `shares`, beside that of a vector that knows nothing.

    The control spreads the same total evenly over the regions.
    """
    value = float(regions.infidelity(table, shares))
    even = np.full_like(shares, (table[-1] - table[0]) / len(shares))
    control = float(regions.infidelity(table, even))
    good = value < control
    text = _("Infidelity is {value:.3g} over all composites; equal bars would have {control:.3g}.")
    return TrustFigure("infidelity", value, good, text.format(value=value, control=control))


# -- randomised weights


@dataclass(frozen=True, eq=False)
class RandomisedWeights:
    """How alike an explanation stays as the network forgets, from the head downwards.

    Adebayo et al. (2018), Sanity checks for saliency maps, doi:10.48550/arXiv.1810.03292.

    Attributes
    ----------
    alike : (K,) float64
        Rank correlation with the true explanation after each stage, mean over seeds.
    stages
        How many layers were random at each stage.
    """

    alike: Float
    stages: tuple[int, ...]


def randomise(
    net: nn.Module,
    explain: Callable[[Any], Float],
    *,
    stages: int = 5,
    seeds: int = SEEDS,
    seed: int = 0,
    tick: Tick = no_tick,
) -> RandomisedWeights:
    """Give the network random weights, more and more layers from the head on, and explain again.

    Parameters
    ----------
    net
        Left as it is: copies are changed.
    explain
        From a network to any vector of fixed length: a region vector or a flat map.
    stages, seeds
        K; draws per stage.
    seed
        Of the weights; the global generator is left as it was.
    """
    import torch

    truth = ranks(explain(net).ravel())
    layers = [n for n, m in net.named_modules() if hasattr(m, "reset_parameters")]
    groups = [g.tolist() for g in np.array_split(np.array(layers[::-1], object), stages)]
    alike = np.zeros((seeds, stages))
    for draw in range(seeds):
        changed = copy.deepcopy(net)
        for stage, names in enumerate(groups):
            tick("randomise", draw * stages + stage, seeds * stages)
            with torch.random.fork_rng():
                torch.manual_seed(seed + draw * 1000 + stage)
                for name in names:
                    changed.get_submodule(name).reset_parameters()  # type: ignore[operator]
            alike[draw, stage] = correlation(truth, ranks(explain(changed).ravel()))
    tick("randomise", seeds * stages, seeds * stages)
    counts = np.cumsum([len(g) for g in groups])
    return RandomisedWeights(alike.mean(axis=0), tuple(counts.tolist()))


def patch_explainer(crop: NDArray[np.uint8]) -> Callable[[Any], Float]:
    """Return the by-construction explanation of one (S, S, 3) crop: a network's patch logits."""
    import torch

    x = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32))

    def explain(net: Any) -> Float:
        device = next(net.parameters()).device
        with torch.inference_mode():
            return np.asarray(net(x.to(device))[1].double().cpu().numpy().ravel(), np.float64)

    return explain


def randomisation_figure(result: RandomisedWeights | None) -> TrustFigure:
    """Return the figure of the randomised-weights check; None = it could not be run."""
    if result is None:
        text = _("The check with random weights needs the network itself, which is not open here.")
        return TrustFigure("randomisation", None, None, text)
    value = float(np.median(np.abs(result.alike)))
    good = value < ALIKE_MAX
    text = (
        _("With random weights the map changes (likeness {value:.2f}): it shows what was learned.")
        if good
        else _(
            "With random weights the map stays alike ({value:.2f}): it shows edges, not evidence."
        )
    )
    return TrustFigure("randomisation", value, good, text.format(value=value))


# -- stability, witnesses, context, completeness


def stability_figure(runs: Sequence[Float]) -> TrustFigure:
    """Return how much region vectors of several seeds differ.

    The value is the largest standard deviation of a region over the runs, as a part of the summed
    sizes of the mean.

    Raises
    ------
    UsageError
        If there are fewer than two runs.
    """
    if len(runs) < 2:
        raise UsageError("one run has no spread", f"{len(runs)}", "Give two or more.")
    all_ = np.stack(list(runs))
    size = float(np.abs(all_.mean(axis=0)).sum())
    value = float(all_.std(axis=0, ddof=1).max()) / size if size else 0.0
    same = len({int(row.argmax()) for row in all_}) == 1
    good = same and value <= STABLE_MAX
    text = (
        _("Other seeds give the same first region; shares move by at most {value:.1%} of the sum.")
        if good
        else _("Other seeds give other shares (up to {value:.1%} of the sum): use the exact table.")
    )
    return TrustFigure("stability", value, good, text.format(value=value))


def witness_figure(both: Agreement) -> TrustFigure:
    """Return the figure on the two witnesses."""
    text = (
        _("Both witnesses name the same region first (correlation {value:.2f}).")
        if both.same_top
        else _("The two witnesses name different regions first (correlation {value:.2f}).")
    )
    return TrustFigure("witnesses", both.pearson, both.same_top, text.format(value=both.pearson))


def context_figure(shares: Float) -> TrustFigure:
    """Return the background's part of the positive shares: was it the face at all."""
    up = np.maximum(shares, 0)
    value = float(up[PLAYERS.index("background")] / up.sum()) if up.any() else 0.0
    good = not up.any() or int(up.argmax()) != PLAYERS.index("background")
    text = (
        _("The background carries {value:.0%} of the evidence; the face carries the rest.")
        if good
        else _("The background carries most ({value:.0%}): the verdict is not driven by the face.")
    )
    return TrustFigure("context", value, good, text.format(value=value))


def completeness_figure(found: PixelAttribution) -> TrustFigure:
    """Return the completeness error of a pixel method."""
    name = f"completeness_{found.method}"
    if found.completeness is None:
        text = _("{method} does not promise to add up.").format(method=found.method)
        return TrustFigure(name, None, None, text)
    value = abs(found.completeness)
    good = value <= COMPLETE_MAX
    text = (
        _("{method} adds up to within {value:.1%} of the difference it explains.")
        if good
        else _("{method} misses {value:.1%} of the difference it should explain.")
    )
    return TrustFigure(name, value, good, text.format(method=found.method, value=value))


# -- all of it


@dataclass(frozen=True, eq=False)
class Panel:
    """The trust panel of one frame.

    Attributes
    ----------
    figures
        In the order in which they should be read.
    reference
        What was used, or the best that was tried.
    intervention
        The exact game, or None when no reference is valid: then no region is named.
    passes, seconds
        Composites and network passes on this frame (without the tests of the reference, which are
        made once per track and kind); wall time of everything.
    """

    figures: tuple[TrustFigure, ...]
    reference: Reference | None
    intervention: Intervention | None
    passes: int
    seconds: float


def panel(
    detector: Detector,
    crops: FaceCrops,
    references: References,
    position: int,
    *,
    by_construction: Float | None = None,
    seed: int = 0,
    tick: Tick = no_tick,
) -> Panel:
    """Compute the trust panel of one frame, exact table included.

    Parameters
    ----------
    detector
        Any; the checks that need the network use its ``net`` where it has one.
    crops, position
        The frame.
    references
        Of the same track.
    by_construction : (10,) float64 or None
        The frame's shares from patch logits, to compare the witnesses.
    seed
        Of everything that draws.

    Returns
    -------
    Panel
    """
    start = time.perf_counter()
    choice = references.choose(position, tick=tick)
    reference = choice.reference or (choice.tried[-1] if choice.tried else None)
    figures: list[TrustFigure] = list(reference_lights(reference)) if reference else []
    passes, told = 0, None
    net = getattr(detector, "net", None)
    if reference is not None:
        figures.append(seam_figure(references.seam_control(reference, tick=tick)))
        passes += len(PLAYERS) + 1
    if choice.reference is not None:
        game = Game(detector, crops, position, choice.reference.rgb)
        told = exact(game, tick=tick)
        assert told.table is not None
        figures += order_figures(
            order_places(told.table, told.shares, crops.players[position], seed=seed)
        )
        figures += [additivity_figure(told.table), infidelity_figure(told.table, told.shares)]
        # from the same composites: other permutations cost no pass any more
        runs = [antithetic(game, seed=seed + k).shares for k in range(SEEDS)]
        figures += [stability_figure(runs), context_figure(told.shares)]
        passes += game.passes
        other = _second(references, choice.reference, position)
        if other is not None:
            second = Game(detector, crops, position, other.rgb)
            figures.append(reference_agreement(told, antithetic(second, seed=seed, tick=tick)))
            passes += second.passes
        if by_construction is not None:
            figures.append(witness_figure(agreement(by_construction, told.shares)))
    figures.append(randomisation_figure(_randomised(net, crops.rgb[position], seed, tick)))
    if net is not None and choice.reference is not None:
        from toolkit.explain import pixels

        found = pixels.attribute(
            net,
            crops.rgb[position],
            "integrated_gradients",
            players=crops.players[position],
            reference=choice.reference.rgb,
            seed=seed,
            tick=tick,
        )
        figures.append(completeness_figure(found))
        passes += found.passes
    return Panel(tuple(figures), reference, told, passes, time.perf_counter() - start)


def _second(references: References, first: Reference, position: int) -> Reference | None:
    """Return another reference that is judged genuine: the next frame or donor, or another kind."""
    others = AUTOMATIC[AUTOMATIC.index(first.kind) + 1 :]
    wanted = [(first.kind, 1)] if "source" in first.parameters else []
    for kind, rank in (*wanted, *((k, 0) for k in others)):
        made = references.make(kind, position, rank=rank)
        if made is not None and made.lights[0].passed:
            return made
    return None


def _randomised(
    net: Any, crop: NDArray[np.uint8], seed: int, tick: Tick
) -> RandomisedWeights | None:
    if net is None:
        return None
    explain = patch_explainer(crop)
    try:
        explain(net)
    except (IndexError, TypeError):  # it gives logits only
        return None
    return randomise(net, explain, seed=seed, tick=tick)
