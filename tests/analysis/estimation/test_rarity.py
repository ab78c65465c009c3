"""Rarities: exponential in background, the second independent of the first."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimation.closure import closure_points, summarise_closure
from analysis.estimation.config import DecorrelateConfig
from analysis.estimation.rarity import Rarities, cell_edges, learn_rarities
from darktrigger.errors import AnalysisError

CELL, PRIOR = DecorrelateConfig().cell_events, DecorrelateConfig().prior_events


def dependent(n: int, seed: int, strength: float = 0.5) -> np.ndarray:
    """Two scores of which the second has a mean and a width that depend on the first."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=n)
    second = strength * first + np.exp(strength * first / 2) * rng.normal(size=n)
    return np.stack([np.exp(first), 100 + second], axis=1)


def learnt(scores: np.ndarray, weight: np.ndarray | None = None, prior: float = PRIOR) -> Rarities:
    return learn_rarities(scores, np.ones(len(scores)) if weight is None else weight, CELL, prior)


def rms_closure(scores: np.ndarray) -> list[float]:
    points = closure_points(
        (scores, np.ones(len(scores))), {}, (0.01, 0.05), 30, (0.25, 0.75), 0.001, np.random.default_rng(1)
    )
    return [scan.rms for scan in summarise_closure(points, 0.025)]


def test_rarities_of_other_events_are_independent_and_exponential() -> None:
    rarities = learnt(dependent(100_000, 1, 0.2))
    other = dependent(100_000, 2, 0.2)
    found = rarities(other)
    for before, after in zip(rms_closure(other), rms_closure(found), strict=True):
        assert before > 0.3
        assert after < 0.08
    for column in found.T:
        for value in (0.1, 0.5, 1.0, 2.0, 4.0):
            share = (column >= value).mean()
            assert share == pytest.approx(math.exp(-value), abs=5 * math.sqrt(math.exp(-value) / len(other)) + 1e-3)


def test_first_rarity_is_minus_the_logarithm_of_an_efficiency() -> None:
    scores = dependent(5000, 3)
    rarity = learnt(scores)(scores)[:, 0]
    order = np.argsort(scores[:, 0])[:-10]
    expected = -np.log(1 - np.arange(5000) / 5000)
    np.testing.assert_allclose(rarity[order], expected[:-10], atol=0.06)


def test_independent_scores_stay_as_they_are() -> None:
    rng = np.random.default_rng(4)
    scores = rng.exponential(size=(50_000, 2))
    found = learnt(scores, prior=1e9)(scores)
    for limit, tolerance in ((3, 0.06), (6, 0.25)):
        low = scores[:, 1] < limit
        np.testing.assert_allclose(found[low, 1], scores[low, 1], atol=tolerance)


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 400), st.integers(0, 99), st.booleans())
def test_rarities_rise_with_their_score(n: int, seed: int, discrete: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 2)) * 3
    scores = np.round(scores) if discrete else scores
    if any(len(np.unique(column)) < 2 for column in scores.T):
        return
    rarities = learnt(scores, rng.uniform(0.1, 2.0, n))
    grid = np.linspace(-15, 15, 200)
    first = rarities(np.stack([grid, np.zeros(200)], axis=1))[:, 0]
    assert (np.diff(first) >= 0).all()
    for value in (-15, -1, 0, 2, 15):
        both = rarities(np.stack([np.full(200, value), grid], axis=1))
        assert np.isfinite(both).all()
        assert (both >= 0).all()
        assert (np.diff(both[:, 1]) >= -1e-12).all()


def test_weights_count_as_repetitions() -> None:
    rng = np.random.default_rng(5)
    scores, times = dependent(4000, 5), rng.integers(0, 4, 4000)
    repeated = learnt(np.repeat(scores, times, axis=0), prior=1e-9)
    weighted = learnt(scores[times > 0], times[times > 0].astype(float), prior=1e-9)
    np.testing.assert_allclose(repeated(scores)[:, 0], weighted(scores)[:, 0], atol=0.3)
    scaled = learnt(scores[times > 0], 7.0 * times[times > 0], prior=1e-9)
    np.testing.assert_allclose(scaled(scores), weighted(scores))


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.empty((0, 2)), "no background"),
        (np.array([[1.0, 2.0], [1.0, 3.0]]), "is 1 for all background events"),
        (np.array([[1.0, 2.0], [np.nan, 3.0]]), "scores of 1 background events are not finite"),
    ],
)
def test_nothing_to_learn_from(scores: np.ndarray, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        learnt(scores)


@pytest.mark.parametrize(("events", "rows"), [(1, 4), (1000, 5), (100_000, 25)])
def test_cells_are_finer_with_more_events(events: int, rows: int) -> None:
    edges = cell_edges(events, 200.0)
    assert len(edges) == rows
    assert edges[0] == 0
    assert (np.diff(edges) > 0).all()
    shares = -np.diff(np.append(np.exp(-edges), 0))
    np.testing.assert_allclose(shares[:-4], 1 / (rows - 3))
    np.testing.assert_allclose(shares[-4:], np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8]) / (rows - 3))
