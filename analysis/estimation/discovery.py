"""Significance of an excess in region A, for any number of samples at once.

The paper's (N - B) / sqrt(N), and that of the four-region likelihood, from
q0 = 2 ln [L(best) / L(no signal)] (Cowan et al., arXiv:1007.1727, equation 12).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from analysis.abcd import Regions
from analysis.binned import FloatArray
from analysis.estimation.likelihood import fit_regions

#: Halvings of the interval of the nuisance parameter, which is 2 x _REACH wide.
_HALVINGS, _REACH = 60, 20.0


def simple_significance(observed: float, background: float) -> float:
    """(N - B) / sqrt(N), 0 for a deficit (double-autoencoder paper, section III)."""
    return max(0.0, (observed - background) / float(np.sqrt(observed))) if observed > 0 else 0.0


def fitted_significance(
    counts: NDArray[Any], signal: Regions, *, prescales: Regions | None = None, non_closure: float = 0.0
) -> FloatArray:
    """Significance of the four-region likelihood in standard deviations, 0 where the fitted strength is negative.

    Without signal the model is a 2 x 2 table of given odds ratio, of which the
    maximum-likelihood estimate keeps rows and columns; the nuisance parameter, if any, is found
    by bisection. With signal the model equals the data.

    Parameters
    ----------
    counts, signal, prescales, non_closure
        As for :func:`analysis.estimation.likelihood.fit_regions`.

    Returns
    -------
    array
        Shape (n,); NaN where region D is empty.
    """
    n = np.asarray(counts, dtype=np.float64)
    p = prescales or Regions(1, 1, 1, 1)
    odds = p.b * p.c / (p.a * p.d)
    theta = np.zeros(len(n))
    if non_closure:
        step = np.log1p(non_closure)
        low, high = np.full(len(n), -_REACH), np.full(len(n), _REACH)
        for _ in range(_HALVINGS):
            theta = (low + high) / 2
            slope = theta + step * (_table(n, odds * np.exp(step * theta))[:, 3] - n[:, 3])
            low, high = np.where(slope < 0, theta, low), np.where(slope < 0, high, theta)
        odds = odds * np.exp(step * theta)
    expected = _table(n, odds)
    with np.errstate(divide="ignore", invalid="ignore"):
        q0 = 2 * np.sum(expected - n + xlogy(n, n / expected), axis=1) + np.square(theta)
    strength = fit_regions(n, signal, prescales=prescales, non_closure=non_closure).strength
    return np.where(strength > 0, np.sqrt(np.maximum(q0, 0.0)), np.where(n[:, 3] > 0, 0.0, np.nan))


def _table(n: FloatArray, odds: FloatArray | float) -> FloatArray:
    """The 2 x 2 table with the margins of ``n`` and a d = odds b c, shape (n, 4)."""
    a, b, c, _ = n.T
    total, row, column = n.sum(axis=1), a + b, a + c
    # x (total - row - column + x) = odds (row - x)(column - x).
    square, linear = 1 - np.asarray(odds), total - row - column + odds * (row + column)
    constant = -odds * row * column
    root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0.0))
    x = -2 * constant / (linear + root)
    return np.stack([x, row - x, column - x, total - row - column + x], axis=1)
