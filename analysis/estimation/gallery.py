"""Every plot of an estimate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from analysis.estimation.config import EstimateConfig
from analysis.estimation.events import ScoreChoice
from analysis.estimation.found import DIAGONAL, SINGLE, Found
from analysis.estimation.sic import sic_map
from analysis.estimation.significance import SM_ONLY, SignificancePoint
from analysis.plots.closure_scan import ClosureCloud, draw_closure_scan
from analysis.plots.names import score_label
from analysis.plots.rates import draw_rates
from analysis.plots.sculpting import draw_sculpting
from analysis.plots.sic import SicSeries, draw_sic, draw_sic_map
from analysis.plots.significance import SignificanceSeries, draw_significance
from analysis.plots.style import save, styled
from analysis.scores import directions

_VARIABLES = {
    "ht": r"$H_T$ [GeV]",
    "n_tracks": "Number of tracks",
    "n_vertices": "Number of vertices",
    "ecal_cells": "Lit ECAL cells (mostly pile-up)",
}

#: Grid of the SIC map: SM efficiencies of either cut.
_GRID = np.geomspace(0.005, 1.0, 25)


def draw_estimate(found: Found, config: EstimateConfig, folder: Path) -> list[Path]:
    """Draw and save every plot, PDF and PNG."""
    with styled(config.style):
        return [path for name, figure in _figures(found, config) for path in save(figure, folder, name)]


def _figures(found: Found, config: EstimateConfig) -> Iterator[tuple[str, Figure]]:
    labels = pair_labels(found.pair)
    yield from _sic(found, labels, config)
    if found.scans:
        yield "closure", _closure(found, config)
    yield from _significance(found, config)
    yield "rates", draw_rates(found.rates, config.style)
    for item in found.sculpting:
        yield f"sculpting_{item.variable}", draw_sculpting(item, labels, _VARIABLES[item.variable], config.style)


def pair_labels(choice: ScoreChoice) -> tuple[str, str]:
    """How the two scores are written on plots."""
    signs = directions(choice.trigger)
    first, second = (score_label(name, signs[name]) for name in choice.scores)
    return first, second


def _sic(found: Found, labels: tuple[str, str], config: EstimateConfig) -> Iterator[tuple[str, Figure]]:
    diagonal = "Both, diagonal cut"
    single = "Single model"
    if found.single is not None:
        single = f"Single model: {score_label(found.single.scores[0])}"
    names = dict(zip(found.pair.scores, labels, strict=True)) | {DIAGONAL: diagonal, SINGLE: single}
    background = found.dataset.background
    ranks = [found.cuts.efficiencies(events.scores[0]) for events in (background, *found.dataset.signals.values())]
    for (signal, curves), mine in zip(found.sic.items(), ranks[1:], strict=True):
        stem = signal.replace(" ", "_").lower()
        if curves:
            series = [SicSeries(names[key], curve) for key, curve in curves.items()]
            yield f"sic_{stem}", draw_sic(series, signal, config.style)
        weight = found.dataset.signals[signal].weight
        grid = sic_map((mine, weight), (ranks[0], background.weight), _GRID.tolist())
        yield f"sic_map_{stem}", draw_sic_map(grid, labels, signal, config.style)


def _closure(found: Found, config: EstimateConfig) -> Figure:
    def ratios(signal: str | None) -> dict[float, np.ndarray]:
        return {scan.efficiency: _ratios(found, scan.efficiency, signal) for scan in found.scans}

    clouds = [ClosureCloud(SM_ONLY, ratios(None))]
    clouds += [ClosureCloud(f"SM + {name}", ratios(name)) for name in found.dataset.signals]
    uncertainty = {scan.efficiency: scan.uncertainty for scan in found.scans}
    return draw_closure_scan(clouds, uncertainty, config.signal_fraction, config.style)


def _ratios(found: Found, efficiency: float, signal: str | None) -> np.ndarray:
    points = [point for point in found.points if point.efficiency == efficiency]
    if signal is None:
        return np.array([p.estimate.closure.value for p in points if p.estimate.closure is not None])
    return np.array([point.contaminated[signal] for point in points if signal in point.contaminated])


def _significance(found: Found, config: EstimateConfig) -> Iterator[tuple[str, Figure]]:
    title = f"{100 * config.signal_fraction:g}% signal, {found.events:.0f} events"
    samples = list(found.significances.items())
    series = [
        SignificanceSeries(name, _column(p, "efficiency"), _column(p, "uncorrected"), _column(p, "corrected"))
        for name, p in samples
    ]
    yield "significance", draw_significance(series, ["B C / D, uncorrected", "True background"], title, config.style)
    signals = [(name, points) for name, points in samples if name != SM_ONLY]
    fitted = [
        SignificanceSeries(name, _column(p, "efficiency"), _column(p, "fitted"), _column(p, "corrected"))
        for name, p in signals
    ]
    yield "significance_fit", draw_significance(fitted, ["Likelihood fit", "True background"], title, config.style)
    if found.single is not None:
        compared = [
            SignificanceSeries(name, _column(p, "efficiency"), _column(p, "corrected"), _column(p, "single"))
            for name, p in signals
        ]
        yield "significance_single", draw_significance(compared, ["Pair", "Single model"], title, config.style)
    if found.stability:
        spreads = [
            SignificanceSeries(
                name, np.array(item.efficiencies), np.array(item.means), None, errors=np.array(item.deviations)
            )
            for name, item in found.stability.items()
        ]
        text = f"Mean of {1 + len(found.trainings)} trainings"
        yield "stability", draw_significance(spreads, [text], title, config.style)


def _column(points: list[SignificancePoint], name: str) -> np.ndarray:
    return np.array([getattr(point, name) for point in points], dtype=np.float64)
