"""ABCD background estimate on two scores (double-autoencoder paper, equation 3).

A: both scores at or above their thresholds, the signal region; B: the first only;
C: the second only; D: neither. If the two scores are independent in the background,
A = B C / D.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from hist import Hist
from numpy.typing import NDArray

from analysis.binned import FloatArray, Measured, edge_of_at_most, folded, folded_counts, tail


@dataclass(frozen=True)
class Regions:
    """One number for each region."""

    a: float
    b: float
    c: float
    d: float

    def __iter__(self) -> Iterator[float]:
        return iter(astuple(self))

    @property
    def prediction(self) -> float | None:
        """B C / D, what A is in background if the scores are independent; None where D is empty."""
        return self.b * self.c / self.d if self.d else None


def region_of(scores: NDArray[np.floating], thresholds: tuple[float, float]) -> NDArray[np.intp]:
    """Region of each event, 0 to 3 for A to D, shape (n,) from (n, 2); a score passes at or above its cut."""
    region: NDArray[np.intp] = 2 * (scores[:, 0] < thresholds[0]) + (scores[:, 1] < thresholds[1])
    return region


@dataclass(frozen=True)
class Plane:
    """Sums of weights and squared weights over two scores, shape (n, m), with unweighted counts."""

    edges: tuple[FloatArray, FloatArray]
    values: FloatArray
    variances: FloatArray
    counts: FloatArray

    @classmethod
    def of(cls, weighted: Hist[Any], counts: Hist[Any]) -> Plane:
        """A weighted histogram and its unweighted twin; flow bins count as the outermost bins."""
        values, variances = folded(weighted)
        first, second = (np.asarray(axis.edges) for axis in weighted.axes)
        return cls((first, second), values, variances, folded_counts(counts).astype(np.float64))

    def scaled(self, factor: float) -> Plane:
        """The same events, every weight multiplied."""
        return Plane(self.edges, self.values * factor, self.variances * factor**2, self.counts)

    def __add__(self, other: Plane) -> Plane:
        """The events of both."""
        return Plane(
            self.edges, self.values + other.values, self.variances + other.variances, self.counts + other.counts
        )


@dataclass(frozen=True)
class AbcdEstimate:
    """Prediction for region A and how it compares with what is there.

    Parameters
    ----------
    thresholds
        Cuts on the oriented scores, at bin edges.
    efficiencies
        Fraction of the background that passes each cut by itself.
    counts, uncertainties
        Sums of weights and their uncertainties, sqrt(sum w^2).
    events
        Unweighted events.
    predicted
        B C / D; see :func:`abcd_estimate` for empty regions.
    observed
        A.
    closure
        predicted / observed.
    """

    thresholds: tuple[float, float]
    efficiencies: tuple[float | None, float | None]
    counts: Regions
    uncertainties: Regions
    events: Regions
    predicted: Measured | None
    observed: Measured
    closure: Measured | None


def _regions(array: FloatArray, first: int, second: int) -> Regions:
    return Regions(
        float(array[first:, second:].sum()),
        float(array[first:, :second].sum()),
        float(array[:first, second:].sum()),
        float(array[:first, :second].sum()),
    )


def edges_at_efficiency(plane: Plane, target: float) -> tuple[int, int]:
    """Bin edges at which either cut alone keeps ``target`` of the events, or just less."""
    first, second = (tail(plane.values.sum(axis=axis)) for axis in (1, 0))
    return edge_of_at_most(first, target * first[0]), edge_of_at_most(second, target * second[0])


def edges_nearest(plane: Plane, thresholds: tuple[float, float]) -> tuple[int, int]:
    """Bin edges nearest to given thresholds."""
    first, second = (int(np.argmin(np.abs(edges - cut))) for edges, cut in zip(plane.edges, thresholds, strict=True))
    return first, second


def region_counts(plane: Plane, edges: tuple[int, int]) -> Regions:
    """Sum of weights in each region."""
    return _regions(plane.values, *edges)


def abcd_estimate(plane: Plane, edges: tuple[int, int]) -> AbcdEstimate:
    """Predict region A from the other three, and compare.

    Uncertainties are propagated linearly from independent regions of variance sum w^2;
    they are good where every region holds more than about ten events. Where a region is
    empty: without D there is no prediction; with B or C empty the prediction is 0 without
    an uncertainty; without A there is no closure.
    """
    thresholds = float(plane.edges[0][edges[0]]), float(plane.edges[1][edges[1]])
    variances, events = _regions(plane.variances, *edges), _regions(plane.counts, *edges)
    return estimate_of(thresholds, region_counts(plane, edges), variances, events)


def estimate_of(thresholds: tuple[float, float], counts: Regions, variances: Regions, events: Regions) -> AbcdEstimate:
    """As :func:`abcd_estimate`, from sums of weights, sums of squared weights and numbers of events."""
    relative = Regions(*(v / n**2 if n else math.inf for n, v in zip(counts, variances, strict=True)))
    predicted = closure = None
    value = counts.prediction
    if value is not None:
        predicted = _measured(value, relative.b + relative.c + relative.d)
        if counts.a:
            closure = _measured(value / counts.a, sum(relative))
    total = sum(counts)
    return AbcdEstimate(
        thresholds,
        ((counts.a + counts.b) / total, (counts.a + counts.c) / total) if total else (None, None),
        counts,
        Regions(*(math.sqrt(variance) for variance in variances)),
        events,
        predicted,
        Measured(counts.a, math.sqrt(variances.a)),
        closure,
    )


def _measured(value: float, relative_variance: float) -> Measured:
    if not math.isfinite(relative_variance):
        return Measured(value, None)
    return Measured(value, abs(value) * math.sqrt(relative_variance))
