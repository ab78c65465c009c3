"""Efficiencies, ABCD and rates against brute force on event lists."""

from __future__ import annotations

import math
from typing import Any

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from analysis.abcd import Plane, abcd_estimate, edges_at_efficiency, edges_nearest
from analysis.binned import Binned, edge_of_at_least, edge_of_at_most, efficiency, folded
from analysis.efficiency import efficiency_against, efficiency_by_threshold
from analysis.plots.abcd import with_error
from analysis.rates import edge_for_budget, hertz_per_weight, rate

X = hist.axis.Regular(20, -0.5, 19.5, name="x")
Y = hist.axis.Regular(10, -0.5, 9.5, name="y")
POINTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 60), st.just(2)), elements=st.integers(-2, 21))


def weights(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 3.0, n)


def plane_histogram(points: np.ndarray, weight: np.ndarray) -> hist.Hist[Any]:
    return hist.Hist(X, Y, storage=hist.storage.Weight()).fill(*points.T, weight=weight)


def plane(points: np.ndarray, weight: np.ndarray) -> Plane:
    counts = hist.Hist(X, Y, storage=hist.storage.Int64()).fill(*points.T)
    return Plane.of(plane_histogram(points, weight), counts)


def clipped(points: np.ndarray) -> np.ndarray:
    inside: np.ndarray = np.clip(points, 0, [19, 9])
    return inside


def clopper_pearson(k: float, n: float) -> tuple[float, float]:
    tail = stats.norm.sf(1)
    low = stats.beta.ppf(tail, k, n - k + 1) if k > 0 else 0.0
    high = stats.beta.isf(tail, k + 1, n - k) if k < n else 1.0
    return low, high


@given(POINTS, st.integers(0, 99))
def test_folding_keeps_every_event(points: np.ndarray, seed: int) -> None:
    weight = weights(len(points), seed)
    values, variances = folded(plane_histogram(points, weight))
    x, y = clipped(points).T
    expected = np.histogram2d(x, y, bins=(X.edges, Y.edges), weights=weight)[0]
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert variances.sum() == pytest.approx((weight**2).sum())


@given(POINTS, st.integers(0, 20), st.integers(1, 4))
def test_efficiency_against_a_variable(points: np.ndarray, cut: int, merge: int) -> None:
    curve = efficiency_against(plane_histogram(points, np.ones(len(points))), cut - 0.5, merge)
    inside = clipped(points)
    for bin_index, (low, high) in enumerate(zip(curve.edges[:-1], curve.edges[1:], strict=True)):
        chosen = inside[(inside[:, 1] > low) & (inside[:, 1] < high), 0]
        n, k = len(chosen), int((chosen >= cut).sum())
        assert curve.selected[bin_index] == n
        if n == 0:
            assert math.isnan(curve.value[bin_index])
            continue
        assert curve.value[bin_index] == pytest.approx(k / n)
        assert (curve.low[bin_index], curve.high[bin_index]) == pytest.approx(clopper_pearson(k, n))


def test_interval_of_weighted_events_uses_effective_counts() -> None:
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    n = weight.sum() ** 2 / (weight**2).sum()
    found = efficiency(6.0, 10.0, n)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.6, *clopper_pearson(0.6 * n, n)))


def test_scaling_weights_leaves_an_interval_alone() -> None:
    sample = Binned(np.arange(4.0), np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]))
    for factor in (1.0, 7.0):
        scaled = sample.scaled(factor)
        found = efficiency(float(scaled.above()[1]), scaled.total, scaled.n_effective)
        assert found == efficiency(5.0, 6.0, 36 / 8)


def test_negative_weights_cannot_make_an_impossible_efficiency() -> None:
    found = efficiency(5.0, 4.0, 2.0)
    assert found is not None
    assert (found.value, found.high) == (1.0, 1.0)


def test_no_events_no_efficiency() -> None:
    assert efficiency(0.0, 0.0, 0.0) is None
    empty = Binned(np.arange(3.0), np.zeros(2), np.zeros(2))
    assert np.isnan(efficiency_by_threshold(empty).value).all()


@given(hnp.arrays(np.float64, 12, elements=st.floats(0, 5)), st.floats(0, 1))
def test_working_points_honour_their_targets(values: np.ndarray, target: float) -> None:
    above = np.append(np.cumsum(values[::-1])[::-1], 0.0)
    budget = target * above[0]
    slack = 1e-8 * above[0]
    lowest = edge_of_at_most(above, budget)
    assert above[lowest] <= budget + slack
    assert lowest == 0 or above[lowest - 1] > budget - slack
    highest = edge_of_at_least(above, budget)
    assert above[highest] >= budget - slack
    assert highest == 12 or above[highest + 1] < budget + slack


def test_threshold_scan_falls_from_one_to_zero() -> None:
    scan = efficiency_by_threshold(Binned(np.arange(4.0), np.array([1.0, 2.0, 1.0]), np.array([1.0, 2.0, 1.0])))
    np.testing.assert_allclose(scan.value, [1, 0.75, 0.25, 0])
    assert np.all((scan.low <= scan.value) & (scan.value <= scan.high))


@given(POINTS, st.integers(0, 20), st.integers(0, 10), st.integers(0, 99))
def test_abcd_against_counting(points: np.ndarray, cut_x: int, cut_y: int, seed: int) -> None:
    weight = weights(len(points), seed)
    found = abcd_estimate(plane(points, weight), (cut_x, cut_y))
    x, y = clipped(points).T
    masks = [((x >= cut_x) == first) & ((y >= cut_y) == second) for first in (True, False) for second in (True, False)]
    a, b, c, d = (weight[mask].sum() for mask in masks)
    v_a, v_b, v_c, v_d = ((weight[mask] ** 2).sum() for mask in masks)
    assert tuple(found.counts) == pytest.approx((a, b, c, d), abs=1e-9)
    assert tuple(found.events) == tuple(mask.sum() for mask in masks)
    assert tuple(found.uncertainties) == pytest.approx(tuple(np.sqrt([v_a, v_b, v_c, v_d])), abs=1e-9)
    assert found.observed.value == pytest.approx(a, abs=1e-9)
    if not masks[3].any():
        assert found.predicted is None
        assert found.closure is None
        return
    assert found.predicted is not None
    assert found.predicted.value == pytest.approx(b * c / d)
    if not (masks[1].any() and masks[2].any()):
        assert found.predicted.uncertainty is None
        return
    gradient_squared = (c / d) ** 2 * v_b + (b / d) ** 2 * v_c + (b * c / d**2) ** 2 * v_d
    assert found.predicted.uncertainty == pytest.approx(np.sqrt(gradient_squared))
    if masks[0].any():
        assert found.closure is not None
        assert found.closure.value == pytest.approx(b * c / d / a)
        expected = np.sqrt(gradient_squared / a**2 + (b * c / d) ** 2 * v_a / a**4)
        assert found.closure.uncertainty == pytest.approx(expected)
    else:
        assert found.closure is None


def test_abcd_closes_for_independent_scores() -> None:
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.poisson(6, 200_000), rng.poisson(3, 200_000)])
    background = plane(points, rng.exponential(size=200_000))
    for target in (0.5, 0.2, 0.05):
        edges = edges_at_efficiency(background, target)
        found = abcd_estimate(background, edges)
        assert all(value is not None and value <= target for value in found.efficiencies)
        assert found.closure is not None
        assert found.closure.uncertainty is not None
        assert abs(found.closure.value - 1) < 3 * found.closure.uncertainty
        assert edges_nearest(background, found.thresholds) == edges


def test_abcd_fails_to_close_for_dependent_scores() -> None:
    x = np.random.default_rng(3).poisson(5, 50_000)
    found = abcd_estimate(plane(np.column_stack([x, x]), np.ones(50_000)), (8, 8))
    assert found.predicted is not None
    assert found.predicted.value == 0.0
    assert found.counts.a > 1000


def test_rates() -> None:
    hertz = hertz_per_weight(cross_section=1e6, luminosity=2e34, sum_of_weights=500.0)
    assert hertz == pytest.approx(1e6 * 1e-36 * 2e34 / 500.0)
    sample = Binned(np.arange(4.0), np.array([400.0, 40.0, 10.0]), np.array([400.0, 40.0, 20.0])).scaled(hertz)
    found = rate(sample, 1)
    assert found.value == pytest.approx(50 * hertz)
    assert found.uncertainty == pytest.approx(np.sqrt(60) * hertz)
    assert rate(sample, 3).uncertainty is None
    assert edge_for_budget(sample, 11 * hertz) == 2
    assert edge_for_budget(sample, 1e9) == 0
    assert edge_for_budget(sample, hertz) == 3


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.1304, 0.1071, r"0.13 $\pm$ 0.11"),
        (17.93, 2.588, r"17.9 $\pm$ 2.6"),
        (1234.0, 56.0, r"1234 $\pm$ 56"),
        (1.2345e7, 3e5, r"(1.234 $\pm$ 0.030) $\times$ 10$^{7}$"),
        (0.0, 0.0, "0"),
    ],
)
def test_numbers_are_rounded_as_their_uncertainty(value: float, error: float, text: str) -> None:
    assert with_error(value, error) == text
