"""ROC curves and their figures of merit from binned, weighted distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.binned import Binned, FloatArray, Interval, Measured, edge_of_at_least, efficiency, tail


@dataclass(frozen=True)
class RocCurve:
    """Signal and background efficiency of the cut score >= threshold, for each bin edge; shape (n + 1,) each."""

    thresholds: FloatArray
    tpr: FloatArray
    fpr: FloatArray


@dataclass(frozen=True)
class FprAtTpr:
    """False positive rate at a working point.

    ``tpr`` is what the threshold gives, at least the target; ``threshold`` is on the
    oriented score.
    """

    target_tpr: float
    tpr: float
    threshold: float
    fpr: Interval


def roc_curve(signal: Binned, background: Binned) -> RocCurve | None:
    """Efficiencies at every bin edge; None where either sample is empty."""
    if not (signal.n_effective and background.n_effective):
        return None
    return RocCurve(signal.edges, signal.above() / signal.total, background.above() / background.total)


def auroc(signal: Binned, background: Binned) -> Measured | None:
    r"""Area under the ROC curve with its DeLong uncertainty.

    With :math:`P_i` the fraction of background below signal bin i (half of its own bin
    counted) and :math:`Q_j` the fraction of signal above background bin j, the area is the
    weighted mean of either, and its variance

    .. math::
        \frac{m}{m-1} \frac{\sum_i w^2_i (P_i - A)^2}{(\sum_i w_i)^2} +
        \frac{n}{n-1} \frac{\sum_j w^2_j (Q_j - A)^2}{(\sum_j w_j)^2},

    where m and n are the effective numbers of events. For unit weights this is the
    variance of DeLong et al., Biometrics 44 (1988) 837. Assumptions: events are
    independent, and weights are not random given the score. Events of one bin are ties,
    so that the area errs by at most half the chance that a pair shares a bin. The
    uncertainty is 0 where the samples do not overlap, which says that they are small, not
    that the area is known.

    Returns
    -------
    Measured or None
        None where either sample is empty; no uncertainty where one has a single
        effective event.
    """
    if not (signal.n_effective and background.n_effective):
        return None
    below, above = placements(signal, background)
    area = float(signal.values @ below / signal.total)
    variance = _variance_of_mean(signal, below - area) + _variance_of_mean(background, above - area)
    return Measured(area, math.sqrt(variance) if math.isfinite(variance) else None)


def placements(signal: Binned, background: Binned) -> tuple[FloatArray, FloatArray]:
    """Fraction of background below each bin, and of signal above it, half of the bin counted; shape (n,) each."""
    below = (background.total - tail(background.values)[:-1] + background.values / 2) / background.total
    above = (tail(signal.values)[1:] + signal.values / 2) / signal.total
    return below, above


def _variance_of_mean(sample: Binned, deviation: FloatArray) -> float:
    n = sample.n_effective
    if n <= 1 + 1e-9:
        return math.inf
    return float(sample.variances @ np.square(deviation)) / sample.total**2 * n / (n - 1)


def fpr_at_tpr(signal: Binned, background: Binned, target_tpr: float) -> FprAtTpr | None:
    """False positive rate at the highest bin edge that keeps ``target_tpr`` of the signal.

    The interval is Clopper-Pearson on effective background counts, at that threshold; the
    finite signal sample, which fixes the threshold, does not enter it.

    Returns
    -------
    FprAtTpr or None
        None where either sample is empty.
    """
    curve = roc_curve(signal, background)
    if curve is None:
        return None
    edge = edge_of_at_least(curve.tpr, target_tpr)
    fpr = efficiency(float(background.above()[edge]), background.total, background.n_effective)
    if fpr is None:
        return None
    return FprAtTpr(target_tpr, float(curve.tpr[edge]), float(curve.thresholds[edge]), fpr)
