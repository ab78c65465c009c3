"""Images beside their reconstructions (CoDAE paper, figure 6; ConvAE paper, figures 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.config import StyleConfig
from analysis.plots.style import subtitle
from imaging.grid import BLOCK, HCAL

#: Inches at letters of so many points.
_COLUMN, _ROW, _LETTERS = 2.8, 2.7, 13

#: Margins, inches at the same.
_LEFT, _RIGHT, _BOTTOM, _TOP = 1.0, 1.25, 0.65, 0.75

#: Decades of E_T that the colours span.
_DECADES = 3


@dataclass(frozen=True)
class Pictured:
    """An event's input and reconstruction, shape (C, H, W) each."""

    image: NDArray[np.float32]
    reconstruction: NDArray[np.float32]


def draw_reconstructions(events: Sequence[Pictured], kind: str, title: str, style: StyleConfig) -> Figure:
    """Inputs above, reconstructions below, channels added up, all on one colour scale.

    Parameters
    ----------
    events
        A column each.
    kind
        Input kind of the model.
    title, style
        Above the picture.
    """
    # Everything grows with the letters of the style.
    unit = float(mpl.rcParams["font.size"]) / _LETTERS
    width = _LEFT + max(_COLUMN * len(events), 1.5 * _COLUMN) + _RIGHT
    height = _BOTTOM + 2 * _ROW + _TOP
    figure = Figure(figsize=(unit * width, unit * height))
    inner = {"left": _LEFT / width, "right": 1 - _RIGHT / width, "bottom": _BOTTOM / height, "top": 1 - _TOP / height}
    figure.subplots_adjust(**inner, wspace=0.05, hspace=0.05)
    panels = figure.subplots(2, len(events), sharex=True, sharey=True, squeeze=False)
    is_mask = kind == "coarse mask"
    drawn = None
    top = max(float(_flat(event.image, kind).max()) for event in events)
    norm = Normalize(0, 1) if is_mask else LogNorm(max(top, 1.0) / 10**_DECADES, max(top, 1.0), clip=False)
    for column, event in enumerate(events):
        for row, image in enumerate((event.image, event.reconstruction)):
            drawn = _draw(panels[row, column], _flat(image, kind), norm)
        panels[1, column].set_xlabel(r"$\eta$", loc="center")
    for row, name in enumerate(("Input", "Reconstruction")):
        panels[row, 0].set_ylabel(f"{name}\n$\\phi$ [rad]", loc="center", fontsize="medium")
    if drawn is not None:
        label = "Pixel value" if is_mask else r"$E_\mathrm{T}$ [GeV]"
        beside = (inner["right"] + 0.15 / width, inner["bottom"], 0.2 / width, inner["top"] - inner["bottom"])
        figure.colorbar(drawn, cax=figure.add_axes(beside), label=label, extend="neither" if is_mask else "min")
    figure.suptitle(f"{title}\n{subtitle(style)}", fontsize="medium", x=0.02, ha="left")
    return figure


def _flat(image_CHW: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """Sum over channels, eta by phi, on the coarse grid: a fine pixel is too small to see."""
    total: NDArray[np.float32] = image_CHW.sum(axis=0)
    if kind != "fine":
        return total.T
    margin = (HCAL.n_eta * BLOCK - len(total)) // 2
    blocks = np.pad(total, ((margin, margin), (0, 0))).reshape(HCAL.n_eta, BLOCK, HCAL.n_phi, BLOCK)
    coarse: NDArray[np.float32] = blocks.sum(axis=(1, 3))
    return coarse


def _draw(axes: Axes, image: NDArray[np.float32], norm: Normalize) -> ScalarMappable:
    shown = image if not isinstance(norm, LogNorm) else np.where(image > 0, image, np.nan)
    axes.minorticks_off()
    return axes.imshow(
        shown.T,
        norm=norm,
        cmap="cividis_r" if isinstance(norm, LogNorm) else "Greys",
        extent=(-HCAL.eta_max, HCAL.eta_max, -np.pi, np.pi),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
