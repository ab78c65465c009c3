"""Trigger efficiencies against a variable or the threshold itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hist import Hist

from analysis.binned import Binned, FloatArray, efficiencies, folded


@dataclass(frozen=True)
class EfficiencyCurve:
    """Efficiency of score >= threshold in bins of a variable, shape (n,) each; NaN in empty bins.

    ``low`` and ``high`` bound the central 68% Clopper-Pearson interval on effective
    counts; ``selected`` is the denominator, the sum of weights before the cut.
    ``threshold`` is the edge of the coarse score axis that is nearest to the one asked for.
    """

    threshold: float
    edges: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    selected: FloatArray


def efficiency_against(plane: Hist[Any], threshold: float, merge: int = 1) -> EfficiencyCurve:
    """Efficiency against the second axis of a histogram of (score, variable).

    Overflow of the variable counts as its last bin. ``merge`` bins of the variable become
    one; the last one may be narrower.
    """
    values, variances = folded(plane)
    starts = np.arange(0, values.shape[1], merge)
    values, variances = np.add.reduceat(values, starts, axis=1), np.add.reduceat(variances, starts, axis=1)
    edges = np.asarray(plane.axes[1].edges)
    score_edges = np.asarray(plane.axes[0].edges)
    edge = int(np.argmin(np.abs(score_edges - threshold)))
    total = values.sum(axis=0)
    spread = variances.sum(axis=0)
    n_effective = np.divide(total**2, spread, out=np.zeros_like(total), where=spread > 0)
    value, low, high = efficiencies(values[edge:].sum(axis=0), total, n_effective)
    return EfficiencyCurve(float(score_edges[edge]), np.append(edges[starts], edges[-1]), value, low, high, total)


@dataclass(frozen=True)
class ThresholdScan:
    """Efficiency of score >= threshold at every bin edge, with 68% intervals; shape (n + 1,) each."""

    thresholds: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray


def efficiency_by_threshold(sample: Binned) -> ThresholdScan:
    """Efficiency against the threshold; NaN throughout where the sample is empty."""
    above = sample.above()
    same = np.ones_like(above)
    value, low, high = efficiencies(above, sample.total * same, sample.n_effective * same)
    return ThresholdScan(sample.edges, value, low, high)
