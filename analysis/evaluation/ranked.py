"""Samples of events as histograms with one bin for each value, so that every figure of merit is exact."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from analysis.binned import Binned, FloatArray
from analysis.roc import RocCurve

#: Steps of a drawn curve, in signal efficiency and in each decade of background efficiency.
_TPR_STEPS, _FPR_STEPS = 500, 200


def value_edges(samples: Iterable[NDArray[np.floating]]) -> FloatArray:
    """Every value that occurs in any sample, ascending, and an end above the last; shape (n + 1,)."""
    values = np.unique(np.concatenate([np.asarray(sample, dtype=np.float64) for sample in samples]))
    return np.append(values, np.nextafter(values[-1], np.inf) if len(values) else 0.0)


def ranked(values: NDArray[np.floating], weight: NDArray[np.floating], edges: FloatArray) -> Binned:
    """Sums of weights at each value of :func:`value_edges`."""
    index = bins_of(values, edges)
    n, w = len(edges) - 1, np.asarray(weight, dtype=np.float64)
    return Binned(edges, *(np.bincount(index, x, n).astype(np.float64, copy=False) for x in (w, np.square(w))))


def bins_of(values: NDArray[np.floating], edges: FloatArray) -> NDArray[np.intp]:
    """Bin of each value that is among the edges."""
    return np.searchsorted(edges[:-1], np.asarray(values, dtype=np.float64))


def thinned(curve: RocCurve) -> RocCurve:
    """A curve of as many points as can be told apart on a logarithmic plot."""
    with np.errstate(divide="ignore"):
        steps = np.stack([_TPR_STEPS * curve.tpr, _FPR_STEPS * np.log10(np.maximum(curve.fpr, 1e-12))])
    moved = np.any(np.diff(np.floor(steps), axis=1) != 0, axis=0)
    kept = np.concatenate([moved, [True]]) | np.concatenate([[True], moved])
    return RocCurve(curve.thresholds[kept], curve.tpr[kept], curve.fpr[kept])
