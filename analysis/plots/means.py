"""Mean images of the events that a model rebuilds worst (NAE paper, figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.config import StyleConfig
from analysis.plots.style import subtitle

#: Inches at letters of so many points.
_COLUMN, _ROW, _LETTERS = 3.1, 2.7, 13

#: Decades that the colours of each panel span.
_DECADES = 4


@dataclass(frozen=True)
class Mean:
    """Mean image, mean reconstruction and mean energy of each pixel of one class, shape (H, W) each."""

    legend: str
    image: NDArray[np.float32]
    reconstruction: NDArray[np.float32]
    energy: NDArray[np.float32]


def draw_means(samples: Sequence[Mean], title: str, style: StyleConfig) -> Figure:
    """A row a class, each panel with its own colours."""
    unit = float(mpl.rcParams["font.size"]) / _LETTERS
    figure = Figure(figsize=(unit * (3 * _COLUMN + 0.6), unit * (len(samples) * _ROW + 1.0)), layout="constrained")
    panels = figure.subplots(len(samples), 3, squeeze=False)
    for row, sample in zip(panels, samples, strict=True):
        for axes, image in zip(row, (sample.image, sample.reconstruction, sample.energy), strict=True):
            top = float(image.max()) or 1.0
            drawn = axes.imshow(image, norm=LogNorm(top / 10**_DECADES, top, clip=True), cmap="cividis")
            axes.invert_yaxis()
            axes.set(xticks=[], yticks=[])
            figure.colorbar(drawn, ax=axes)
        row[0].set_ylabel(sample.legend, loc="center", fontsize="medium")
    for axes, name in zip(panels[0], ("Mean input", "Mean reconstruction", "Mean squared difference"), strict=True):
        axes.set_title(name, fontsize="small")
    figure.suptitle(f"{title}\n{subtitle(style)}", fontsize="medium", x=0.02, ha="left")
    return figure
