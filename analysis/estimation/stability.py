"""The same figures for several trainings (double-autoencoder paper, section III: five, within 6%)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from analysis.estimation.significance import SM_ONLY, SignificancePoint


@dataclass(frozen=True)
class Stability:
    """Of one signal over trainings.

    Parameters
    ----------
    averages
        Significance of each training, averaged over SM efficiencies (corrected).
    spread
        Their standard deviation over their mean; None where the mean is 0.
    means, deviations
        At each SM efficiency, over trainings.
    """

    averages: tuple[float, ...]
    spread: float | None
    efficiencies: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]


def stability(trainings: Sequence[Mapping[str, Sequence[SignificancePoint]]]) -> dict[str, Stability]:
    """Spread over at least two trainings, by signal."""
    found = {}
    for signal, first in trainings[0].items():
        if signal == SM_ONLY:
            continue
        table = [[point.corrected for point in training[signal]] for training in trainings]
        averages = tuple(fmean(row) for row in table)
        mean = fmean(averages)
        columns = list(zip(*table, strict=True))
        found[signal] = Stability(
            averages,
            stdev(averages) / mean if mean > 0 else None,
            tuple(point.efficiency for point in first),
            tuple(fmean(column) for column in columns),
            tuple(stdev(column) for column in columns),
        )
    return found
