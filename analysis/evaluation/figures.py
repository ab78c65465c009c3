"""AUROC and false positive rate of every score, exact, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from analysis.binned import Binned, FloatArray, Measured
from analysis.evaluation.ranked import ranked, value_edges
from analysis.evaluation.rows import Benchmark, Column, Row
from analysis.evaluation.samples import BACKGROUND, Key, Sample
from analysis.roc import FprAtTpr, auroc, fpr_at_tpr


@dataclass(frozen=True)
class Estimate:
    """A figure with its central 68% interval and its standard deviation over seeds, per cent.

    ``low`` and ``high`` are None where events do not determine them, ``spread`` where there
    is one seed.
    """

    value: float
    low: float | None = None
    high: float | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Figures:
    """Of one score against one benchmark, for each seed; None where events do not determine a figure."""

    auroc: tuple[Estimate | None, ...]
    fpr: tuple[Estimate | None, ...]
    rejection: tuple[Estimate | None, ...] = ()


def known(column: Column, sample: Sample) -> tuple[NDArray[np.float32], FloatArray]:
    """Values and weights of the events of which the score is known."""
    values = sample.scores[column]
    there = ~np.isnan(values)
    return values[there], sample.weight[there]


def binned_by_value(column: Column, samples: Mapping[Key, Sample]) -> dict[Key, Binned]:
    """Every sample's distribution of a score, one bin a value."""
    events = {key: known(column, sample) for key, sample in samples.items()}
    edges = value_edges(values for values, _ in events.values())
    return {key: ranked(values, weight, edges) for key, (values, weight) in events.items()}


def figures_of(
    row: Row,
    samples: Mapping[Key, Sample],
    benchmarks: Mapping[Key, Benchmark],
    target_tpr: float,
    rejection_tpr: float,
) -> dict[Benchmark, Figures]:
    """Figures of one score for every benchmark."""
    by_seed = [binned_by_value(column, samples) for column in row.columns]
    return {
        benchmark: Figures(
            tuple(_area(auroc(binned[key], binned[BACKGROUND])) for binned in by_seed),
            tuple(_rate(fpr_at_tpr(binned[key], binned[BACKGROUND], target_tpr)) for binned in by_seed),
            tuple(_rejection(fpr_at_tpr(binned[key], binned[BACKGROUND], rejection_tpr)) for binned in by_seed),
        )
        for key, benchmark in benchmarks.items()
    }


def _area(item: Measured | None) -> Estimate | None:
    if item is None:
        return None
    if item.uncertainty is None:
        return Estimate(100 * item.value)
    low, high = item.value - item.uncertainty, item.value + item.uncertainty
    return Estimate(100 * item.value, 100 * max(0.0, low), 100 * min(1.0, high))


def _rate(item: FprAtTpr | None) -> Estimate | None:
    return None if item is None else Estimate(100 * item.fpr.value, 100 * item.fpr.low, 100 * item.fpr.high)


def _rejection(item: FprAtTpr | None) -> Estimate | None:
    """Inverse of the false positive rate; None where no background event is left to tell it."""
    if item is None or item.fpr.value == 0:
        return None
    return Estimate(1 / item.fpr.value, 1 / item.fpr.high, 1 / item.fpr.low if item.fpr.low > 0 else None)


def averaged(estimates: Sequence[Estimate | None]) -> Estimate | None:
    """Mean of figures that share their background events, as those of several masses or seeds do.

    The interval is the mean of the intervals, as if they were fully correlated: never too
    narrow. None where any figure is missing.
    """
    present = [item for item in estimates if item is not None]
    if not present or len(present) < len(estimates):
        return None
    ends = [
        fmean(end for end in side if end is not None) if None not in side else None
        for side in ([item.low for item in present], [item.high for item in present])
    ]
    return Estimate(fmean(item.value for item in present), *ends)


def over_seeds(estimates: Sequence[Estimate | None]) -> Estimate | None:
    """Mean over seeds, with the standard deviation between them."""
    mean = averaged(estimates)
    if mean is None or len(estimates) < 2:
        return mean
    return Estimate(mean.value, mean.low, mean.high, stdev(item.value for item in estimates if item is not None))
