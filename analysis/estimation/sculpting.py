"""Does the trigger sculpt what it should not look at: scores and efficiency against H_T, tracks and pile-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.abcd import region_of
from analysis.binned import FloatArray, efficiencies
from analysis.estimation.events import Events
from analysis.estimation.regions import Thresholds

#: Bins of equal background; the last one ends here in its sum, and holds what lies beyond.
_BINS, _LAST = 8, 0.99

#: What is given of a score in each.
QUANTILES = (0.16, 0.5, 0.84)


@dataclass(frozen=True)
class Sculpting:
    """Of one variable, in bins of n.

    Parameters
    ----------
    edges
        Shape (n + 1,).
    quantiles
        Of each score of the background, shape (n, 3): 16, 50 and 84%.
    efficiency, low, high
        Of the signal region, with its 68% interval, shape (n,).
    overall
        Its efficiency for all background.
    correlation
        Weighted rank correlation (Spearman) of each score with the variable.
    """

    variable: str
    edges: FloatArray
    quantiles: tuple[FloatArray, FloatArray]
    efficiency: FloatArray
    low: FloatArray
    high: FloatArray
    overall: float
    correlation: tuple[float, float]


def sculpting(background: Events, thresholds: Thresholds) -> list[Sculpting]:
    """Profiles against every variable."""
    passed = region_of(background.scores[0], thresholds) == 0
    return [_profile(name, background, passed) for name in background.variables]


def _profile(name: str, events: Events, passed: np.ndarray) -> Sculpting:
    values, weight, scores = events.variables[name], events.weight, events.scores[0]
    levels = np.minimum(np.linspace(0, 1, _BINS + 1), _LAST)
    edges = np.unique(weighted_quantiles(values, weight, levels))
    if len(edges) < 2:
        edges = np.array([values.min(), values.min() + 1.0])
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    n = len(edges) - 1
    total, squared, accepted = (
        np.bincount(index, x, n).astype(np.float64, copy=False) for x in (weight, np.square(weight), weight * passed)
    )
    n_effective = np.divide(total**2, squared, out=np.zeros_like(total), where=squared > 0)
    value, low, high = efficiencies(accepted, total, n_effective)
    quantiles = [
        np.array([weighted_quantiles(score[index == i], weight[index == i], QUANTILES) for i in range(n)])
        for score in scores.T
    ]
    return Sculpting(
        name,
        edges,
        (quantiles[0], quantiles[1]),
        value,
        low,
        high,
        float(weight[passed].sum() / weight.sum()),
        (rank_correlation(scores[:, 0], values, weight), rank_correlation(scores[:, 1], values, weight)),
    )


def weighted_quantiles(values: FloatArray, weight: FloatArray, levels: FloatArray | tuple[float, ...]) -> FloatArray:
    """Values below which the given shares of the weight lie, shape of ``levels``; NaN without events."""
    if not len(values) or not weight.sum() > 0:
        return np.full(len(levels), np.nan)
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order])
    index = np.searchsorted(share / share[-1], np.asarray(levels) - 1e-12)
    return np.asarray(values, dtype=np.float64)[order][np.minimum(index, len(values) - 1)]


def rank_correlation(first: FloatArray, second: FloatArray, weight: FloatArray) -> float:
    """Correlation of weighted mid-ranks; 0 where either is constant."""
    ranks = [_mid_ranks(values, weight) for values in (first, second)]
    centred = [rank - np.average(rank, weights=weight) for rank in ranks]
    products = [float(weight @ (x * y)) for x, y in ((*centred,), (centred[0],) * 2, (centred[1],) * 2)]
    scale = float(np.sqrt(products[1] * products[2]))
    return products[0] / scale if scale else 0.0


def _mid_ranks(values: FloatArray, weight: FloatArray) -> FloatArray:
    distinct, index = np.unique(values, return_inverse=True)
    share = np.bincount(index, weight, len(distinct))
    return (np.cumsum(share) - share / 2)[index]
