"""SIC curves and maps (double-autoencoder paper, figures 1 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from analysis.config import StyleConfig
from analysis.estimation.sic import SicCurve, SicMap
from analysis.plots.style import COLOURS, DASHES, add_label, canvas

#: Points of a drawn curve.
_POINTS = 400


@dataclass(frozen=True)
class SicSeries:
    """One curve."""

    label: str
    curve: SicCurve


def draw_sic(series: Sequence[SicSeries], title: str, style: StyleConfig) -> Figure:
    """SIC against signal efficiency, with bands of the simulated samples' uncertainty."""
    figure, axes = canvas()
    highest = 1.0
    for index, item in enumerate(series):
        curve, colour = item.curve, COLOURS[index % len(COLOURS)]
        shown = np.unique(np.linspace(0, len(curve.tpr) - 1, _POINTS).astype(int))
        tpr, sic, error = curve.tpr[shown], curve.sic[shown], curve.uncertainty[shown]
        axes.plot(tpr, sic, color=colour, linestyle=DASHES[index % len(DASHES)], label=item.label)
        axes.fill_between(tpr, sic - error, sic + error, color=colour, alpha=0.18, linewidth=0)
        highest = max(highest, float((sic + error).max()))
    axes.axhline(1, color="0.6", linewidth=1, linestyle=":", zorder=0)
    rows = len(series) + 1
    axes.set(
        xlim=(0, 1),
        ylim=(0, highest / (1 - 0.06 - 0.062 * rows)),
        xlabel="True positive rate",
        ylabel=r"SIC = TPR / $\sqrt{\mathrm{FPR}}$",
    )
    axes.legend(loc="upper right", title=title, alignment="left")
    add_label(axes, style)
    return figure


def draw_sic_map(found: SicMap, labels: tuple[str, str], title: str, style: StyleConfig) -> Figure:
    """SIC over the background efficiencies of both cuts, the best pair marked."""
    figure, axes = canvas()
    x = np.sqrt(found.efficiencies[1:] * found.efficiencies[:-1])
    edges = np.concatenate([[x[0] ** 2 / x[1]], x, [1.0 + (1.0 - x[-1])]])
    mesh = axes.pcolormesh(edges, edges, found.sic.T, cmap="cividis", rasterized=True, vmin=0)
    figure.colorbar(mesh, ax=axes, label="SIC", pad=0.02)
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(edges[0], edges[-1]),
        ylim=(edges[0], edges[-1]),
        xlabel=f"SM efficiency, {labels[0]}",
        ylabel=f"SM efficiency, {labels[1]}",
    )
    axes.plot(edges[[0, -1]], edges[[0, -1]], color="white", linewidth=1.2, linestyle="--")
    if np.isfinite(found.sic).any():
        best = np.unravel_index(int(np.nanargmax(found.sic)), found.sic.shape)
        axes.plot(
            *(found.efficiencies[index] for index in best), color=COLOURS[2], marker="*", markersize=16,
            markeredgecolor="white", linestyle="none",
        )  # fmt: skip
    axes.text(
        0.03, 0.04, title, transform=axes.transAxes,
        bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 4},
    )  # fmt: skip
    add_label(axes, style)
    return figure
