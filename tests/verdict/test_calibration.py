"""Likelihood ratios against brute force, their bounds, and the file they lie in."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ModelError, ShapeError, UsageError
from toolkit.verdict import calibration as c

SHA = "ab" * 32
few = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=7).filter(
    lambda rows: len({y for _, y in rows}) == 2
)


def gaussians(n, *, apart=2.0, seed=0, fakes=None):
    rng = np.random.default_rng(seed)
    fakes = fakes or n
    z = np.concatenate([rng.normal(apart, 1, fakes), rng.normal(0, 1, n)])
    y = np.repeat([True, False], [fakes, n])
    return z, y, [f"g{i % 60}" for i in range(len(z))]


def isotonic(x, y):
    """Return the least-squares non-decreasing fit by the min-max formula."""
    levels = sorted(set(x))

    def mean(i, j):
        inside = [b for a, b in zip(x, y, strict=True) if levels[i] <= a <= levels[j]]
        return sum(inside) / len(inside)

    k = len(levels)
    fit = {
        v: max(min(mean(a, b) for b in range(i, k)) for a in range(i + 1))
        for i, v in enumerate(levels)
    }
    return [fit[v] for v in x]


@given(few)
def test_pooling_is_the_isotonic_fit(rows):
    x, y = zip(*rows, strict=True)
    assert c.pool_adjacent(x, y) == pytest.approx(isotonic(x, y), abs=1e-12)


@given(few, st.randoms(use_true_random=False))
def test_no_non_decreasing_map_costs_less(rows, random):
    x, y = (np.array(v) for v in zip(*rows, strict=True))
    best = c.cllr_min(x, y)
    levels = np.unique(x)
    for _ in range(5):
        steps = np.sort([random.uniform(-3, 3) for _ in levels])
        assert c.cllr(steps[np.searchsorted(levels, x)], y) >= best - 1e-9
    assert 0 <= best <= 1 + 1e-9


@given(few)
def test_cllr_by_its_definition(rows):
    x, y = (np.array(v) for v in zip(*rows, strict=True))
    fake = [math.log2(1 + 10.0**-v) for v in x[y]]
    real = [math.log2(1 + 10.0**v) for v in x[~y]]
    want = (sum(fake) / len(fake) + sum(real) / len(real)) / 2
    assert c.cllr(x, y) == pytest.approx(want)
    assert c.cllr_cal(x, y) == pytest.approx(want - c.cllr_min(x, y))


def test_cllr_does_not_overflow():
    assert c.cllr([400.0, -400.0], [False, True]) == pytest.approx(400 / math.log10(2))


def test_the_fit_is_where_the_loss_is_least():
    z, y, groups = gaussians(80, fakes=40)
    fitted = c.fit(z, y, groups)

    def loss(a, b):
        return np.logaddexp(0, np.where(y, -1, 1) * (a * z + b)).sum()

    least = loss(fitted.alpha, fitted.beta)
    for da, db in itertools.product((-1e-3, 0, 1e-3), repeat=2):
        assert loss(fitted.alpha + da, fitted.beta + db) >= least - 1e-9


def test_equal_gaussians_give_back_their_ratio():
    """For N(2, 1) against N(0, 1) the log ratio is 2 z - 2, whatever the numbers of clips."""
    z, y, groups = gaussians(20_000, fakes=10_000)
    fitted = replace(c.fit(z, y, groups), bounds=(-9.0, 9.0))
    for at in (-1.0, 0.0, 1.0, 3.0):
        assert fitted.log10_lr(at) == pytest.approx((2 * at - 2) / math.log(10), abs=0.08)


def test_calibrated_on_some_and_tested_on_others():
    fitted = replace(c.fit(*gaussians(150, seed=1)), bounds=(-9.0, 9.0))
    z, y, _ = gaussians(400, seed=2)
    llr = fitted.map(z)
    assert c.cllr(llr, y) < 0.6
    assert 0 <= c.cllr_cal(llr, y) < 0.06
    assert c.cllr_min(llr, y) == pytest.approx(
        c.cllr_min(z, y)
    )  # an increasing map changes nothing


@pytest.mark.parametrize(
    ("fakes", "reals", "cap"),
    [(1, 40, 0.0), (4, 40, math.log10(4)), (30, 40, 1.0), (60, 60, math.log10(60))],
)
def test_bounds_follow_the_number_of_groups(fakes, reals, cap):
    z = np.concatenate([np.linspace(-1, 3, fakes), np.linspace(-3, 1, reals)])
    y = np.repeat([True, False], [fakes, reals])
    fitted = c.fit(z, y, [f"g{i}" for i in range(len(z))])
    assert fitted.bounds == pytest.approx((-cap, cap))
    assert fitted.map(np.array([-1e9, 1e9])) == pytest.approx([-cap, cap])
    # many clips of the same footage are not many groups
    same = c.fit(z, y, ["forged" if f else "genuine" for f in y])
    assert same.bounds == (0, 0)


def test_classes_apart_stay_finite_and_bounded():
    fitted = c.fit([1.0, 2.0, -1.0, -2.0] * 3, [True, True, False, False] * 3, list("abcdefghijkl"))
    assert math.isfinite(fitted.alpha)
    assert abs(fitted.log10_lr(100.0)) <= math.log10(6) + 1e-12


def test_forgeries_without_traces_are_mixed_in():
    """Of two densities: the forged one is a mixture of its own and of the genuine one."""
    z, y, groups = gaussians(20_000, seed=4)
    plain = c.fit(z, y, groups, cap=9)
    mixed = c.fit(z, y, groups, cap=9, traceless=0.3)
    at = np.linspace(-4, 5, 50)

    def density(x, mean):
        return np.exp(-((x - mean) ** 2) / 2)

    wanted = np.log10((0.7 * density(at, 2) + 0.3 * density(at, 0)) / density(at, 0))
    inside = wanted < min(mixed.bounds[1], 1)
    assert mixed.map(at)[inside] == pytest.approx(wanted[inside], abs=0.05)
    assert (np.diff(mixed.map(at)) >= 0).all()
    assert mixed.map(np.array([-1e9, 1e9])) == pytest.approx(mixed.bounds)
    assert mixed.bounds[0] == pytest.approx(max(plain.bounds[0], math.log10(0.3)))
    for part in (-0.1, 1.0, math.nan):
        with pytest.raises(UsageError, match="share"):
            c.fit(z, y, groups, traceless=part)


def test_a_cap_holds_however_many_groups_there_are():
    z, y, _ = gaussians(300)
    groups = [f"g{i}" for i in range(len(z))]
    assert c.fit(z, y, groups).bounds[1] > 2
    assert c.fit(z, y, groups, cap=0.4).bounds == (-0.4, 0.4)
    for cap in (-1, math.nan):
        with pytest.raises(UsageError, match="bound"):
            c.fit(z, y, groups, cap=cap)


def test_tippett_counts():
    x, y = np.array([-1.0, 0.5, 0.5, 2.0, -0.2]), np.array([False, False, True, True, True])
    curve = c.tippett(x, y)
    for at, fake, real in zip(curve.log10_lr, curve.fake, curve.real, strict=True):
        assert fake == pytest.approx((x[y] >= at).mean())
        assert real == pytest.approx((x[~y] >= at).mean())
    assert curve.misleading_fake == pytest.approx(1 / 3)
    assert curve.misleading_real == pytest.approx(1 / 2)


def test_mistakes_are_named():
    with pytest.raises(UsageError, match="label is missing"):
        c.fit([1.0, 2.0], [True, True], ["a", "b"])
    with pytest.raises(UsageError, match="do not speak for forgery"):
        c.fit([1.0, 2.0, -1.0, 0.0], [False, False, True, True], list("abcd"))
    with pytest.raises(ShapeError):
        c.cllr([1.0, math.nan], [True, False])
    with pytest.raises(ShapeError, match="groups"):
        c.fit([1.0, 2.0], [True, False], ["a"])


def test_the_file_goes_round_and_is_bound_to_weights_and_rule(tmp_path, monkeypatch):
    monkeypatch.setattr(c, "path_for", lambda name: tmp_path / f"{name}.json")
    assert c.find("seamnet", SHA) is None
    fitted = c.fit(*gaussians(50), weights_sha256=SHA, population="made up", date="2026-11-25")
    c.save(fitted, c.path_for("seamnet"))
    assert c.load(c.path_for("seamnet")) == fitted
    assert c.find("seamnet", SHA) == fitted
    assert c.find("seamnet", "cd" * 32) is None
    c.save(replace(fitted, rule="the plain mean"), c.path_for("seamnet"))
    assert c.find("seamnet", SHA) is None
    with pytest.raises(UsageError, match="name its weights"):
        c.save(replace(fitted, weights_sha256=""), tmp_path / "x.json")


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": -1.0},
        {"bounds": [0.5, 1.0]},
        {"n_real": 0},
        {"schema": "x"},
        {"more": 1},
        {"traceless": 1.0},
        {"traceless": 0.9},  # the bounds go below it
        {"traceless": ...},  # not there at all
        {"rule": ...},
    ],
)
def test_a_file_that_no_fit_writes_is_refused(tmp_path, change):
    path = tmp_path / "c.json"
    c.save(c.fit(*gaussians(50), weights_sha256=SHA), path)
    content = json.loads(path.read_text()) | change
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not ...}))
    with pytest.raises(ModelError, match=r"c\.json"):
        c.load(path)


@pytest.mark.parametrize("text", ["5", "null", "[]", '"x"', "", "{"])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"c\.json"):
        c.load(path)


def test_against_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    iso = pytest.importorskip("sklearn.isotonic")
    z, y, groups = gaussians(60, fakes=30)
    theirs = linear.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(z[:, None], y)
    ours = c.fit(z, y, groups)
    assert ours.alpha == pytest.approx(theirs.coef_[0, 0], abs=1e-4)
    assert ours.beta == pytest.approx(theirs.intercept_[0], abs=1e-4)
    assert c.pool_adjacent(z, y) == pytest.approx(iso.IsotonicRegression().fit_transform(z, y))
