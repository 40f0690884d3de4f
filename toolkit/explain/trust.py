"""How far an explanation can be trusted: figures that stand beside it, each with its sentence.

None of them says that the verdict is right. They say whether the reference may be used, whether
the compositor itself leaves traces, whether the explanation depends on what the network learned,
whether it repeats, whether it orders regions better than chance, and whether bars can describe it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import N_
from toolkit.detectors.base import Detector, network_of, opens_network
from toolkit.errors import OutOfRangeError
from toolkit.explain import regions
from toolkit.explain.baselines import (
    AUTOMATIC,
    HARM_MAX,
    HIT_MIN,
    SOURCES_TRIED,
    Choice,
    Reference,
    References,
    SeamControl,
)
from toolkit.explain.perturbation import (
    Agreement,
    Intervention,
    RegionGame,
    agreement,
    antithetic,
    correlation,
    exact,
    ranks,
)
from toolkit.messages import Message, Typeset
from toolkit.types import REGIONS, FaceCrops, Tick, no_tick

if TYPE_CHECKING:
    from torch import nn

    from toolkit.explain.pixels import PixelAttribution

ADDITIVE_MIN = 0.8  # R² from which bars describe the detector
COMPLETE_MAX = 0.05  # relative completeness error of a pixel method
ALIKE_MAX = 0.5  # rank correlation with a network whose weights are random
STABLE_MAX = 0.1  # spread over seeds, as a part of the summed sizes
HALF = 0.5  # of the other key frames
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
    text, values
        What it means: an English template and its numbers.
    """

    name: str
    value: float | None
    reads_well: bool | None
    text: str
    values: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def message(self) -> Message:
        """What it means, to be said in any language."""
        values = {k: Typeset(v) if isinstance(v, float) else v for k, v in self.values.items()}
        return Message(self.name, self.text, values)

    @property
    def sentence(self) -> str:
        """What it means, in the language in use."""
        return self.message.text()


# -- the reference


def validity_figures(reference: Reference) -> tuple[TrustFigure, ...]:
    """Return a figure for each validity test of a reference."""
    return tuple(
        TrustFigure(
            f"reference_{light.name.lower()}",
            light.value,
            light.passed,
            _LIGHTS[light.name][light.passed if light.value is not None else None],
            {"value": light.value or 0.0, "limit": HARM_MAX, "least": HIT_MIN},
        )
        for light in reference.validity_tests
    )


_LIGHTS: dict[str, dict[bool | None, str]] = {
    "V1": {
        True: N_("The reference has logit {value:.2f}, below the threshold, as it should be."),
        False: N_(
            "The reference itself has logit {value:.2f}, above the threshold: shares mislead."
        ),
        None: N_("The reference was not judged."),
    },
    "V2": {
        True: N_(
            "On genuine frames a replaced region moves the logit by {value:.2f} at the median "
            "(limit {limit:.2f})."
        ),
        False: N_(
            "On genuine frames a replaced region moves the logit too much, by {value:.2f} at the "
            "median (limit {limit:.2f}), or over the threshold."
        ),
        None: N_("There was no genuine face here to test the reference on."),
    },
    "V3": {
        True: N_("Of what was planted to test it, {value:.0%} was found in the right region."),
        False: N_(
            "Of what was planted to test it, only {value:.0%} was found in the right region "
            "(wanted: {least:.0%}), or too little of the sum."
        ),
        None: N_("The detector saw nothing of what was planted to test the reference."),
    },
}


def seam_figure(control: SeamControl) -> TrustFigure:
    """Return the figure of the seam control."""
    text = (
        N_("Replacing a region by itself moves the logit by {value:.3f}: the seam leaves no trace.")
        if control.passed
        else N_(
            "Replacing a region by itself already moves the logit by {value:.3f} "
            "(limit {limit:.3f}; verdicts turned: {flips}): small shares mean nothing."
        )
    )
    values = {"value": control.median, "limit": control.limit, "flips": control.flips}
    return TrustFigure("seam", control.median, control.passed, text, values)


def reference_agreement(a: Intervention, b: Intervention) -> TrustFigure:
    """Compare what two references say about the same frame."""
    both = agreement(a.shares, b.shares)
    text = (
        N_("A second reference names the same region first (rank correlation {value:.2f}).")
        if both.same_top
        else N_("A second reference names another region first (rank correlation {value:.2f}).")
    )
    return TrustFigure(
        "references_agree", both.spearman, both.same_top, text, {"value": both.spearman}
    )


# -- faithfulness, from the exact table


@dataclass(frozen=True)
class OrderPlaces:
    """Where orders of replacing regions lie between the worst (0) and the best (1) of all n!.

    Attributes
    ----------
    deletion, insertion
        Of the order by shares.
    centre, area
        Deletion, central regions first; large regions first.
    random, random_high
        Deletion in random orders: mean, and the value that 5 % of them exceed.
    """

    deletion: float
    insertion: float
    centre: float
    area: float
    random: float
    random_high: float


def order_places(
    table: Float, shares: Float, region_map: NDArray[np.uint8], *, seed: int = 0
) -> OrderPlaces:
    """Place the order by `shares`, and its controls, on the scale of all orders.

    Parameters
    ----------
    table : (2^n,) float64
    shares : (n,) float64
        Any method's region vector.
    region_map : (S, S) uint8
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
    prior = centre_prior(len(region_map))
    weight = [
        float(prior[region_map == r].mean()) if (region_map == r).any() else 0.0 for r in range(n)
    ]
    central = np.argsort(-np.array(weight), kind="stable").tolist()
    large = np.argsort(-np.bincount(region_map.ravel(), minlength=n), kind="stable").tolist()
    return OrderPlaces(
        deletion=regions.deletion_place(table, order),
        # inserting in an order passes the same sets as deleting in the reverse of it
        insertion=1 - regions.deletion_place(table, order[::-1]),
        centre=regions.deletion_place(table, central),
        area=regions.deletion_place(table, large),
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
    controls = max(places.centre, places.area, places.random_high)
    figures = []
    for name, value, limit in (
        ("deletion", places.deletion, controls),
        ("insertion", places.insertion, places.random_high),
    ):
        good = value > limit
        text = _ORDERS[name, good]
        chance = places.random if good else limit
        figures.append(TrustFigure(name, value, good, text, {"value": value, "chance": chance}))
    return tuple(figures)


_ORDERS = {
    ("deletion", True): N_(
        "Replacing regions in this order lies at {value:.0%} from worst to best; chance at "
        "{chance:.0%}."
    ),
    ("deletion", False): N_(
        "Replacing regions in this order is no better ({value:.0%}) than simple controls "
        "({chance:.0%})."
    ),
    ("insertion", True): N_(
        "Putting regions back in this order lies at {value:.0%} from worst to best; chance at "
        "{chance:.0%}."
    ),
    ("insertion", False): N_(
        "Putting regions back in this order is no better ({value:.0%}) than simple controls "
        "({chance:.0%})."
    ),
}


def additivity_figure(table: Float) -> TrustFigure:
    """Return how well bars describe the detector on this frame."""
    value = float(regions.additivity(table))
    good = value >= ADDITIVE_MIN
    text = (
        N_("Bars describe this frame well: they explain {value:.0%} of all composites' logits.")
        if good
        else N_("Regions act together here (bars explain {value:.0%}): read the pairs as well.")
    )
    return TrustFigure("additivity", value, good, text, {"value": value})


def infidelity_figure(table: Float, shares: Float) -> TrustFigure:
    """Return the exact infidelity of `shares`, beside that of a vector that knows nothing.

    The control spreads the same total evenly over the regions.
    """
    value = float(regions.infidelity(table, shares))
    even = np.full_like(shares, (table[-1] - table[0]) / len(shares))
    control = float(regions.infidelity(table, even))
    good = value < control
    text = N_("Infidelity is {value:.3g} over all composites; equal bars would have {control:.3g}.")
    return TrustFigure("infidelity", value, good, text, {"value": value, "control": control})


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
        text = N_("The check with random weights needs the network itself, which is not open here.")
        return TrustFigure("randomisation", None, None, text)
    value = float(np.median(np.abs(result.alike)))
    good = value < ALIKE_MAX
    text = (
        N_("With random weights the map changes (likeness {value:.2f}): it shows what was learned.")
        if good
        else N_(
            "With random weights the map stays alike ({value:.2f}): it shows edges, not evidence."
        )
    )
    return TrustFigure("randomisation", value, good, text, {"value": value})


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
        raise OutOfRangeError("one run has no spread", f"{len(runs)}", "Give two or more.")
    all_ = np.stack(list(runs))
    size = float(np.abs(all_.mean(axis=0)).sum())
    value = float(all_.std(axis=0, ddof=1).max()) / size if size else 0.0
    same = len({int(row.argmax()) for row in all_}) == 1
    good = same and value <= STABLE_MAX
    text = (
        N_("Other seeds give the same first region; shares move by at most {value:.1%} of the sum.")
        if good
        else N_(
            "Other seeds give other shares (up to {value:.1%} of the sum): use the exact table."
        )
    )
    return TrustFigure("stability", value, good, text, {"value": value})


def witness_figure(both: Agreement) -> TrustFigure:
    """Return the figure on the two witnesses."""
    text = (
        N_("Both witnesses name the same region first (correlation {value:.2f}).")
        if both.same_top
        else N_("The two witnesses name different regions first (correlation {value:.2f}).")
    )
    return TrustFigure("witnesses", both.pearson, both.same_top, text, {"value": both.pearson})


def context_figure(shares: Float) -> TrustFigure:
    """Return the background's part of the positive shares: was it the face at all."""
    up = np.maximum(shares, 0)
    value = float(up[REGIONS.index("background")] / up.sum()) if up.any() else 0.0
    good = not up.any() or int(up.argmax()) != REGIONS.index("background")
    text = (
        N_("The background carries {value:.0%} of the evidence; the face carries the rest.")
        if good
        else N_("The background carries most ({value:.0%}): the verdict is not driven by the face.")
    )
    return TrustFigure("context", value, good, text, {"value": value})


def frames_figure(runs: Sequence[Float]) -> TrustFigure:
    """Return on how many frames of the track the same region comes first as on the first of them.

    Raises
    ------
    UsageError
        If there are fewer than two frames.
    """
    if len(runs) < 2:
        raise OutOfRangeError("one frame has no spread", f"{len(runs)}", "Give two or more.")
    first = int(runs[0].argmax())
    same = sum(int(row.argmax()) == first for row in runs[1:])
    value = same / (len(runs) - 1)
    text = N_("On {same} of {all} other key frames the same region comes first.")
    return TrustFigure(
        "key_frames", value, value >= HALF, text, {"same": same, "all": len(runs) - 1}
    )


def completeness_figure(found: PixelAttribution) -> TrustFigure:
    """Return the completeness error of a pixel method."""
    name = f"completeness_{found.method}"
    if found.completeness is None:
        text = N_("Its map does not promise to add up.")
        return TrustFigure(name, None, None, text)
    value = abs(found.completeness)
    good = value <= COMPLETE_MAX
    text = (
        N_("Its map adds up to within {value:.1%} of the difference it explains.")
        if good
        else N_("Its map misses {value:.1%} of the difference it should explain.")
    )
    return TrustFigure(name, value, good, text, {"value": value})


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
        Composites and network passes on this frame that were not known before (without the tests
        of the reference, which are made once per track and kind); wall time of everything.
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
    choice: Choice | None = None,
    game: RegionGame | None = None,
    net: Any = None,
    intrinsic: Float | None = None,
    frames: Sequence[Float] = (),
    seed: int = 0,
    on_result: Callable[[TrustFigure], None] = lambda _figure: None,
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
    choice, game
        The reference that was chosen for this frame and the game against it, where they are there
        already: what they know costs nothing.
    net
        The network whose weights are made random, if not the detector's.
    intrinsic : (10,) float64 or None
        The frame's shares from patch logits, to compare the witnesses.
    frames
        Region vectors (10,) by intervention of other frames of the track.
    seed
        Of everything that draws.
    tell
        Called with each figure as soon as it is known.

    Returns
    -------
    Panel
    """
    start = time.perf_counter()
    choice = choice or references.choose(position, tick=tick)
    reference = choice.best
    figures: list[TrustFigure] = []
    passes, exact_answer = 0, None

    def add(*found: TrustFigure) -> None:
        for figure in found:
            figures.append(figure)
            on_result(figure)

    if reference is not None:
        add(*validity_figures(reference))
        add(seam_figure(references.seam_control(reference, tick=tick)))
        passes += len(REGIONS) + 1
    add(
        randomisation_figure(
            _randomised(net or network_of(detector), crops.rgb[position], seed, tick)
        )
    )
    if choice.reference is not None:
        game = game or RegionGame(detector, crops, position, choice.reference.rgb)
        before = game.passes
        exact_answer = exact(game, tick=tick)
        assert exact_answer.table is not None
        add(
            *order_figures(
                order_places(
                    exact_answer.table, exact_answer.shares, crops.region_map[position], seed=seed
                )
            )
        )
        add(
            additivity_figure(exact_answer.table),
            infidelity_figure(exact_answer.table, exact_answer.shares),
        )
        # from the same composites: other permutations cost no pass any more
        runs = [antithetic(game, seed=seed + k).shares for k in range(SEEDS)]
        add(stability_figure(runs), context_figure(exact_answer.shares))
        passes += game.passes - before
        other = _second(references, choice.reference, position)
        if other is not None:
            second = RegionGame(detector, crops, position, other.rgb)
            add(reference_agreement(exact_answer, antithetic(second, seed=seed, tick=tick)))
            passes += second.passes
        if intrinsic is not None:
            add(witness_figure(agreement(intrinsic, exact_answer.shares)))
        if frames:
            add(frames_figure([exact_answer.shares, *frames]))
        if opens_network(detector):
            from toolkit.explain import pixels

            found = pixels.attribute(
                network_of(detector),
                crops.rgb[position],
                "integrated_gradients",
                region_map=crops.region_map[position],
                reference=choice.reference.rgb,
                seed=seed,
                tick=tick,
            )
            add(completeness_figure(found))
            passes += found.passes
    return Panel(tuple(figures), reference, exact_answer, passes, time.perf_counter() - start)


def _second(references: References, first: Reference, position: int) -> Reference | None:
    """Return another reference that is judged genuine: another source, or another kind."""
    for kind in AUTOMATIC[AUTOMATIC.index(first.kind) :]:
        for rank in range(SOURCES_TRIED):
            baseline = references.make(kind, position, rank=rank)
            if baseline is None:
                break
            if baseline.validity_tests[0].passed and not np.array_equal(baseline.rgb, first.rgb):
                return baseline
            if baseline.source is None:  # every rank gives the same picture
                break
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
