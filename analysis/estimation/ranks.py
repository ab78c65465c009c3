"""Scores as background efficiencies, and the diagonal cut (double-autoencoder paper, section III)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray

#: Rounding of sums of weights must not move a threshold by an event.
_TOLERANCE = 1e-12


class Survival:
    """Fraction of the background at or above a value.

    Parameters
    ----------
    values, weight
        Of the background, shape (n,) each; not negative weights, some positive.
    """

    def __init__(self, values: NDArray[np.floating], weight: FloatArray) -> None:
        order = np.argsort(values, kind="stable")
        self._values = np.asarray(values, dtype=np.float64)[order]
        above = np.cumsum(weight[order][::-1])[::-1]
        self._above = np.append(above / above[0], 0.0)

    def __call__(self, values: NDArray[np.floating]) -> FloatArray:
        """Background efficiency of a cut at each value, shape of ``values``; 0 above all background."""
        return self._above[np.searchsorted(self._values, values, side="left")]

    def threshold(self, target: float) -> float:
        """Lowest value at which a cut keeps at most ``target`` of the background; beyond all values where none does."""
        distinct = np.flatnonzero(np.append(True, np.diff(self._values) > 0))
        passing = distinct[self._above[distinct] <= target + _TOLERANCE]
        return float(self._values[passing[0]]) if len(passing) else float(np.nextafter(self._values[-1], np.inf))


class Diagonal:
    """Both scores cut at the same background efficiency.

    An event's diagonal score is the smallest of its two scores, each taken as minus the
    efficiency of a cut there: the tightest common cut that it passes.

    Parameters
    ----------
    scores, weight
        Of the background, shape (n, 2) and (n,).
    """

    def __init__(self, scores: FloatArray, weight: FloatArray) -> None:
        self.single = Survival(scores[:, 0], weight), Survival(scores[:, 1], weight)
        self.joint = Survival(self.score(scores), weight)

    def efficiencies(self, scores: FloatArray) -> FloatArray:
        """Background efficiency of a cut at each score alone, shape (n, 2)."""
        return np.stack([survival(column) for survival, column in zip(self.single, scores.T, strict=True)], axis=1)

    def score(self, scores: FloatArray) -> FloatArray:
        """Minus the larger of the two background efficiencies, shape (n,)."""
        largest: FloatArray = self.efficiencies(scores).max(axis=1)
        return -largest

    def thresholds(self, target: float) -> tuple[float, float]:
        """Cuts of equal background efficiency that together keep ``target`` of the background, or just less."""
        each = -self.joint.threshold(target)
        return self.single[0].threshold(each), self.single[1].threshold(each)
