"""Distance correlation of two scores (double-autoencoder paper, equation 2; Székely et al. 2007)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.binned import FloatArray

#: Rows of the matrix of distances that exist at a time.
_BLOCK = 512


@dataclass(frozen=True)
class DistanceCorrelation:
    """Of ``events`` events; ``squared`` is what the paper's loss holds, ``root`` its square root."""

    squared: float
    root: float
    events: int


def distance_correlation(first: FloatArray, second: FloatArray, weight: FloatArray) -> DistanceCorrelation:
    r"""Distance correlation of two variables, weighted.

    With a, b the matrices of absolute differences, and all means weighted,

    .. math::
        \mathrm{dCov}^2(x, y) = \overline{a_{ij} b_{ij}} - 2\, \overline{\bar a_i \bar b_i} + \bar a \bar b,
        \qquad \mathrm{squared} = \mathrm{dCov}^2(x, y) / \sqrt{\mathrm{dVar}(x)\, \mathrm{dVar}(y)},

    which for unit weights is ``dcor.distance_correlation_sqr`` (the biased estimator: independent
    variables of n events give some 1/n, not 0). Only the first mean needs every pair, in blocks of
    rows: memory is linear in n, time quadratic.

    Parameters
    ----------
    first, second, weight
        Shape (n,); not negative weights, some positive.
    """
    share = weight / weight.sum()
    means = _mean_distances(first, share), _mean_distances(second, share)
    totals = share @ means[0], share @ means[1]
    joint = 0.0
    for start in range(0, len(first), _BLOCK):
        rows = slice(start, start + _BLOCK)
        product = np.abs(first[rows, None] - first)
        product *= np.abs(second[rows, None] - second)
        joint += float(share[rows] @ (product @ share))
    covariance = joint - 2 * float((share * means[0]) @ means[1]) + float(totals[0] * totals[1])
    variances = [
        _mean_square(values, share) - 2 * float(share @ np.square(mean)) + float(total) ** 2
        for values, mean, total in zip((first, second), means, totals, strict=True)
    ]
    scale = math.sqrt(max(0.0, variances[0]) * max(0.0, variances[1]))
    squared = max(0.0, covariance) / scale if scale else 0.0
    return DistanceCorrelation(squared, math.sqrt(squared), len(first))


def _mean_distances(values: FloatArray, share: FloatArray) -> FloatArray:
    """Weighted mean distance of each value to all, by sorting."""
    order = np.argsort(values, kind="stable")
    x, w = values[order], share[order]
    below, moment = np.cumsum(w), np.cumsum(w * x)
    sums = x * (2 * below - 1.0) - 2 * moment + moment[-1]
    means: FloatArray = np.empty_like(sums)
    means[order] = sums
    return means


def _mean_square(values: FloatArray, share: FloatArray) -> float:
    """Weighted mean of the squared distance over all pairs."""
    centred = values - share @ values
    return 2.0 * float(share @ np.square(centred))
