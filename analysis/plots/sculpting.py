"""What the trigger makes of variables that it should not look at."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from analysis.config import StyleConfig
from analysis.estimation.sculpting import Sculpting
from analysis.plots.style import COLOURS, add_label


def draw_sculpting(found: Sculpting, labels: tuple[str, str], xlabel: str, style: StyleConfig) -> Figure:
    """Score quantiles (median and 68% band) and the signal region's efficiency in bins of a variable."""
    figure = Figure()
    figure.subplots_adjust(left=0.15, right=0.95, bottom=0.12, top=0.93, hspace=0.08)
    panels = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1, 1.1])
    edges = found.edges
    centres, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    for index, axes in enumerate(panels[:2]):
        low, middle, high = found.quantiles[index].T
        axes.bar(centres, high - low, 2 * half, low, color=COLOURS[index], alpha=0.3, linewidth=0)
        axes.hlines(middle, edges[:-1], edges[1:], color=COLOURS[index], linewidth=2)
        axes.set_ylabel("Score", fontsize="small")
        span = float(np.nanmax(high) - np.nanmin(low)) or 1.0
        axes.set_ylim(np.nanmin(low) - 0.1 * span, np.nanmax(high) + 0.35 * span)
        # Inside, since beside so low a panel there is no room for a long name.
        axes.text(0.03, 0.93, labels[index], transform=axes.transAxes, va="top", fontsize="small")
        axes.text(
            0.97, 0.93, f"rank correlation {found.correlation[index]:+.2f}", transform=axes.transAxes, ha="right",
            va="top", fontsize="small",
        )  # fmt: skip
    lower = panels[2]
    errors = np.clip([found.efficiency - found.low, found.high - found.efficiency], 0, None)
    lower.errorbar(
        centres, 100 * found.efficiency, xerr=half, yerr=100 * errors, fmt="o", color="black", markersize=4,
        linewidth=1.2, label="Efficiency in bins",
    )  # fmt: skip
    lower.axhline(100 * found.overall, color=COLOURS[2], linestyle="--", linewidth=1.2, label="All events")
    lower.set(
        xlabel=xlabel,
        xlim=(edges[0], edges[-1]),
        ylim=(0, 1.6 * 100 * max(float(np.nanmax(found.high)), found.overall)),
    )
    lower.set_ylabel("Region A [%]", fontsize="small")
    lower.legend(loc="upper right", ncols=2)
    figure.align_ylabels(panels)
    add_label(panels[0], style)
    return figure
