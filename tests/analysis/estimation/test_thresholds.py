"""Thresholds, regions, closure and SIC on event lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from analysis.abcd import Regions
from analysis.estimation import events
from analysis.estimation.closure import closure_points, random_thresholds, summarise_closure
from analysis.estimation.config import ClosureConfig
from analysis.estimation.ranks import Diagonal, Survival
from analysis.estimation.regions import estimate_at, mixed, sums_in_regions
from analysis.estimation.sculpting import rank_correlation, weighted_quantiles
from analysis.estimation.sic import best_sic, sic_at, sic_curve, sic_map


def independent(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)), rng.uniform(0.2, 2.0, n)


@given(st.integers(1, 60), st.integers(0, 99), st.floats(0.01, 0.99))
def test_survival_and_its_threshold(n: int, seed: int, target: float) -> None:
    rng = np.random.default_rng(seed)
    values, weight = rng.integers(0, 8, n).astype(float), rng.uniform(0.2, 2.0, n)
    survival = Survival(values, weight)
    for value in (-1.0, 0.0, 3.0, 7.0, 8.5):
        assert survival(np.array([value]))[0] == pytest.approx(weight[values >= value].sum() / weight.sum())
    cut = survival.threshold(target)
    assert survival(np.array([cut]))[0] <= target + 1e-9
    looser = values[values < cut]
    assert not len(looser) or weight[values >= looser.max()].sum() / weight.sum() > target


def test_diagonal_cuts_are_equal_and_keep_the_target() -> None:
    scores, weight = independent(20_000, 1)
    diagonal = Diagonal(scores, weight)
    for target in (0.2, 0.05, 0.01):
        found = estimate_at(scores, weight, diagonal.thresholds(target))
        assert found.observed.value / weight.sum() == pytest.approx(target, rel=0.01)
        assert found.efficiencies[0] == pytest.approx(found.efficiencies[1], rel=0.02)
    passing = diagonal.score(scores) >= -0.3
    first, second = diagonal.single[0].threshold(0.3), diagonal.single[1].threshold(0.3)
    np.testing.assert_array_equal(passing, (scores[:, 0] >= first) & (scores[:, 1] >= second))


def test_regions_against_masks() -> None:
    scores, weight = independent(500, 2)
    found = sums_in_regions(scores, weight, (0.3, -0.2))
    x, y = scores[:, 0] >= 0.3, scores[:, 1] >= -0.2
    expected = [weight[mask].sum() for mask in (x & y, x & ~y, ~x & y, ~x & ~y)]
    assert tuple(found) == pytest.approx(expected)
    assert sum(mixed(Regions(0.1, 0.2, 0.3, 0.4), Regions(1, 0, 0, 0), 1000, 0.01)) == pytest.approx(1000)


def test_random_thresholds_share_an_efficiency_and_a_seed() -> None:
    scores, weight = independent(20_000, 3)
    wide = (0.25, 0.75)
    drawn = [list(random_thresholds(scores, weight, 0.02, 30, wide, np.random.default_rng(7))) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 30
    for thresholds in drawn[0]:
        share = sums_in_regions(scores, weight, thresholds).a / weight.sum()
        assert share == pytest.approx(0.02, rel=0.02)


def test_random_thresholds_keep_to_their_shares() -> None:
    scores, weight = independent(20_000, 3)
    narrow = random_thresholds(scores, weight, 0.01, 30, (0.5, 0.6), np.random.default_rng(7))
    efficiencies = [weight[scores[:, 0] >= cut].sum() / weight.sum() for cut, _ in narrow]
    assert 0.01**0.6 * 0.97 < min(efficiencies) < max(efficiencies) < 0.1 * 1.03
    with pytest.raises(ValidationError, match=r"shares: 0\.6 is above 0\.5"):
        ClosureConfig(shares=(0.6, 0.5))


def test_independent_scores_close_and_contamination_opens() -> None:
    background = independent(100_000, 4)
    rng = np.random.default_rng(5)
    signal = rng.normal(3, 0.5, (1000, 2)) - np.array([0.0, 3.0]) * (rng.random((1000, 1)) < 0.8), np.ones(1000)
    points = closure_points(background, {"S": signal}, [0.01, 0.1], 20, (0.25, 0.75), 0.01, np.random.default_rng(7))
    scans = summarise_closure(points, 0.025)
    assert [scan.efficiency for scan in scans] == [0.01, 0.1]
    for scan in scans:
        assert scan.pairs == 20
        assert scan.pull_largest < 4
        assert abs(scan.mean) < 3 * scan.uncertainty
        assert 0 <= scan.non_closure <= scan.rms
    ratios = [(p.contaminated["S"], p.estimate.closure.value) for p in points if p.estimate.closure]
    assert np.mean([mixed > alone for mixed, alone in ratios]) == 1.0


def test_dependent_scores_do_not_close() -> None:
    x = np.random.default_rng(4).normal(size=(20_000, 2))
    x[:, 1] += x[:, 0]
    points = closure_points((x, np.ones(20_000)), {}, [0.05], 20, (0.25, 0.75), 0.001, np.random.default_rng(7))
    scan = summarise_closure(points, 0.025)[0]
    assert scan.mean < -0.4
    assert scan.non_closure > 0.4
    assert scan.within == 0


def test_sic_against_counting() -> None:
    rng = np.random.default_rng(6)
    signal, background = rng.normal(1, 1, 800), rng.normal(0, 1, 5000)
    curve = sic_curve((signal, np.ones(800)), (background, np.ones(5000)))
    assert curve is not None
    found = sic_at(curve, 0.05)
    assert found is not None
    cut = np.quantile(background, 0.95)
    assert found.sic == pytest.approx((signal > cut).mean() / np.sqrt(0.05), rel=0.02)
    assert best_sic(curve).sic == curve.sic.max()
    assert sic_at(curve, 1e-4) is None
    assert curve.fpr.min() * 5000 >= 25


def test_diagonal_gains_where_scores_are_independent() -> None:
    """Two equally good independent scores together beat either (figure 1)."""
    rng = np.random.default_rng(8)
    background, signal = rng.normal(size=(50_000, 2)), rng.normal(1.5, 1, (5000, 2))
    ones = np.ones(50_000)
    diagonal = Diagonal(background, ones)
    curves = [
        sic_curve((values, np.ones(5000)), (theirs, ones))
        for values, theirs in (
            (signal[:, 0], background[:, 0]),
            (diagonal.score(signal), diagonal.score(background)),
        )
    ]
    at = [sic_at(curve, 0.01) for curve in curves if curve]
    assert at[0] is not None
    assert at[1] is not None
    assert at[1].sic > 1.3 * at[0].sic


def test_sic_map_against_counting() -> None:
    rng = np.random.default_rng(9)
    signal, background = rng.uniform(0, 0.6, (300, 2)), rng.uniform(0, 1, (4000, 2))
    found = sic_map((signal, np.ones(300)), (background, np.ones(4000)), [0.01, 0.3, 1.0])
    tpr = ((signal[:, 0] <= 0.3) & (signal[:, 1] <= 1.0)).mean()
    fpr = ((background[:, 0] <= 0.3) & (background[:, 1] <= 1.0)).mean()
    assert found.sic[1, 2] == pytest.approx(tpr / np.sqrt(fpr))
    assert found.sic[2, 2] == pytest.approx(1.0)
    assert np.isnan(found.sic[0, 0])


def test_weighted_quantiles_and_rank_correlation() -> None:
    values, weight = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 8.0])
    np.testing.assert_array_equal(weighted_quantiles(values, weight, (0.05, 0.5, 0.95)), [1, 2, 3])
    assert np.isnan(weighted_quantiles(values[:0], weight[:0], (0.5,))[0])
    assert rank_correlation(values, values**3, weight) == pytest.approx(1)
    assert rank_correlation(values, -values, weight) == pytest.approx(-1)
    assert rank_correlation(values, np.ones(3), weight) == 0


@pytest.mark.parametrize(("n_vertices", "expected"), [([1, 40, 55], "n_vertices"), ([1, 0, 55], "ecal_cells")])
def test_vertices_tell_the_pileup_where_all_events_have_some(n_vertices: list[int], expected: str) -> None:
    variables = {"ht": np.ones(3), "n_vertices": np.array(n_vertices, float), "ecal_cells": np.ones(3)}
    found = events._one_pileup(events.Events(np.ones(3), (), variables))
    assert list(found.variables) == ["ht", expected]
