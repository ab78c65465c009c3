"""Figures of merit against brute force on event lists."""

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.binned import Binned
from analysis.roc import auroc, fpr_at_tpr, roc_curve

SCORES = hnp.arrays(np.int64, st.integers(2, 40), elements=st.integers(-3, 23))


def binned(scores: np.ndarray, weight: np.ndarray | None = None) -> Binned:
    """Whole-number scores, one bin each from 0 to 19; what lies outside counts as the outermost bins."""
    weight = np.ones(len(scores)) if weight is None else weight
    axis = hist.axis.Regular(20, -0.5, 19.5, name="score")
    return Binned.of(hist.Hist(axis, storage=hist.storage.Weight()).fill(scores, weight=weight))


def weights(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 3.0, n)


def pair_kernel(signal: np.ndarray, background: np.ndarray) -> np.ndarray:
    signal, background = np.clip(signal, 0, 19), np.clip(background, 0, 19)
    kernel: np.ndarray = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
    return kernel


@given(SCORES, SCORES)
def test_auroc_is_delongs_for_unit_weights(signal: np.ndarray, background: np.ndarray) -> None:
    kernel = pair_kernel(signal, background)
    variance = kernel.mean(axis=1).var(ddof=1) / len(signal) + kernel.mean(axis=0).var(ddof=1) / len(background)
    found = auroc(binned(signal), binned(background))
    assert found is not None
    assert found.value == pytest.approx(kernel.mean())
    assert found.uncertainty == pytest.approx(np.sqrt(variance), abs=1e-7)


@given(SCORES, SCORES, st.integers(0, 99))
def test_weighted_auroc(signal: np.ndarray, background: np.ndarray, seed: int) -> None:
    w_s, w_b = weights(len(signal), seed), weights(len(background), seed + 1)
    kernel = pair_kernel(signal, background)
    expected = w_s @ kernel @ w_b / (w_s.sum() * w_b.sum())
    placements_s, placements_b = kernel @ w_b / w_b.sum(), w_s @ kernel / w_s.sum()
    variance = 0.0
    for w, placements in ((w_s, placements_s), (w_b, placements_b)):
        n = w.sum() ** 2 / (w**2).sum()
        variance += (w**2 @ (placements - expected) ** 2) / w.sum() ** 2 * n / (n - 1)
    found = auroc(binned(signal, w_s), binned(background, w_b))
    assert found is not None
    assert found.value == pytest.approx(expected)
    assert found.uncertainty == pytest.approx(np.sqrt(variance), abs=1e-7)


@given(SCORES, SCORES, st.floats(0.05, 0.95), st.integers(0, 99))
def test_fpr_at_tpr(signal: np.ndarray, background: np.ndarray, target: float, seed: int) -> None:
    w_s, w_b = weights(len(signal), seed), weights(len(background), seed + 1)
    found = fpr_at_tpr(binned(signal, w_s), binned(background, w_b), target)
    assert found is not None
    clipped_s, clipped_b = np.clip(signal, 0, 19), np.clip(background, 0, 19)
    tpr = [w_s[clipped_s >= cut].sum() / w_s.sum() for cut in range(20)]
    cut = max(cut for cut in range(20) if tpr[cut] >= target)
    assert found.threshold == pytest.approx(cut - 0.5)
    assert found.tpr == pytest.approx(tpr[cut])
    assert found.fpr.value == pytest.approx(w_b[clipped_b >= cut].sum() / w_b.sum(), abs=1e-12)
    assert found.fpr.low <= found.fpr.value + 1e-12
    assert found.fpr.high >= found.fpr.value - 1e-12


@settings(max_examples=30)
@given(SCORES, SCORES)
def test_roc_curve_runs_from_all_to_nothing(signal: np.ndarray, background: np.ndarray) -> None:
    curve = roc_curve(binned(signal), binned(background))
    assert curve is not None
    assert (curve.tpr[0], curve.fpr[0], curve.tpr[-1], curve.fpr[-1]) == (1, 1, 0, 0)
    assert np.all(np.diff(curve.tpr) <= 0)
    area = -np.trapezoid(curve.tpr, curve.fpr)
    found = auroc(binned(signal), binned(background))
    assert found is not None
    assert area == pytest.approx(found.value)


def test_delong_uncertainty_covers() -> None:
    """The spread of the area over many small samples is the uncertainty that each of them claims."""
    rng = np.random.default_rng(5)
    areas, claimed = [], []
    for _ in range(300):
        w_b = rng.exponential(size=200)
        found = auroc(binned(rng.normal(11, 3, 100).round()), binned(rng.normal(9, 3, 200).round(), w_b))
        assert found is not None
        assert found.uncertainty is not None
        areas.append(found.value)
        claimed.append(found.uncertainty)
    assert np.std(areas) == pytest.approx(np.mean(claimed), rel=0.15)


def test_scaling_all_weights_changes_nothing() -> None:
    signal, background = binned(np.arange(5) + 4), binned(np.arange(12))
    assert auroc(signal, background) == auroc(signal.scaled(4.0), background.scaled(0.25))


def test_empty_samples_have_no_figures() -> None:
    nothing, something = binned(np.array([], dtype=int)), binned(np.array([3, 4]))
    assert auroc(nothing, something) is None
    assert auroc(something, nothing) is None
    assert fpr_at_tpr(nothing, something, 0.4) is None
    assert fpr_at_tpr(something, nothing, 0.4) is None


def test_a_single_event_gives_no_uncertainty() -> None:
    found = auroc(binned(np.array([5])), binned(np.array([3, 4, 6])))
    assert found is not None
    assert found.value == pytest.approx(2 / 3)
    assert found.uncertainty is None
