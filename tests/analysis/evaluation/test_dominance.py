"""Almost stochastic order on distributions with known answers."""

import numpy as np
import pytest
from scipy.stats import norm

from analysis.evaluation.dominance import (
    almost_stochastic_order,
    epsilon_min,
    violation_ratio,
    with_resamples,
)


def normal(mean: float, width: float, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, width, n)


def true_ratio(shift: float, width: float) -> float:
    """Of N(shift, 1) above N(0, 1 + width): the quantiles differ by a normal variable, N(shift, width)."""
    below = (shift**2 + width**2) * norm.cdf(-shift / width) - shift * width * norm.pdf(shift / width)
    return float(below / (shift**2 + width**2))


def test_clear_cases() -> None:
    better, worse = normal(0.9, 0.01, 1000, 1), normal(0.8, 0.02, 1000, 2)
    assert almost_stochastic_order(better, worse, seed=3) < 1e-6
    assert almost_stochastic_order(worse, better, seed=3) > 1 - 1e-6
    assert almost_stochastic_order(normal(0, 1, 1000, 1), normal(0, 1, 1000, 2), seed=3) > 0.5
    assert almost_stochastic_order(better, better, seed=3) >= 0.5


@pytest.mark.parametrize(("shift", "width"), [(0.0, 1.0), (0.5, 1.0), (1.0, 0.5), (-0.3, 2.0)])
def test_violation_ratio_of_normals(shift: float, width: float) -> None:
    quantiles = norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    found = violation_ratio(shift + quantiles, (1 + width) * quantiles)
    # Above, the second is wider: its upper tail crosses the first one.
    assert found == pytest.approx(true_ratio(shift, width), abs=1e-3)


def test_samples_of_different_sizes() -> None:
    # Quantiles 0, 0, 3, 3, 3, 3 and 1, 1, 1, 2, 2, 2 in sixths: violated where 0 < 1.
    assert violation_ratio(np.array([0.0, 3.0, 3.0]), np.array([1.0, 2.0])) == pytest.approx(2 / (2 + 4 + 1 + 1 + 1))
    first, second = np.sort(normal(0, 1, 30, 1)), np.sort(normal(0.1, 1, 20, 2))
    repeated = violation_ratio(np.repeat(first, 2), np.repeat(second, 3))
    assert violation_ratio(first, second) == pytest.approx(repeated)


def test_both_directions_add_up() -> None:
    rng = np.random.default_rng(1)
    first, second = with_resamples(normal(0.1, 1, 100, 1), 50, rng), with_resamples(normal(0, 1, 100, 2), 50, rng)
    assert violation_ratio(first, second) + violation_ratio(second, first) == pytest.approx(np.ones(51))
    one, other = epsilon_min(first, second, 0.5)
    assert one + other == pytest.approx(1)


def test_limit_covers_the_truth_and_the_bootstrap_knows_the_spread() -> None:
    truth, trials = true_ratio(0.5, 1.0), 100
    limits, ratios, spreads = [], [], []
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        first = with_resamples(rng.normal(0.5, 1, 1000), 100, rng)
        second = with_resamples(rng.normal(0, 2, 1000), 100, rng)
        found = violation_ratio(first, second)
        ratios.append(found[0])
        spreads.append(found[1:].std())
        limits.append(epsilon_min(first, second, 0.9)[0])
    assert np.mean(spreads) == pytest.approx(np.std(ratios), rel=0.2)
    # Of 2000 trials, 0.887 are covered; of 100, that has a standard deviation of 0.032.
    assert np.mean(np.array(limits) >= truth) == pytest.approx(0.887, abs=0.08)


def test_the_seed_decides() -> None:
    first, second = normal(0.2, 1, 200, 1), normal(0, 1, 200, 2)
    values = [almost_stochastic_order(first, second, seed=seed, n_bootstraps=100) for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
