"""The compact latent space: background density and signals (CoDAE paper, figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from analysis.binned import FloatArray
from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, DASHES, add_label, canvas

#: Bins on either side, and width of the kernel that smooths contours, in bins.
_BINS, _SMOOTHING = 60, 2.0

#: Fraction of a signal that its contours enclose.
_ENCLOSED = (0.39, 0.86)


@dataclass(frozen=True)
class LatentSample:
    """Events of one class in the latent space, shape (n,) each."""

    legend: str
    is_background: bool
    z1: NDArray[np.floating[Any]]
    z2: NDArray[np.floating[Any]]
    weight: FloatArray


def draw_latents(samples: Sequence[LatentSample], title: str, style: StyleConfig) -> Figure:
    """Density of the background, and contours that enclose 39% and 86% of each signal (one and two deviations)."""
    figure, axes = canvas()
    width, height = figure.get_size_inches()
    # Room for the colour bar beside a panel as wide as ever.
    figure.set_size_inches(1.25 * width, height)
    edges = [_edges(np.concatenate([getattr(sample, name) for sample in samples])) for name in ("z1", "z2")]
    handles = []
    for index, sample in enumerate(samples):
        counts, _, _ = np.histogram2d(sample.z1, sample.z2, edges, weights=sample.weight)
        if not counts.sum() > 0:
            continue
        density = counts / counts.sum()
        if sample.is_background:
            shown = np.where(density > 0, density, np.nan).T
            norm = LogNorm(min(density[density > 0].min(), density.max() / 10), density.max())
            mesh = axes.pcolormesh(*edges, shown, norm=norm, cmap="Greys", rasterized=True)
            bar = figure.colorbar(mesh, ax=axes, label=f"{sample.legend}: fraction of events / bin", pad=0.02)
            bar.ax.yaxis.set_minor_formatter(NullFormatter())
            continue
        colour, dashes = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        smooth = gaussian_filter(density, _SMOOTHING)
        centres = [(item[1:] + item[:-1]) / 2 for item in edges]
        axes.contour(
            *centres, smooth.T, levels=contour_levels(smooth), colors=[colour], linestyles=[dashes], linewidths=1.6
        )
        handles.append(Line2D([], [], color=colour, linestyle=dashes, label=sample.legend))
    low, high = edges[1][0], edges[1][-1]
    # Room for the legend above the events.
    share = 0.08 + 0.06 * (1 + (len(handles) + 1) // 2)
    axes.set(xlabel="$Z_1$", ylabel="$Z_2$", ylim=(low, low + (high - low) / (1 - share)))
    # Latents of thousands leave no room for more numbers side by side.
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.legend(handles=handles, loc="upper left", ncols=2, title=title, alignment="left", columnspacing=1.0)
    add_label(axes, style)
    return figure


def _edges(values: NDArray[np.floating[Any]]) -> FloatArray:
    """Bins over all but the outermost thousandth of the values at either end."""
    low, high = np.quantile(values, [0.001, 0.999])
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, _BINS + 1)


def contour_levels(density: FloatArray) -> list[float]:
    """Densities above which the enclosed fractions lie, ascending and distinct."""
    ordered = np.sort(density.ravel())[::-1]
    inside = np.cumsum(ordered) / ordered.sum()
    return sorted({float(ordered[np.searchsorted(inside, fraction)]) for fraction in _ENCLOSED})
