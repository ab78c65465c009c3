"""Images beside their reconstructions (CoDAE paper, figure 6; ConvAE paper, figures 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from analysis.config import StyleConfig
from analysis.plots.style import subtitle
from imaging.grid import BLOCK, HCAL
from imaging.jets.dense import JET
from imaging.jets.grid import ETA_MAX, PHI_MAX

#: Inches at letters of so many points.
_COLUMN, _ROW, _LETTERS = 2.8, 2.7, 13

#: Margins, inches at the same.
_LEFT, _RIGHT, _BOTTOM, _TOP = 1.25, 1.25, 0.65, 0.75

#: Decades of E_T that the colours span.
_DECADES = 3


class _Frame(NamedTuple):
    """Where an image lies and what its pixels are."""

    eta_max: float
    phi_max: float
    labels: tuple[str, str]
    quantity: str
    eta_step: float


_EVENT = _Frame(HCAL.eta_max, np.pi, (r"$\eta$", r"$\phi$ [rad]"), r"$E_\mathrm{T}$ [GeV]", 2.0)

#: After centring and rotation.
_JET = _Frame(ETA_MAX, PHI_MAX, (r"$\eta'$", r"$\phi'$ [rad]"), "Pixel value", 0.4)


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
    is_mask, frame = kind == "coarse mask", _JET if kind == JET else _EVENT
    drawn = None
    top = max(float(_flat(event.image, kind).max()) for event in events)
    # Below 1 GeV nothing is worth the darkest colour; the pixels of a jet add up to 1.
    top = max(top, 1e-6 if kind == JET else 1.0)
    norm = Normalize(0, 1) if is_mask else LogNorm(top / 10**_DECADES, top, clip=False)
    for column, event in enumerate(events):
        for row, image in enumerate((event.image, event.reconstruction)):
            drawn = _draw(panels[row, column], _flat(image, kind), norm, frame)
        panels[1, column].set_xlabel(frame.labels[0], loc="center")
        panels[1, column].xaxis.set_major_locator(MultipleLocator(frame.eta_step))
    for row, name in enumerate(("Input", "Reconstruction")):
        panels[row, 0].set_ylabel(f"{name}\n{frame.labels[1]}", loc="center", fontsize="medium")
    if drawn is not None:
        label = "Pixel value" if is_mask else frame.quantity
        beside = (inner["right"] + 0.15 / width, inner["bottom"], 0.2 / width, inner["top"] - inner["bottom"])
        figure.colorbar(drawn, cax=figure.add_axes(beside), label=label, extend="neither" if is_mask else "min")
    figure.suptitle(f"{title}\n{subtitle(style)}", fontsize="medium", x=0.02, ha="left")
    return figure


def _flat(image_CHW: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """Sum over channels, eta by phi, on the coarse grid: a fine pixel is too small to see."""
    total: NDArray[np.float32] = image_CHW.sum(axis=0)
    if kind == JET:
        # The first row of a jet is its uppermost one.
        return total[::-1].T
    if kind != "fine":
        return total.T
    margin = (HCAL.n_eta * BLOCK - len(total)) // 2
    blocks = np.pad(total, ((margin, margin), (0, 0))).reshape(HCAL.n_eta, BLOCK, HCAL.n_phi, BLOCK)
    coarse: NDArray[np.float32] = blocks.sum(axis=(1, 3))
    return coarse


def _draw(axes: Axes, image: NDArray[np.float32], norm: Normalize, frame: _Frame) -> ScalarMappable:
    shown = image if not isinstance(norm, LogNorm) else np.where(image > 0, image, np.nan)
    axes.minorticks_off()
    return axes.imshow(
        shown.T,
        norm=norm,
        cmap="cividis_r" if isinstance(norm, LogNorm) else "Greys",
        extent=(-frame.eta_max, frame.eta_max, -frame.phi_max, frame.phi_max),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
