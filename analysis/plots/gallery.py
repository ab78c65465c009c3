"""Every plot of an analysis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from analysis.binned import Binned
from analysis.config import AnalysisConfig
from analysis.efficiency import efficiency_against, efficiency_by_threshold
from analysis.histograms import against_name
from analysis.plots.abcd import ClosurePoint, draw_closure, draw_plane
from analysis.plots.cutflow import CutflowSeries, draw_cutflow
from analysis.plots.distributions import Distribution, draw_distributions, readable_bins
from analysis.plots.efficiency import EfficiencySeries, ScanSeries, draw_efficiency, draw_threshold_scan
from analysis.plots.names import score_label
from analysis.plots.roc import RocSeries, draw_roc
from analysis.plots.style import save, styled
from analysis.roc import roc_curve
from analysis.summarise import Samples
from analysis.summary import AbcdSummary, Summary, WorkingPoint

_VARIABLES = {"ht": r"$H_T$ [GeV]", "n_tracks": "Number of tracks"}


def draw_all(samples: Samples, summary: Summary, config: AnalysisConfig, folder: Path) -> tuple[Path, ...]:
    """Draw and save every plot, PDF and PNG; the paths in order of importance."""
    with styled(config.style):
        return tuple(path for name, figure in _figures(samples, summary, config) for path in save(figure, folder, name))


def _figures(samples: Samples, summary: Summary, config: AnalysisConfig) -> Iterator[tuple[str, Figure]]:
    yield from _rocs(samples, summary, config)
    for score in summary.scores:
        yield from _of_score(samples, summary, score, config)
    for pair in config.abcd.pairs:
        points = [point for point in summary.abcd if point.scores == pair]
        yield from _of_pair(samples, summary, pair, points, config)
    yield "cutflow", _cutflow(summary, config)


def _label(summary: Summary, score: str) -> str:
    return score_label(score, summary.scores[score].direction)


def _legend(summary: Summary, dataset: str) -> str:
    return summary.datasets[dataset].metadata.legend


def _rocs(samples: Samples, summary: Summary, config: AnalysisConfig) -> Iterator[tuple[str, Figure]]:
    for signal, figures in summary.signals.items():
        series = []
        for score, figure in figures.items():
            curve = roc_curve(samples.score(signal, score), samples.background(score))
            if curve is not None and figure.auroc is not None:
                label = _label(summary, score)
                series.append(RocSeries(label, summary.scores[score].source == "baseline", curve, figure.auroc))
        if series:
            yield f"roc_{signal}", draw_roc(series, _legend(summary, signal), config.target_tpr, config.style)


def _of_score(samples: Samples, summary: Summary, score: str, config: AnalysisConfig) -> Iterator[tuple[str, Figure]]:
    label, style = _label(summary, score), config.style
    distributions = [
        Distribution(_legend(summary, name), name in samples.backgrounds, samples.score(name, score))
        for name in samples.metadata
    ]
    yield f"score_{score}", draw_distributions(distributions, label, style)
    scans = [
        ScanSeries(_legend(summary, name), efficiency_by_threshold(samples.score(name, score)))
        for name in samples.metadata
    ]
    yield f"threshold_{score}", draw_threshold_scan(scans, label, style)
    point = _first_point(summary, score)
    if point is None:
        return
    for variable, xlabel in _VARIABLES.items():
        merge = _merge(samples, variable)
        series = [
            EfficiencySeries(
                _legend(summary, name),
                efficiency_against(samples.histograms[name][against_name(score, variable)], point.threshold, merge),
            )
            for name in samples.metadata
        ]
        title = f"{label} $\\geq$ {series[0].curve.threshold:.4g}"
        yield f"efficiency_{score}_{variable}", draw_efficiency(series, xlabel, title, style)


def _merge(samples: Samples, variable: str) -> int:
    """How many bins of a variable to merge, that the samples can fill what is drawn."""
    binned = [Binned.of(histograms[variable]) for histograms in samples.histograms.values()]
    filled = np.flatnonzero(np.sum([sample.variances for sample in binned], axis=0))
    if not len(filled):
        return 1
    wanted = readable_bins([sample.n_effective for sample in binned], fewest=8, most=30)
    return -(-int(filled[-1] - filled[0] + 1) // wanted)


def _first_point(summary: Summary, score: str) -> WorkingPoint | None:
    return next((point for point in summary.working_points if point.score == score), None)


def _of_pair(
    samples: Samples, summary: Summary, pair: tuple[str, str], points: list[AbcdSummary], config: AnalysisConfig
) -> Iterator[tuple[str, Figure]]:
    labels = _label(summary, pair[0]), _label(summary, pair[1])
    # The tightest cuts that still leave something to compare with.
    compared = [point for point in points if point.background.closure] or points
    shown = min(compared, key=lambda point: point.background.events.a, default=None)
    if shown is None:
        return
    plane = draw_plane(samples.background_plane(pair), shown.background, labels, config.style)
    yield f"abcd_{pair[0]}_{pair[1]}", plane
    closure = [
        ClosurePoint("given" if point.target is None else f"{100 * point.target:g}%", point.background)
        for point in points
    ]
    yield f"closure_{pair[0]}_{pair[1]}", draw_closure(closure, " and ".join(labels), config.style)


def _cutflow(summary: Summary, config: AnalysisConfig) -> Figure:
    """Preselection, then the first score's first working point."""
    selected = next(iter(summary.datasets.values())).cutflow[-1].name
    steps = ["All", selected.replace("HT", "$H_T$")]
    point = _first_point(summary, next(iter(summary.scores)))
    if point is not None:
        steps.append(f"{_label(summary, point.score)} $\\geq$ {point.threshold:.4g}")
    series = []
    for name, dataset in summary.datasets.items():
        fractions = [step.sum_of_weights / dataset.sum_of_weights for step in dataset.cutflow]
        if point is not None:
            passing = point.datasets[name].efficiency
            fractions.append(fractions[-1] * passing.value if passing else 0.0)
        series.append(CutflowSeries(dataset.metadata.legend, tuple(fractions)))
    return draw_cutflow(series, steps, config.style)
