"""Captum's pixel methods as further witnesses: one way in, bounded memory, cancel at every batch.

They attribute the fake logit. None of them is the evidence: each comes with its completeness error
where it promises one, and is refused where it is wrong for the network (Captum 0.9: DeepLift knows
few activations, guided backpropagation only ReLU; on others they answer without an error).

Kokhlikyan et al. (2020), Captum, doi:10.48550/arXiv.2009.07896.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from captum import attr
from captum._utils.models.model import Model
from numpy.typing import NDArray
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from toolkit import runtime
from toolkit.detectors.base import Detector
from toolkit.errors import DetectorError, ShapeError, UnknownNameError, UsageError
from toolkit.forge.degrade import Picture, to_u8
from toolkit.messages import Message
from toolkit.types import REGIONS, Tick, no_tick

Method = Literal[
    "integrated_gradients",
    "smooth_grad",
    "gradient_shap",
    "grad_cam",
    "occlusion",
    "feature_ablation",
    "shapley_value_sampling",
    "kernel_shap",
    "deep_lift",
    "guided_backprop",
    "guided_grad_cam",
]
METHODS: tuple[Method, ...] = get_args(Method)[:8]
"""Methods that are right for any network; the last three of `Method` depend on its activations."""

COMPLETE = frozenset(
    {"integrated_gradients", "gradient_shap", "shapley_value_sampling", "kernel_shap", "deep_lift"}
)
"""Methods whose attributions should add up to ``logit - reference logit``."""

BY_REGION = frozenset({"feature_ablation", "shapley_value_sampling", "kernel_shap"})
NEEDS_REFERENCE = COMPLETE | BY_REGION | {"occlusion"}

ASKS_ONLY = BY_REGION | {"occlusion"}
"""Methods that only ask the detector about other pictures: they need no network (`Asked`)."""

LARGE, LARGE_BATCH = 20_000_000, 2
"""A network of more parameters gets this many pictures at once: gradients keep every layer."""

STEPS = 50  # integrated gradients
STEPS_LARGE = 16  # in a large network, which is smooth: 12 missed 1.6 % of the difference
DRAWS = 16  # SmoothGrad, GradientShap
NOISE = 0.1  # standard deviation of SmoothGrad's noise, of the range of a pixel
WINDOW, STRIDE = 1 / 7, 1 / 14  # occlusion, in crop sides: 32 and 16 of 224 px
PERMUTATIONS = 25  # Shapley value sampling
SAMPLES = 250  # KernelSHAP

_PLAIN = (  # layers that any method passes through as they are
    nn.Conv1d,
    nn.Conv2d,
    nn.Linear,
    nn.modules.batchnorm._BatchNorm,  # noqa: SLF001 - the only common base
    nn.modules.dropout._DropoutNd,  # noqa: SLF001
    nn.Identity,
    nn.Flatten,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.MaxPool2d,
)
_RULES: dict[str, tuple[type[nn.Module], ...]] = {
    "deep_lift": (
        nn.ReLU,
        nn.ELU,
        nn.LeakyReLU,
        nn.Sigmoid,
        nn.Tanh,
        nn.Softplus,
        nn.Softmax,
    ),
    "guided_backprop": (nn.ReLU,),
    "guided_grad_cam": (nn.ReLU,),
}

Float = NDArray[np.float64]


class DetectorModule(nn.Module):
    """A detector as a function of pictures, for methods that need no gradient.

    It answers with the very arithmetic that the verdict was made with.

    Parameters
    ----------
    detector
        Any that gives a logit per crop.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self._detector = detector

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (N,) of pictures (N, 3, S, S), 0..255, rounded to whole levels."""
        rgb = to_u8(x.detach().permute(0, 2, 3, 1).cpu().numpy())
        return torch.from_numpy(self._detector.logits(rgb))


@dataclass(frozen=True, eq=False)
class PixelAttribution:
    """What one of Captum's methods says about a crop.

    Attributes
    ----------
    method
    heat : (S, S) float64
        Signed attribution per pixel, summed over colours. A region's share is spread evenly over
        its pixels, so that sums over regions are right for every method.
    regions : (10,) float64
        `heat` summed over `REGIONS`.
    logit, reference_logit
        The network's answers; the latter None for methods without a reference.
    completeness
        ``sum of heat - (logit - reference_logit)`` over ``|logit - reference_logit|`` for methods
        that promise 0, else None.
    passes
        Pictures sent through the network.
    seed, settings
        What is needed to repeat it.
    """

    method: Method
    heat: Float
    regions: Float
    logit: float
    reference_logit: float | None
    completeness: float | None
    passes: int
    seed: int
    settings: dict[str, Any]


def is_large(net: nn.Module) -> bool:
    """Whether a pass of a network, and its gradient, takes long and much memory."""
    return sum(p.numel() for p in net.parameters()) > LARGE


def refusal(net: nn.Module, method: Method) -> Message | None:
    """Return why a method is wrong for a network, or None when it is not.

    Examples
    --------
    >>> str(refusal(nn.Sequential(nn.Conv2d(3, 1, 3), nn.ReLU6()), "guided_backprop"))
    'guided_backprop has no rule for ReLU6'
    """
    known = _RULES.get(method)
    if known is None:
        return None
    # a subclass may behave in another way than its base: ReLU6 is a Hardtanh, so types must match
    leaves = [m for m in net.modules() if not any(True for _ in m.children())]
    strange = {
        type(m).__name__ for m in leaves if type(m) not in known and not isinstance(m, _PLAIN)
    }
    if not strange:
        return None
    layers = ", ".join(sorted(strange))
    return Message(
        "no_rule", "{method} has no rule for {layers}", {"method": method, "layers": layers}
    )


def attribute(
    net: nn.Module,
    rgb: Picture,
    method: Method,
    *,
    region_map: NDArray[np.uint8],
    reference: Picture | None = None,
    batch: int | None = None,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    tick: Tick = no_tick,
) -> PixelAttribution:
    """Attribute the fake logit of one crop to its pixels.

    Parameters
    ----------
    net
        In evaluation mode; takes (N, 3, S, S) float32, 0..255, and returns logits (N,), alone or
        first in a tuple.
    rgb : (S, S, 3) uint8
        The crop.
    method
        From `Method`.
    region_map : (S, S) uint8
        Which region each pixel belongs to.
    reference : (S, S, 3) uint8 or None
        The baseline; needed by the methods in `NEEDS_REFERENCE`.
    batch
        Most pictures in the network at once; None = 8, or `LARGE_BATCH` in a large one.
    seed
        Of the method's own generator; the global ones are left as they were.
    settings
        Overrides: `steps` (fewer by default in a large network), `draws`, `noise`, `window`,
        `stride`, `permutations`, `samples`.

    Returns
    -------
    PixelAttribution

    Raises
    ------
    DetectorError
        If the method is wrong for this network.
    UsageError
        If the method is unknown or lacks its reference.
    ShapeError
        If pictures and players differ in size.
    Cancelled
        Within one batch.
    """
    if method not in get_args(Method):
        raise UnknownNameError("unknown method", str(method), "Choose from {known}.", known=METHODS)
    if why := refusal(net, method):
        remedy = "Use integrated_gradients: it needs no rules."
        raise DetectorError("this method is wrong for this network", why, remedy)
    if method in NEEDS_REFERENCE and reference is None:
        raise UsageError("this method needs a reference", method, "Choose one first.")
    if region_map.shape != rgb.shape[:2] or (
        reference is not None and reference.shape != rgb.shape
    ):
        raise ShapeError(
            "crop, reference and players do not fit", f"{rgb.shape}, {region_map.shape}"
        )
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    x = _tensor(rgb, device)
    if why := hidden_refusal(net, method, x):
        remedy = "Use integrated_gradients: it needs no rules."
        raise DetectorError("this method is wrong for this network", why, remedy)
    large = is_large(net)
    if batch is None:
        batch = LARGE_BATCH if large else 8
    own = {
        "steps": STEPS_LARGE if large else STEPS,
        "draws": DRAWS,
        "noise": NOISE,
        "window": WINDOW,
        "stride": STRIDE,
        "permutations": PERMUTATIONS,
        "samples": SAMPLES,
        "batch": batch,
    } | (settings or {})
    scorer = _Scorer(net, method, tick, batch)
    base = None if reference is None else _tensor(reference, device)
    cores = runtime.all_cores() if large and device.type == "cpu" else nullcontext()
    with _own_generator(seed, device), _quiet(), cores:
        with torch.no_grad():
            ends = scorer(x if base is None else torch.cat([x, base])).double().tolist()
        raw = _RUN[method](scorer, x, base, _mask(region_map, device), own)
    heat = raw.detach().double().cpu().numpy()[0].sum(axis=0)
    if method in BY_REGION:  # Captum writes a region's share on each of its pixels and colours
        areas = np.bincount(region_map.ravel(), minlength=len(REGIONS))
        heat = heat / raw.shape[1] / areas[region_map]
    gap = float(ends[0] - ends[1]) if base is not None else 0.0
    complete = method in COMPLETE and gap != 0
    return PixelAttribution(
        method=method,
        heat=heat,
        regions=region_sums(heat, region_map),
        logit=float(ends[0]),
        reference_logit=None if base is None else float(ends[1]),
        completeness=float(heat.sum() - gap) / abs(gap) if complete else None,
        passes=scorer.passes,
        seed=seed,
        settings={k: own[k] for k in _USES[method]},
    )


def region_sums(heat: Float, region_map: NDArray[np.uint8]) -> Float:
    """Return `heat` (S, S) summed over each player: (10,) float64."""
    sums = np.bincount(region_map.ravel(), heat.ravel(), minlength=len(REGIONS))
    return np.asarray(sums, np.float64)


class _Scorer(nn.Module):
    """The network as Captum sees it: logits only, counted, in batches, with a way to stop."""

    def __init__(self, net: nn.Module, method: Method, tick: Tick, batch: int) -> None:
        super().__init__()
        self.net = net
        self._stage, self._tick, self._batch = f"captum {method}", tick, batch
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = []
        for part in torch.split(x, self._batch):
            self._tick(self._stage, self.passes, 0)  # Captum does not say how many are to come
            # in here, so attributions keep Captum's own layout; halves the time on a CPU
            out = self.net(part.contiguous(memory_format=torch.channels_last))
            logits.append(out[0] if isinstance(out, tuple) else out)
            self.passes += len(part)
        return torch.cat(logits)


class _LeastSquares(Model):  # type: ignore[misc]  # captum ships no types
    """Weighted least squares for KernelSHAP; Captum's own would need scikit-learn."""

    def fit(self, train_data: Any, **_: object) -> None:
        """Fit to batches of (x, y, weight)."""
        x, y, w = (torch.cat(part).double() for part in zip(*train_data, strict=True))
        root = w.sqrt()[:, None]
        design = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype, device=x.device)], dim=1)
        answer = torch.linalg.lstsq(
            (design * root).cpu(), y.reshape(-1, 1).cpu() * root.cpu(), driver="gelsd"
        ).solution
        self._weights = answer[:-1, 0].float().to(x.device)

    def representation(self) -> torch.Tensor:
        """Return the weight of each feature."""
        weights: torch.Tensor = self._weights
        return weights[None]

    def __call__(self, x: Any) -> Any:
        """Return predictions without the constant."""
        return x @ self._weights


def _tensor(rgb: Picture, device: torch.device) -> torch.Tensor:
    x = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32))
    return x[None].to(device)


def _mask(region_map: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    # players that are not in the picture must not cost passes: number those that are
    _, numbers = np.unique(region_map, return_inverse=True)
    mask = torch.from_numpy(numbers.reshape(1, 1, *region_map.shape).astype(np.int64))
    return mask.expand(1, 3, *region_map.shape).contiguous().to(device)


@contextmanager
def _own_generator(seed: int, device: torch.device) -> Iterator[None]:
    """Seed what Captum draws from, and put the global generators back afterwards."""
    state = np.random.get_state()  # noqa: NPY002 - Captum's GradientShap draws from it
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Captum says on every call and its callers already know."""
    with warnings.catch_warnings():
        for text in (
            "Input Tensor .* did not already require gradients",
            "Setting forward, backward hooks",
            "Setting backward hooks on ReLU",
        ):
            warnings.filterwarnings("ignore", text, UserWarning)
        yield


# -- the methods, each (scorer, x, base, mask, settings) -> attribution (1, C, S, S)

_Run = Callable[..., torch.Tensor]


def _integrated(f: _Scorer, x: Any, base: Any, _mask: Any, own: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = attr.IntegratedGradients(f).attribute(
        x, baselines=base, n_steps=own["steps"], internal_batch_size=own["batch"]
    )
    return out


def _smooth(f: _Scorer, x: Any, _base: Any, _mask: Any, own: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = attr.NoiseTunnel(attr.Saliency(f)).attribute(
        x,
        nt_type="smoothgrad",
        nt_samples=own["draws"],
        nt_samples_batch_size=own["batch"],
        stdevs=own["noise"] * 255,
    )
    return out


def _gradient_shap(f: _Scorer, x: Any, base: Any, _mask: Any, own: dict[str, Any]) -> torch.Tensor:
    method, left, total = attr.GradientShap(f), own["draws"], torch.zeros_like(x)
    while left:  # it has no batches of its own
        count = min(left, own["batch"])
        total += count * method.attribute(x, baselines=base, n_samples=count, stdevs=0.0)
        left -= count
    return torch.div(total, own["draws"])


def _grad_cam(f: _Scorer, x: Any, _base: Any, _mask: Any, _own: dict[str, Any]) -> torch.Tensor:
    cam = attr.LayerGradCam(f, last_map(f.net, x)).attribute(x, relu_attributions=False)
    out: torch.Tensor = attr.LayerAttribution.interpolate(cam, x.shape[2:], "bilinear")
    return out


def _occlusion(f: _Scorer, x: Any, base: Any, _mask: Any, own: dict[str, Any]) -> torch.Tensor:
    window, stride = (max(1, round(own[k] * x.shape[-1])) for k in ("window", "stride"))
    out: torch.Tensor = attr.Occlusion(f).attribute(
        x,
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=base,
        perturbations_per_eval=own["batch"],
    )
    return out


def _ablation(f: _Scorer, x: Any, base: Any, mask: Any, own: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = attr.FeatureAblation(f).attribute(
        x, baselines=base, feature_mask=mask, perturbations_per_eval=own["batch"]
    )
    return out


def _sampling(f: _Scorer, x: Any, base: Any, mask: Any, own: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = attr.ShapleyValueSampling(f).attribute(
        x,
        baselines=base,
        feature_mask=mask,
        n_samples=own["permutations"],
        perturbations_per_eval=own["batch"],
    )
    return out


def _kernel_shap(f: _Scorer, x: Any, base: Any, mask: Any, own: dict[str, Any]) -> torch.Tensor:
    method = attr.KernelShap(f)
    method.interpretable_model = _LeastSquares()
    out: torch.Tensor = method.attribute(
        x,
        baselines=base,
        feature_mask=mask,
        n_samples=own["samples"],
        perturbations_per_eval=own["batch"],
    )
    return out


def _deep_lift(f: _Scorer, x: Any, base: Any, _mask: Any, _own: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = attr.DeepLift(f).attribute(x, baselines=base)
    return out


def _guided(f: _Scorer, x: Any, _base: Any, _mask: Any, _own: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = attr.GuidedBackprop(f).attribute(x)
    return out


def _guided_cam(f: _Scorer, x: Any, _base: Any, _mask: Any, _own: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = attr.GuidedGradCam(f, last_map(f.net, x)).attribute(x)
    return out


_RUN: dict[str, _Run] = {
    "integrated_gradients": _integrated,
    "smooth_grad": _smooth,
    "gradient_shap": _gradient_shap,
    "grad_cam": _grad_cam,
    "occlusion": _occlusion,
    "feature_ablation": _ablation,
    "shapley_value_sampling": _sampling,
    "kernel_shap": _kernel_shap,
    "deep_lift": _deep_lift,
    "guided_backprop": _guided,
    "guided_grad_cam": _guided_cam,
}
_USES: dict[str, tuple[str, ...]] = {
    "integrated_gradients": ("steps", "batch"),
    "smooth_grad": ("draws", "noise", "batch"),
    "gradient_shap": ("draws", "batch"),
    "grad_cam": (),
    "occlusion": ("window", "stride", "batch"),
    "feature_ablation": ("batch",),
    "shapley_value_sampling": ("permutations", "batch"),
    "kernel_shap": ("samples", "batch"),
    "deep_lift": (),
    "guided_backprop": (),
    "guided_grad_cam": (),
}


def last_map(net: nn.Module, x: torch.Tensor) -> nn.Module:
    """Return the last part of a network that gives a map of several channels.

    It is looked for among the top-level parts first, then among all. A map after which the network
    goes on in tokens (a transformer's embedding of patches) is none to draw on.

    Raises
    ------
    DetectorError
        If there is none: nothing to draw Grad-CAM on.
    """
    named = getattr(net, "map_layer", None)  # a network may say it itself
    if isinstance(named, nn.Module):
        return named
    for parts in (list(net.children()), [part for part in net.modules() if part is not net]):
        part, goes_on_in_tokens = _last_map_among(net, parts, x)
        if part is not None and not goes_on_in_tokens:
            return part
    raise DetectorError("this network has no map of features", "", "Use another method.")


def _last_map_among(
    net: nn.Module, parts: list[nn.Module], x: torch.Tensor
) -> tuple[nn.Module | None, bool]:
    maps: list[nn.Module] = []
    tokens_after = False

    def look(part: nn.Module, _inputs: Any, out: Any) -> None:
        nonlocal tokens_after
        if not isinstance(out, torch.Tensor):
            return
        if out.ndim == 4 and out.shape[1] > 1 and min(out.shape[2:]) > 1:
            maps.append(part)
            tokens_after = False
        elif out.ndim == 3 and out.shape[1] > 1:
            tokens_after = True

    handles = [part.register_forward_hook(look) for part in parts]
    # tokens may come from any part, however deep
    deeper = [part for part in net.modules() if part is not net and part not in parts]
    handles += [part.register_forward_hook(_only_tokens(look)) for part in deeper]
    try:
        with torch.no_grad():
            net(x)
    finally:
        for handle in handles:
            handle.remove()
    return (maps[-1] if maps else None), tokens_after


def _only_tokens(look: Callable[..., None]) -> Callable[..., None]:
    def hook(part: nn.Module, inputs: Any, out: Any) -> None:
        if isinstance(out, torch.Tensor) and out.ndim == 3:
            look(part, inputs, out)

    return hook


# -- what a network does outside of its layers

_BENDING = frozenset(
    {"relu", "hardtanh", "silu", "gelu", "elu", "leaky_relu", "mish", "celu", "softplus"}
    | {"sigmoid", "tanh", "hardswish", "hardsigmoid", "_softmax", "exp", "log", "pow", "sqrt"}
    | {"rsqrt", "clamp", "clamp_min", "clamp_max", "maximum", "minimum", "prelu", "erf"}
    | {"_log_softmax", "abs", "max_pool2d_with_indices", "native_layer_norm", "native_group_norm"}
    | {"_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention"}
    | {"_scaled_dot_product_efficient_attention", "_scaled_dot_product_attention_math"}
)
"""Operations that are not linear, as torch's dispatcher calls them."""

_PRODUCTS = frozenset({"mul", "div", "bmm", "mm", "matmul", "addcmul"})
"""Operations that are not linear where both sides depend on the picture."""


class _Outside(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what bends the picture's way through a network outside of layers that are known."""

    def __init__(self, x: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inside = 0
        self.names: set[str] = set()
        self._alive: dict[int, torch.Tensor] = {id(x): x}  # kept, so that no id comes twice

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        touched = sum(id(a) in self._alive for a in args if isinstance(a, torch.Tensor))
        if touched:
            name = func.overloadpacket.__name__.rstrip("_")
            bends = name in _BENDING or (name in _PRODUCTS and touched > 1)
            if bends and not self.inside:
                self.names.add(name)
            for value in out if isinstance(out, tuple | list) else (out,):
                if isinstance(value, torch.Tensor):
                    self._alive[id(value)] = value
        return out


def hidden_refusal(net: nn.Module, method: Method, x: torch.Tensor) -> Message | None:
    """Return why a method is wrong for what a network does outside of its layers, or None.

    Captum sees layers. An activation that is called as a function, a product of two things that
    both depend on the picture, or (for DeepLift) a layer that is used twice, it passes over without
    a word.

    Parameters
    ----------
    net, method
        As for `refusal`.
    x : (1, 3, S, S) tensor
        A picture to send through.
    """
    known = _RULES.get(method)
    if known is None:
        return None
    calls: dict[nn.Module, int] = {}
    watch = _Outside(x)

    def enter(part: nn.Module, _inputs: Any) -> None:
        watch.inside += 1
        calls[part] = calls.get(part, 0) + 1

    def leave(_part: nn.Module, _inputs: Any, _out: Any) -> None:
        watch.inside -= 1

    handles = []
    for part in net.modules():
        if type(part) in known or isinstance(part, nn.MaxPool2d):
            handles += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]
    try:
        with torch.no_grad(), watch:
            net(x)
    finally:
        for handle in handles:
            handle.remove()
    if watch.names:
        names = ", ".join(sorted(watch.names))
        return Message(
            "hidden",
            "{method} does not see what this network computes outside of its layers: {names}",
            {"method": method, "names": names},
        )
    if method == "deep_lift" and any(n > 1 for n in calls.values()):
        return Message(
            "used_twice", "{method} is wrong where one layer is used twice", {"method": method}
        )
    return None
