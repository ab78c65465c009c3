"""Weighted binned distributions, and the numbers with uncertainties that come from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from hist import Hist
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Rounding of sums of weights must not move a working point by a bin.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Measured:
    """A value with its standard uncertainty; None where the events do not determine one."""

    value: float
    uncertainty: float | None


@dataclass(frozen=True)
class Interval:
    """A value with its central 68% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Binned:
    """Sums of weights and of squared weights, shape (n,) each, between ``edges``, shape (n + 1,)."""

    edges: FloatArray
    values: FloatArray
    variances: FloatArray

    @classmethod
    def of(cls, histogram: Hist[Any]) -> Binned:
        """A one-dimensional weighted histogram; the flow bins count as the outermost bins."""
        values, variances = folded(histogram)
        return cls(np.asarray(histogram.axes[0].edges), values, variances)

    @property
    def total(self) -> float:
        """Sum of weights."""
        return float(self.values.sum())

    @property
    def n_effective(self) -> float:
        """Number of unweighted events of the same relative precision, (sum w)^2 / sum w^2; 0 for no events."""
        variance = float(self.variances.sum())
        return self.total**2 / variance if variance else 0.0

    def above(self) -> FloatArray:
        """Sum of weights at or above each edge, shape (n + 1,): all at the first, 0 at the last."""
        return tail(self.values)

    def scaled(self, factor: float) -> Binned:
        """The same events, every weight multiplied."""
        return Binned(self.edges, self.values * factor, self.variances * factor**2)

    def __add__(self, other: Binned) -> Binned:
        """The events of both."""
        return Binned(self.edges, self.values + other.values, self.variances + other.variances)


def summed(parts: Iterable[Binned]) -> Binned:
    """The events of all."""
    return reduce(Binned.__add__, parts)


def tail(values: NDArray[np.floating[Any]]) -> FloatArray:
    """Sum of all entries from each index on, with a final 0; shape (n + 1,) from (n,)."""
    return np.concatenate([np.cumsum(values[::-1])[::-1], [0.0]])


def folded(histogram: Hist[Any]) -> tuple[FloatArray, FloatArray]:
    """Values and variances of a weighted histogram with the flow bins added to the outermost bins."""
    view: Any = histogram.view(flow=True)
    arrays = [np.array(view["value"]), np.array(view["variance"])]
    for axis in range(histogram.ndim):
        arrays = [_fold(array, axis) for array in arrays]
    return arrays[0], arrays[1]


def folded_counts(histogram: Hist[Any]) -> NDArray[np.int64]:
    """Counts of an unweighted histogram with the flow bins added to the outermost bins."""
    counts = np.array(histogram.view(flow=True))
    for axis in range(histogram.ndim):
        counts = _fold(counts, axis)
    return counts.astype(np.int64)


def _fold(array: NDArray[Any], axis: int) -> NDArray[Any]:
    moved = np.moveaxis(array, axis, 0)
    inner = moved[1:-1].copy()
    inner[0] += moved[0]
    inner[-1] += moved[-1]
    return np.moveaxis(inner, 0, axis)


def efficiencies(
    passed: FloatArray, total: FloatArray, n_effective: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Efficiencies with Clopper-Pearson intervals on effective counts.

    The interval (central, 68%) is that of ``n_effective`` unweighted events of which the
    same fraction passed. Assumption: events that pass and events that fail carry weights
    of one distribution. Efficiencies are clipped to 0 and 1, which negative weights may
    exceed.

    Parameters
    ----------
    passed, total
        Sums of weights, shape (n,).
    n_effective
        Effective number of events in ``total``, shape (n,).

    Returns
    -------
    tuple of arrays
        Efficiency, lower and upper end, shape (n,) each; NaN where there are no events.
    """
    # Not with the others: it brings scipy.stats, for which every worker process would wait a second.
    from hist.intervals import clopper_pearson_interval  # noqa: PLC0415

    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.clip(np.where(n_effective > 0, passed / total, np.nan), 0.0, 1.0)
        low, high = clopper_pearson_interval(value * n_effective, n_effective)
    # The quantile is undefined at the ends: nothing passed, everything passed.
    return value, np.where(value == 0, 0.0, low), np.where(value == 1, 1.0, high)


def efficiency(passed: float, total: float, n_effective: float) -> Interval | None:
    """One efficiency as in :func:`efficiencies`; None without events."""
    if not n_effective > 0:
        return None
    value, low, high = efficiencies(np.array([passed]), np.array([total]), np.array([n_effective]))
    return Interval(float(value[0]), float(low[0]), float(high[0]))


def edge_of_at_least(above: FloatArray, target: float) -> int:
    """Index of the highest edge above which at least ``target`` lies."""
    return int(np.flatnonzero(above >= target - _TOLERANCE * abs(above[0]))[-1])


def edge_of_at_most(above: FloatArray, target: float) -> int:
    """Index of the lowest edge above which at most ``target`` lies: a budget is never exceeded."""
    beyond = np.flatnonzero(above > target + _TOLERANCE * abs(above[0]))
    return int(beyond[-1]) + 1 if len(beyond) else 0
