"""Figures of merit against the mediator mass, with the papers' where they have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETDOWN

from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, add_label

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


@dataclass(frozen=True)
class MassPoint:
    """One figure: value and interval in per cent, and the paper's; NaN where there is none."""

    value: float
    low: float
    high: float
    paper: float


@dataclass(frozen=True)
class MassSeries:
    """One score: AUROC and false positive rate at each mass."""

    label: str
    is_baseline: bool
    auroc: tuple[MassPoint, ...]
    fpr: tuple[MassPoint, ...]


def draw_masses(
    series: Sequence[MassSeries], masses: Sequence[float], signal: str, target_tpr: float, style: StyleConfig
) -> Figure:
    """AUROC above, false positive rate (logarithmic) below; hollow markers are the paper's, arrows upper ends."""
    figure = Figure()
    width, height = figure.get_size_inches()
    figure.set_size_inches(width * 1.55, height * 1.35)
    figure.subplots_adjust(left=0.1, right=0.64, bottom=0.09, top=0.95, hspace=0.06)
    upper, lower = figure.subplots(2, 1, sharex=True)
    positions = np.arange(len(masses))
    for index, item in enumerate(series):
        shift = 0.5 * (index + 0.5 - len(series) / 2) / len(series)
        look = (COLOURS[index % len(COLOURS)], _MARKERS[index % len(_MARKERS)], "--" if item.is_baseline else "-")
        _points(upper, positions + shift, item.auroc, look, item.label)
        _points(lower, positions + shift, [_positive(point) for point in item.fpr], look, None)
    upper.plot([], [], linestyle="none", marker="o", markerfacecolor="none", color="0.4", label="Paper")
    upper.set(ylabel="AUROC [%]")
    lower.set(yscale="log", ylabel=f"FPR at {100 * target_tpr:g}% TPR [%]", xlabel=f"{signal} mediator mass [GeV]")
    lower.set_xlim(-0.5, len(masses) - 0.5)
    lower.set_xticks(positions, [f"{mass:g}" for mass in masses])
    for axes in (upper, lower):
        axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    figure.align_ylabels([upper, lower])
    side = figure.add_axes((0.655, 0.09, 0.34, 0.86))
    side.set_axis_off()
    side.legend(*upper.get_legend_handles_labels(), loc="upper left", borderaxespad=0.0, fontsize="x-small")
    add_label(upper, style)
    return figure


def _positive(point: MassPoint) -> MassPoint:
    """Without what a logarithmic axis cannot show: a rate of zero has its upper end alone."""
    low, value, high, paper = (x if x > 0 else np.nan for x in (point.low, point.value, point.high, point.paper))
    return MassPoint(value, low, high, paper)


def _points(
    axes: Axes, x: np.ndarray, points: Sequence[MassPoint], look: tuple[str, str, str], label: str | None
) -> None:
    colour, marker, dashes = look
    value, low, high = (np.array([getattr(point, name) for point in points]) for name in ("value", "low", "high"))
    axes.plot(x, value, color=colour, linestyle=dashes, marker=marker, markersize=5, linewidth=1.2, label=label)
    axes.vlines(x, np.where(np.isnan(low), value, low), high, color=colour, linewidth=1.2)
    # Nothing passed: the upper end alone.
    limit = np.where(np.isnan(value), high, np.nan)
    axes.plot(x, limit, color=colour, linestyle="none", marker=CARETDOWN, markersize=7)
    paper = [point.paper for point in points]
    axes.plot(x, paper, color=colour, linestyle="none", marker=marker, markersize=8, markerfacecolor="none")
