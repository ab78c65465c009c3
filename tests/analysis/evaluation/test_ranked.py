"""Exact figures of merit from event lists."""

import numpy as np
import pytest

from analysis.evaluation.ranked import bins_of, ranked, thinned, value_edges
from analysis.roc import auroc, fpr_at_tpr, roc_curve


def samples() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    signal, background = rng.normal(1, 1, 300).round(1), rng.normal(0, 1, 500).round(1)
    return signal, background, rng.uniform(0.5, 2, 300), rng.exponential(1, 500)


def test_figures_against_pairs_of_events() -> None:
    signal, background, w_s, w_b = samples()
    edges = value_edges([signal, background])
    pair = ranked(signal, w_s, edges), ranked(background, w_b, edges)
    kernel = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
    area = auroc(*pair)
    assert area is not None
    assert area.value == pytest.approx(w_s @ kernel @ w_b / (w_s.sum() * w_b.sum()))
    point = fpr_at_tpr(*pair, 0.4)
    assert point is not None
    cut = max(t for t in signal if w_s[signal >= t].sum() >= 0.4 * w_s.sum())
    assert point.threshold == cut
    assert point.fpr.value == pytest.approx(w_b[background >= cut].sum() / w_b.sum())
    np.testing.assert_array_equal(edges[bins_of(signal, edges)], signal)


def test_thinning_keeps_the_ends_and_the_shape() -> None:
    rng = np.random.default_rng(2)
    signal, background = rng.normal(1, 1, 20_000), rng.normal(0, 1, 30_000)
    edges = value_edges([signal, background])
    curve = roc_curve(ranked(signal, np.ones(20_000), edges), ranked(background, np.ones(30_000), edges))
    assert curve is not None
    thin = thinned(curve)
    assert len(thin.tpr) < 3500
    assert (thin.tpr[0], thin.fpr[0], thin.tpr[-1], thin.fpr[-1]) == (1, 1, 0, 0)
    found = np.interp(curve.thresholds, thin.thresholds, thin.tpr)
    np.testing.assert_allclose(found, curve.tpr, atol=2.1e-3)


def test_no_events() -> None:
    edges = value_edges([np.empty(0), np.empty(0)])
    assert ranked(np.empty(0), np.empty(0), edges).n_effective == 0
