"""The ABCD plane and its closure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.abcd import AbcdEstimate, Plane
from analysis.binned import FloatArray, Measured
from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, add_label, canvas, ratio_canvas

_BINS = 60


@dataclass(frozen=True)
class ClosurePoint:
    """One working point: how it was chosen, and what it gave."""

    label: str
    estimate: AbcdEstimate


def draw_plane(plane: Plane, estimate: AbcdEstimate, labels: tuple[str, str], style: StyleConfig) -> Figure:
    """Background over the two scores, the cuts, and the four counts."""
    figure, axes = canvas()
    x_edges, rows = _merged(plane.edges[0], plane.variances.sum(axis=1), estimate.thresholds[0])
    y_edges, columns = _merged(plane.edges[1], plane.variances.sum(axis=0), estimate.thresholds[1])
    merged = np.add.reduceat(np.add.reduceat(plane.values, rows, axis=0), columns, axis=1)
    shown = np.where(merged > 0, merged, np.nan).T
    mesh = axes.pcolormesh(x_edges, y_edges, shown, norm=LogNorm(), cmap="cividis", rasterized=True)
    figure.colorbar(mesh, ax=axes, label="Background events (weighted)", pad=0.02)
    axes.axvline(estimate.thresholds[0], color=COLOURS[2], linewidth=1.6)
    axes.axhline(estimate.thresholds[1], color=COLOURS[2], linewidth=1.6)
    corners = {"a": (0.98, 0.98), "b": (0.98, 0.02), "c": (0.02, 0.98), "d": (0.02, 0.02)}
    for region, (x, y) in corners.items():
        count, error = getattr(estimate.counts, region), getattr(estimate.uncertainties, region)
        axes.text(
            x,
            y,
            f"{region.upper()}: {with_error(count, error)}",
            transform=axes.transAxes,
            ha="right" if x > 0.5 else "left",
            va="top" if y > 0.5 else "bottom",
            fontsize="small",
            bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 3},
        )
    axes.set(xlim=(x_edges[0], x_edges[-1]), ylim=(y_edges[0], y_edges[-1]), xlabel=labels[0], ylabel=labels[1])
    add_label(axes, style)
    return figure


def _merged(edges: FloatArray, content: FloatArray, threshold: float) -> tuple[FloatArray, NDArray[np.intp]]:
    """Edges and first bins of merged bins over the filled range, the threshold among them, with room around it."""
    cut = int(np.argmin(np.abs(edges - threshold)))
    filled = np.flatnonzero(content)
    first, last = min(int(filled[0]), cut), max(int(filled[-1]) + 1, cut)
    room = (last - first) // 8 + 1
    first, last = max(0, first - room), min(len(content), last + room)
    step = -(-(last - first) // _BINS)
    starts = np.arange(cut - step * ((cut - first) // step), last, step)
    # What lies before the first and after the last bin is empty.
    return np.append(edges[starts], edges[min(int(starts[-1]) + step, len(content))]), starts


def draw_closure(points: Sequence[ClosurePoint], title: str, style: StyleConfig) -> Figure:
    """Predicted and observed background in region A for every working point, and their ratio."""
    figure, main, lower = ratio_canvas()
    positions = np.arange(len(points))
    predicted = [point.estimate.predicted for point in points]
    observed = [point.estimate.observed for point in points]
    closure = [point.estimate.closure for point in points]
    _errorbar(main, positions - 0.06, observed, "ko", "Observed (A)")
    _errorbar(main, positions + 0.06, predicted, "s", r"Predicted (B $\cdot$ C / D)", COLOURS[2])
    _errorbar(lower, positions, closure, "s", None, COLOURS[2])
    lower.axhline(1, color="0.6", linewidth=1, linestyle=":", zorder=0)
    values = [value.value for value in (*predicted, *observed) if value is not None and value.value > 0]
    if values:
        main.set(yscale="log", ylim=(min(values) / 4, max(values) * 12))
    main.set(ylabel="Background events (weighted)")
    main.legend(loc="upper right", title=title, alignment="left")
    spread = max([abs(value.value - 1) + (value.uncertainty or 0) for value in closure if value], default=0.5)
    half_range = float(np.clip(1.15 * spread, 0.1, 1.0))
    lower.set(
        xlim=(-0.6, len(points) - 0.4),
        ylim=(1 - half_range, 1 + half_range),
        ylabel="Pred. / obs.",
        xlabel="Background efficiency of either cut",
    )
    lower.set_xticks(positions, [point.label for point in points])
    for axes in (main, lower):
        axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    add_label(main, style)
    return figure


def _errorbar(
    axes: Axes, x: NDArray[Any], values: Sequence[Measured | None], fmt: str, label: str | None, colour: str = "black"
) -> None:
    y = [np.nan if value is None else value.value for value in values]
    errors = [np.nan if value is None or value.uncertainty is None else value.uncertainty for value in values]
    axes.errorbar(x, y, yerr=errors, fmt=fmt[-1], color=colour, markersize=6, capsize=2, label=label)


def with_error(value: float, error: float) -> str:
    """Value and uncertainty, rounded to two digits of the latter, with a common power of ten where they need one."""
    if not error:
        return f"{value:g}"
    exponent = int(np.floor(np.log10(max(abs(value), error))))
    power = exponent if abs(exponent) > 3 else 0
    digits = max(0, 1 - int(np.floor(np.log10(error / 10.0**power))))
    text = rf"{value / 10.0**power:.{digits}f} $\pm$ {error / 10.0**power:.{digits}f}"
    return rf"({text}) $\times$ 10$^{{{power}}}$" if power else text
