"""Significance improvement characteristic: TPR / sqrt(FPR) (double-autoencoder paper, figures 1 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from analysis.evaluation.ranked import ranked, value_edges
from analysis.roc import roc_curve

#: Curves end where fewer (effective) background events than this pass: beyond, SIC is noise.
LEAST_BACKGROUND = 25.0


@dataclass(frozen=True)
class SicCurve:
    """SIC against signal efficiency, shape (n,) each, in order of rising efficiency.

    ``uncertainty`` is that of the finite simulated samples.
    """

    tpr: FloatArray
    fpr: FloatArray
    sic: FloatArray
    uncertainty: FloatArray


@dataclass(frozen=True)
class SicAt:
    """SIC at a background efficiency (at most ``fpr``), or the best on the curve."""

    fpr: float
    tpr: float
    sic: float
    uncertainty: float


def sic_curve(
    signal: tuple[NDArray[np.floating], FloatArray], background: tuple[NDArray[np.floating], FloatArray]
) -> SicCurve | None:
    """SIC of a score.

    Parameters
    ----------
    signal, background
        Oriented scores and weights, shape (n,) each.

    Returns
    -------
    SicCurve or None
        None where either sample is empty, or too little background for any point.
    """
    edges = value_edges([signal[0], background[0]])
    binned = [ranked(np.asarray(values), weight, edges) for values, weight in (signal, background)]
    curve = roc_curve(binned[0], binned[1])
    if curve is None:
        return None
    n_signal, n_background = (sample.n_effective for sample in binned)
    kept = (curve.fpr * n_background >= LEAST_BACKGROUND) & (curve.tpr > 0)
    if not kept.any():
        return None
    tpr, fpr = np.minimum(curve.tpr[kept][::-1], 1.0), np.minimum(curve.fpr[kept][::-1], 1.0)
    sic = tpr / np.sqrt(fpr)
    relative = (1 - tpr) / (tpr * n_signal) + (1 - fpr) / (4 * fpr * n_background)
    return SicCurve(tpr, fpr, sic, sic * np.sqrt(relative))


def sic_at(curve: SicCurve, fpr: float) -> SicAt | None:
    """SIC at the loosest cut of at most this background efficiency; None beyond the curve's end."""
    allowed = np.flatnonzero(curve.fpr <= fpr * (1 + 1e-9))
    return _at(curve, int(allowed[-1])) if len(allowed) else None


def best_sic(curve: SicCurve) -> SicAt:
    """The curve's maximum."""
    return _at(curve, int(np.argmax(curve.sic)))


def _at(curve: SicCurve, index: int) -> SicAt:
    return SicAt(*(float(array[index]) for array in (curve.fpr, curve.tpr, curve.sic, curve.uncertainty)))


@dataclass(frozen=True)
class SicMap:
    """SIC for pairs of cuts, each given by the background efficiency of the cut alone; NaN with too little background.

    ``sic`` has shape (n, n), first score along the first axis.
    """

    efficiencies: FloatArray
    sic: FloatArray


def sic_map(
    signal: tuple[FloatArray, FloatArray], background: tuple[FloatArray, FloatArray], efficiencies: Sequence[float]
) -> SicMap:
    """SIC over a grid of both cuts.

    Parameters
    ----------
    signal, background
        Background efficiency of a cut at each event's scores (:class:`~analysis.estimation.ranks.Survival`),
        shape (n, 2), and weights, shape (n,).
    efficiencies
        Grid, ascending.
    """
    # A cut keeps what lies at its efficiency too, while a bin leaves out its upper edge.
    edges = np.concatenate([[-1.0], np.nextafter(np.asarray(efficiencies), 2.0)])
    passing = []
    for ranks, weight in (signal, background, (background[0], np.square(background[1]))):
        filled, _, _ = np.histogram2d(ranks[:, 0], ranks[:, 1], bins=(edges, edges), weights=weight)
        passing.append(np.cumsum(np.cumsum(filled, axis=0), axis=1))
    tpr, fpr = passing[0] / signal[1].sum(), passing[1] / background[1].sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        enough = np.square(passing[1]) / passing[2] >= LEAST_BACKGROUND
        return SicMap(np.asarray(efficiencies, dtype=np.float64), np.where(enough, tpr / np.sqrt(fpr), np.nan))
