"""Every figure of the summary, from histograms and cutflows alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from analysis.abcd import (
    Plane,
    Regions,
    abcd_estimate,
    edges_at_efficiency,
    edges_nearest,
    estimate_of,
    region_counts,
)
from analysis.binned import Binned, FloatArray, Measured, edge_of_at_most, efficiency, summed
from analysis.config import AnalysisConfig
from analysis.fileset import DatasetMetadata, background_factors
from analysis.histograms import COUNTS, REGIONS, Histograms, plane_name, score_name
from analysis.menu import REGIONS as REGION_NAMES
from analysis.menu import Menu
from analysis.rates import edge_for_budget, hertz_per_weight, rate
from analysis.roc import auroc, fpr_at_tpr
from analysis.summary import AbcdSummary, CutflowStep, MenuRegion, MenuSummary, Passing, SignalFigures, WorkingPoint
from darktrigger.errors import AnalysisError
from imaging.events import Cutflow


class Samples:
    """Histograms of all datasets, with what it takes to add and compare them.

    Parameters
    ----------
    metadata, histograms, sum_of_weights
        By dataset; sums of weights before any selection.
    luminosity
        Instantaneous, per cm2 and s.
    """

    def __init__(
        self,
        metadata: Mapping[str, DatasetMetadata],
        histograms: Mapping[str, Histograms],
        sum_of_weights: Mapping[str, float],
        luminosity: float,
    ) -> None:
        self.metadata = metadata
        self.histograms = histograms
        self._sum_of_weights = sum_of_weights
        self._luminosity = luminosity
        self._factors = background_factors(metadata, sum_of_weights)

    @property
    def backgrounds(self) -> list[str]:
        """Names of the datasets with label 0."""
        return [name for name, metadata in self.metadata.items() if metadata.is_background]

    @property
    def signals(self) -> list[str]:
        """Names of all other datasets."""
        return [name for name, metadata in self.metadata.items() if not metadata.is_background]

    def score(self, dataset: str, score: str) -> Binned:
        """Distribution of an oriented score in one dataset."""
        return Binned.of(self.histograms[dataset][score_name(score)])

    def background(self, score: str) -> Binned:
        """Distribution of an oriented score in the sum of backgrounds."""
        return summed(self.score(name, score).scaled(self._factors[name]) for name in self.backgrounds)

    def plane(self, dataset: str, pair: tuple[str, str]) -> Plane:
        """Distribution of two scores in one dataset."""
        name = plane_name(*pair)
        return Plane.of(self.histograms[dataset][name], self.histograms[dataset][name + COUNTS])

    def background_plane(self, pair: tuple[str, str]) -> Plane:
        """Distribution of two scores in the sum of backgrounds."""
        return reduce(Plane.__add__, (self.plane(name, pair).scaled(self._factors[name]) for name in self.backgrounds))

    def regions(self, dataset: str, *, scaled: bool = True) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Sums of weights, of squared weights and events recorded by a menu, shape (4,) each.

        ``scaled`` weights are those with which backgrounds add up.
        """
        view: Any = self.histograms[dataset][REGIONS].view()
        factor = self._factors[dataset] if scaled else 1.0
        counts = np.asarray(self.histograms[dataset][REGIONS + COUNTS].values(), dtype=np.float64)
        return np.asarray(view["value"]) * factor, np.asarray(view["variance"]) * factor**2, counts

    def hertz(self, dataset: str) -> float | None:
        """Rate of a unit of the dataset's weight, Hz; None without a cross-section."""
        cross_section = self.metadata[dataset].cross_section
        if cross_section is None or not self._sum_of_weights[dataset]:
            return None
        return hertz_per_weight(cross_section, self._luminosity, self._sum_of_weights[dataset])

    def in_hertz(self, dataset: str, score: str) -> Binned | None:
        """Distribution of a score with weights in Hz."""
        hertz = self.hertz(dataset)
        return None if hertz is None else self.score(dataset, score).scaled(hertz)

    def background_in_hertz(self, score: str) -> Binned | None:
        """Distribution of a score in the sum of backgrounds with weights in Hz."""
        parts = [self.in_hertz(name, score) for name in self.backgrounds]
        known = [part for part in parts if part is not None]
        return summed(known) if len(known) == len(parts) else None


def cutflow_steps(cutflow: Cutflow, selected: str) -> tuple[CutflowStep, ...]:
    """Events read, then events that pass the preselection, which ``selected`` says in words."""
    return (
        CutflowStep(name="all", events=cutflow.read, sum_of_weights=cutflow.sum_of_weights_read),
        CutflowStep(name=selected, events=cutflow.selected, sum_of_weights=cutflow.sum_of_weights_selected),
    )


def signal_figures(samples: Samples, score: str, signal: str, target_tpr: float) -> SignalFigures:
    """AUROC and FPR of one score for one signal."""
    against = samples.score(signal, score), samples.background(score)
    return SignalFigures(auroc=auroc(*against), fpr_at_tpr=fpr_at_tpr(*against, target_tpr))


def selected_rate(samples: Samples, dataset: str, score: str) -> Measured | None:
    """Rate of the preselected events, Hz; any score serves, since each sees them all."""
    sample = samples.in_hertz(dataset, score)
    return None if sample is None else rate(sample, 0)


def working_points(samples: Samples, score: str, config: AnalysisConfig) -> list[WorkingPoint]:
    """Thresholds on a score for every background efficiency and rate budget of the configuration.

    Raises
    ------
    AnalysisError
        A rate budget is given, but some background has no cross-section.
    """
    above = samples.background(score).above()
    points = [
        _working_point(samples, score, edge_of_at_most(above, target * above[0]), "background efficiency", target)
        for target in config.background_efficiencies
    ]
    in_hertz = samples.background_in_hertz(score)
    if config.rate_budgets and in_hertz is None:
        missing = [name for name in samples.backgrounds if samples.hertz(name) is None]
        raise AnalysisError(f"rate_budgets need a cross_section for dataset '{missing[0]}' in the fileset")
    if in_hertz is not None:
        points += [
            _working_point(samples, score, edge_for_budget(in_hertz, budget), "background rate", budget)
            for budget in config.rate_budgets
        ]
    return points


def _working_point(samples: Samples, score: str, edge: int, chosen_by: str, target: float) -> WorkingPoint:
    background = samples.background(score)
    return WorkingPoint(
        score=score,
        chosen_by=chosen_by,
        target=target,
        threshold=float(background.edges[edge]),
        background=_passing(background, samples.background_in_hertz(score), edge),
        datasets={
            name: _passing(samples.score(name, score), samples.in_hertz(name, score), edge) for name in samples.metadata
        },
    )


def _passing(sample: Binned, in_hertz: Binned | None, edge: int) -> Passing:
    return Passing(
        efficiency=efficiency(float(sample.values[edge:].sum()), sample.total, sample.n_effective),
        rate=None if in_hertz is None else rate(in_hertz, edge),
    )


def abcd_summaries(samples: Samples, pair: tuple[str, str], config: AnalysisConfig) -> list[AbcdSummary]:
    """ABCD of one pair of scores at every working point of the configuration."""
    background = samples.background_plane(pair)
    points: list[tuple[float | None, tuple[int, int]]] = [
        (target, edges_at_efficiency(background, target)) for target in config.abcd.efficiencies
    ]
    points += [(None, edges_nearest(background, thresholds)) for thresholds in config.abcd.thresholds]
    return [
        AbcdSummary(
            scores=pair,
            target=target,
            background=abcd_estimate(background, edges),
            signals={name: region_counts(samples.plane(name, pair), edges) for name in samples.signals},
        )
        for target, edges in points
    ]


def menu_summary(samples: Samples, menu: Menu) -> MenuSummary:
    """ABCD on the recorded background at the menu's thresholds, and what is recorded of every dataset."""
    parts = [samples.regions(name) for name in samples.backgrounds]
    counts, variances, events = (Regions(*np.sum(arrays, axis=0).tolist()) for arrays in zip(*parts, strict=True))
    datasets: dict[str, dict[str, MenuRegion]] = {}
    for dataset in samples.metadata:
        hertz = samples.hertz(dataset)
        values, _, recorded = samples.regions(dataset, scaled=False)
        rows = zip(REGION_NAMES, menu.prescales.regions, values, recorded, strict=True)
        datasets[dataset] = {
            name: MenuRegion(
                prescale=int(prescale),
                events=int(count),
                recorded_rate=None if hertz is None else hertz * float(value) / prescale,
            )
            for name, prescale, value, count in rows
        }
    return MenuSummary(menu=menu, background=estimate_of(menu.thresholds, counts, variances, events), datasets=datasets)
