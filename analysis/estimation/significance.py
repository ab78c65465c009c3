"""Significance of an injected signal against SM efficiency (double-autoencoder paper, figure 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.abcd import Regions
from analysis.binned import FloatArray
from analysis.estimation.closure import ClosureScan
from analysis.estimation.discovery import fitted_significance, simple_significance
from analysis.estimation.events import Dataset
from analysis.estimation.experiments import Truth, closing
from analysis.estimation.ranks import Diagonal, Survival
from analysis.estimation.regions import Thresholds, added, fractions, scaled, sums_in_regions


@dataclass(frozen=True)
class Sample:
    """Expected events of a sample in the four regions: its background, and its signal (all zero without)."""

    thresholds: Thresholds
    background: Regions
    signal: Regions

    @property
    def total(self) -> Regions:
        """Background and signal."""
        return added(self.background, self.signal)


@dataclass(frozen=True)
class SignificancePoint:
    """Significances at one SM efficiency, both cuts at the same background efficiency.

    Parameters
    ----------
    efficiency
        SM efficiency of the signal region.
    corrected
        (N - B) / sqrt(N) with the true background.
    uncorrected
        The same with B C / D of the contaminated sample.
    fitted
        Of the four-region likelihood, expected (Asimov).
    single
        (N - B) / sqrt(N) of the single autoencoder at the same SM efficiency, with the true
        background; None without one.
    """

    efficiency: float
    corrected: float
    uncorrected: float
    fitted: float
    single: float | None


def expected_sample(
    dataset: Dataset,
    signal: str | None,
    thresholds: Thresholds,
    events: float,
    fraction: float,
    truth: Truth,
) -> Sample:
    """Expected events of a sample.

    Parameters
    ----------
    dataset
        Simulated events.
    signal
        Name of the signal; background alone where None.
    thresholds
        Cuts.
    events
        In the whole sample.
    fraction
        Of them that are signal.
    truth
        Background as simulated, or with B C / D in region A.
    """
    share = 0.0 if signal is None else fraction
    background = scaled(fractions(sums_in_regions(*dataset.background.pair, thresholds)), events * (1 - share))
    none = Regions(0.0, 0.0, 0.0, 0.0)
    injected = none if signal is None else fractions(sums_in_regions(*dataset.signals[signal].pair, thresholds))
    return Sample(
        thresholds,
        closing(background) if truth == "closing" else background,
        scaled(injected, events * share),
    )


def non_closure_at(scans: Sequence[ClosureScan], efficiency: float, given: float | None) -> float:
    """Relative uncertainty of the ABCD relation: as given, or the scan's at the nearest efficiency."""
    if given is not None:
        return given
    nearest = min(scans, key=lambda scan: abs(np.log(scan.efficiency / efficiency)), default=None)
    return 0.0 if nearest is None else nearest.non_closure


def significance_point(
    sample: Sample, efficiency: float, non_closure: float, single: float | None
) -> SignificancePoint:
    """Every significance of a sample; the fitted one is 0 without signal."""
    total = sample.total
    fitted = 0.0
    if sample.signal.a > 0:
        counts = np.array([list(total)])
        fitted = float(np.nan_to_num(fitted_significance(counts, sample.signal, non_closure=non_closure)[0]))
    return SignificancePoint(
        efficiency,
        simple_significance(total.a, sample.background.a),
        simple_significance(total.a, total.prediction or 0.0),
        fitted,
        single,
    )


def single_significance(
    survival: Survival, signal: tuple[FloatArray, FloatArray], efficiency: float, events: float, fraction: float
) -> float:
    """(N - B) / sqrt(N) of one score alone; ``signal`` are scores and weights, shape (n,)."""
    values, weight = signal
    cut = survival.threshold(efficiency)
    background = events * (1 - fraction) * float(survival(np.array([cut]))[0])
    passed = events * fraction * float(weight[values >= cut].sum() / weight.sum())
    return simple_significance(background + passed, background)


def significances(
    dataset: Dataset,
    diagonal: Diagonal,
    efficiencies: Sequence[float],
    *,
    events: float,
    fraction: float,
    truth: Truth,
    non_closure: Mapping[float, float],
    single: int | None = None,
) -> dict[str, list[SignificancePoint]]:
    """Significances for every signal, and for the background alone under ``SM only``.

    Parameters
    ----------
    dataset, events, fraction, truth
        As for :func:`expected_sample`.
    diagonal
        Of the background.
    efficiencies
        SM efficiencies.
    non_closure
        Relative uncertainty of the ABCD relation at each.
    single
        Which of the dataset's score choices is the single autoencoder; None without one.
    """
    background = dataset.background
    survival = None if single is None else Survival(background.scores[single][:, 0], background.weight)
    found: dict[str, list[SignificancePoint]] = {}
    for name in (None, *dataset.signals):
        for efficiency in efficiencies:
            thresholds = diagonal.thresholds(efficiency)
            sample = expected_sample(dataset, name, thresholds, events, fraction, truth)
            alone = None
            if survival is not None and single is not None and name is not None:
                mine = dataset.signals[name]
                alone = single_significance(
                    survival, (mine.scores[single][:, 0], mine.weight), efficiency, events, fraction
                )
            point = significance_point(sample, efficiency, non_closure[efficiency], alone)
            found.setdefault(name or SM_ONLY, []).append(point)
    return found


#: Name of the sample without signal.
SM_ONLY = "SM only"
