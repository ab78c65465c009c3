"""AUROC over random class-balanced subsets."""

import numpy as np
import pytest

from analysis.evaluation.subsets import Subsets, draw_subsets, subset_aurocs


def draw(n_signal: int, n_background: int, n_events: int = 200, **weights: np.ndarray) -> Subsets:
    subsets = draw_subsets(
        weights.get("signal", np.ones(n_signal)),
        weights.get("background", np.ones(n_background)),
        n_subsets=50,
        n_events=n_events,
        rng=np.random.default_rng(1),
    )
    assert subsets is not None
    return subsets


@pytest.mark.parametrize("decimals", [0, 8])
def test_area_of_every_subset_against_pairs(decimals: int) -> None:
    rng = np.random.default_rng(2)
    signal, background = rng.normal(1, 2, 300).round(decimals), rng.normal(0, 2, 400).round(decimals)
    subsets = draw(300, 400)
    found = subset_aurocs(signal, background, subsets)
    for value, rows_s, rows_b in zip(found, subsets.signal, subsets.background, strict=True):
        s, b = signal[rows_s][:, None], background[rows_b]
        assert value == pytest.approx(((s > b) + 0.5 * (s == b)).mean())


def test_large_samples_give_events_once() -> None:
    subsets = draw(300, 400)
    assert subsets.signal.shape == subsets.background.shape == (50, 100)
    for rows in (*subsets.signal, *subsets.background):
        assert len(set(rows.tolist())) == 100


def test_small_samples_give_no_more_than_they_have() -> None:
    subsets = draw(20, 400)
    assert subsets.signal.shape == subsets.background.shape == (50, 20)
    assert any(len(set(rows.tolist())) < 20 for rows in subsets.signal)
    assert all(len(set(rows.tolist())) == 20 for rows in subsets.background)
    assert draw_subsets(np.ones(1), np.ones(9), n_subsets=2, n_events=10, rng=np.random.default_rng(1)) is None


def test_weights_are_chances() -> None:
    weight = np.ones(1000)
    weight[:500] = 3.0
    weight[0] = -1.0
    subsets = draw(300, 1000, background=weight)
    assert (subsets.background < 500).mean() == pytest.approx(0.75, abs=0.02)
    assert not (subsets.background == 0).any()


def test_spread_is_that_of_the_statistic() -> None:
    rng = np.random.default_rng(3)
    signal, background = rng.normal(1, 1, 20_000), rng.normal(0, 1, 20_000)
    subsets = draw_subsets(np.ones(20_000), np.ones(20_000), n_subsets=500, n_events=2000, rng=np.random.default_rng(4))
    assert subsets is not None
    found = subset_aurocs(signal, background, subsets)
    # Normal distributions one width apart: AUROC is 0.760; its variance from the two classes, by quadrature.
    assert found.mean() == pytest.approx(0.7602, abs=0.003)
    assert found.std() == pytest.approx(0.0106, abs=0.0012)
