"""The latent sphere as a map: energy, chains and where events lie (NAE paper, figures 2 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, add_label
from darktrigger.sphere import grid, unbroken

#: Markers of classes, background's first.
_MARKERS = "osD^v<>pPX"


@dataclass(frozen=True)
class Placed:
    """Events of one class, longitude and latitude, shape (n, 2)."""

    legend: str
    place: NDArray[np.float32]


def draw_landscape(
    energy_YX: NDArray[np.floating[Any]],
    chains: Sequence[NDArray[np.float32]],
    samples: Sequence[Placed],
    title: str,
    style: StyleConfig,
) -> Figure:
    """Equirectangular projection.

    Parameters
    ----------
    energy_YX
        Energy on :func:`darktrigger.sphere.grid`, shape (latitudes, longitudes).
    chains
        Longitude and latitude of the states of each chain, shape (n, 2).
    samples
        Classes, background first.
    title, style
        Above the legend and the panel.
    """
    figure = Figure()
    width, height = figure.get_size_inches()
    figure.set_size_inches(1.6 * width, height)
    figure.subplots_adjust(left=0.1, right=0.98, bottom=0.12, top=0.93)
    axes = figure.subplots()
    # A range of its own for a map that is zero somewhere, where a logarithm has no end.
    positive = energy_YX[energy_YX > 0]
    norm = LogNorm(positive.min(), positive.max()) if positive.size and positive.max() > positive.min() else None
    mesh = axes.pcolormesh(
        *grid(energy_YX.shape[1], energy_YX.shape[0]), energy_YX, norm=norm, shading="nearest", cmap="Greys"
    )
    mesh.set_rasterized(True)
    figure.colorbar(mesh, ax=axes, label="Energy", pad=0.02)
    for index, path in enumerate(chains):
        for number, part in enumerate(unbroken(path)):
            label = "Chains" if index == number == 0 else None
            axes.plot(*part.T, color="black", linewidth=0.7, alpha=0.8, label=label)
    for index, sample in enumerate(samples):
        axes.scatter(
            sample.place[:, 0],
            sample.place[:, 1],
            s=6,
            marker=_MARKERS[index % len(_MARKERS)],
            color=COLOURS[index % len(COLOURS)],
            linewidths=0,
            alpha=0.55,
            rasterized=True,
            label=sample.legend,
        )
    # Room for the legend above the pole.
    axes.set(xlabel="Longitude [rad]", ylabel="Latitude [rad]", xlim=(-np.pi, np.pi), ylim=(-np.pi / 2, 2.25))
    axes.set_yticks(np.arange(-1.5, 1.6, 0.5))
    legend = axes.legend(loc="upper left", ncols=4, title=title, alignment="left", markerscale=2, columnspacing=1.0)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    add_label(axes, style)
    return figure
