"""Trigger efficiencies with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from analysis.config import StyleConfig
from analysis.efficiency import EfficiencyCurve, ThresholdScan
from analysis.plots.style import COLOURS, DASHES, add_label, canvas, legend_above, ratio_canvas

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


@dataclass(frozen=True)
class EfficiencySeries:
    """Efficiency of one dataset."""

    legend: str
    curve: EfficiencyCurve


@dataclass(frozen=True)
class ScanSeries:
    """Efficiency of one dataset against the threshold."""

    legend: str
    scan: ThresholdScan


def draw_efficiency(series: Sequence[EfficiencySeries], xlabel: str, title: str, style: StyleConfig) -> Figure:
    """Efficiency of a working point in bins of a variable, above the events that it is computed from."""
    figure, main, lower = ratio_canvas()
    edges = series[0].curve.edges
    filled = np.flatnonzero(np.sum([item.curve.selected != 0 for item in series], axis=0))
    centres, half_widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    for index, item in enumerate(series):
        curve, colour = item.curve, COLOURS[index % len(COLOURS)]
        main.errorbar(
            # Side by side, so that intervals can be told apart.
            centres + half_widths * (index + 0.5 - len(series) / 2) / len(series),
            curve.value,
            yerr=np.clip([curve.value - curve.low, curve.high - curve.value], 0, None),
            fmt=_MARKERS[index % len(_MARKERS)],
            markersize=5,
            linewidth=1.2,
            color=colour,
            label=item.legend,
        )
        total = curve.selected.sum()
        lower.stairs(curve.selected / total if total else curve.selected, edges, color=colour)
    main.set(ylim=(0, 1.45), ylabel="Trigger efficiency")
    main.set_yticks(np.linspace(0, 1, 6))
    main.axhline(1, color="0.6", linewidth=1, linestyle=":", zorder=0)
    main.legend(loc="upper left", ncols=2, title=title, alignment="left")
    lower.set(xlabel=xlabel, ylabel="Fraction / bin", ylim=(0, None))
    figure.align_ylabels([main, lower])
    if len(filled):
        lower.set_xlim(edges[filled[0]], edges[filled[-1] + 1])
    add_label(main, style)
    return figure


def draw_threshold_scan(series: Sequence[ScanSeries], xlabel: str, style: StyleConfig) -> Figure:
    """Efficiency of every dataset against the threshold, with 68% bands, logarithmic."""
    figure, axes = canvas()
    lowest, shown = 1.0, []
    for index, item in enumerate(series):
        scan, colour = item.scan, COLOURS[index % len(COLOURS)]
        passing = scan.value > 0
        if not passing.any():
            continue
        lowest = min(lowest, scan.value[passing].min())
        falling = np.flatnonzero(scan.value < 1)[:1]
        shown += [*scan.thresholds[falling], scan.thresholds[passing][-1]]
        axes.plot(
            scan.thresholds[passing],
            scan.value[passing],
            color=colour,
            linestyle=DASHES[index % len(DASHES)],
            label=item.legend,
        )
        axes.fill_between(
            scan.thresholds[passing], scan.low[passing], scan.high[passing], color=colour, alpha=0.2, lw=0
        )
    margin = 0.03 * (max(shown) - min(shown)) if shown else 1.0
    axes.set(
        xlim=(min(shown, default=0.0) - margin, max(shown, default=1.0) + margin),
        xlabel=f"Threshold on {xlabel}",
        ylabel="Trigger efficiency",
    )
    legend_above(axes, lowest, ncols=2)
    add_label(axes, style)
    return figure
