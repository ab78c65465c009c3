"""Style sheets, experiment labels and saving; no figure outlives its context, no global state changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import mplhep
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from analysis.config import StyleConfig
from darktrigger.files import atomic_path

#: Ten colours that colour-blind readers can tell apart (Petroff, arXiv:2107.02270).
COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip

#: Dash patterns for more series than colours, and to tell series apart in black and white.
DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))

#: Fixed margins: measuring all labels first would take as long as drawing.
_MARGINS = {"left": 0.15, "right": 0.95, "bottom": 0.12, "top": 0.93}

_COMMON = {
    "axes.prop_cycle": cycler("color", COLOURS),
    "axes.formatter.limits": (-4, 5),
    "axes.autolimit_mode": "data",
    "axes.labelpad": 7,
}

_PLAIN = {
    "figure.figsize": (6.4, 5.2),
    "font.size": 13,
    "axes.linewidth": 1.1,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 1.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
}

# The CMS sheet is made for slides; in a paper's column its 26 points on 10 inches leave no room for legends.
_CMS = mplhep.style.CMS | {"font.size": 22, "lines.linewidth": 2.5, "legend.fontsize": 17}
_ATLAS = mplhep.style.ATLAS | {"figure.figsize": (8.0, 6.8), "legend.frameon": False}

_SHEETS: dict[str, dict[str, Any]] = {"plain": _PLAIN, "CMS": _CMS, "ATLAS": _ATLAS}


@contextmanager
def styled(style: StyleConfig) -> Iterator[None]:
    """Draw and save inside this context."""
    with mpl.rc_context():
        mpl.rcdefaults()
        sheet: Any = _SHEETS[style.experiment] | _COMMON
        mpl.rcParams.update(sheet)
        yield


def canvas() -> tuple[Figure, Axes]:
    """A figure with one panel."""
    figure = Figure()
    figure.subplots_adjust(**_MARGINS)
    return figure, figure.subplots()


def ratio_canvas() -> tuple[Figure, Axes, Axes]:
    """A figure with a main panel above a smaller one, with a common x axis."""
    figure = Figure()
    figure.subplots_adjust(**_MARGINS, hspace=0.08)
    main, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.2])
    return figure, main, lower


#: Width of a legend in units of the panel's, beyond which its letters get smaller.
_WIDEST = 0.97


def legend_above(axes: Axes, lowest: float, **options: Any) -> None:
    """Logarithmic y axis from below ``lowest`` to 1, with room for the legend above the curves."""
    # At least a decade, so that two ticks have labels.
    bottom = float(np.clip(lowest / 2, 1e-9, 0.08))
    rows = -(-len(axes.get_legend_handles_labels()[0]) // options.get("ncols", 1)) + ("title" in options)
    share = min(0.5, 0.06 + 0.065 * rows)
    axes.set(yscale="log", ylim=(bottom, bottom ** (-share / (1 - share)) * 1.2))
    # Fractions end at 1: no ticks beside the legend.
    for minor in (False, True):
        axes.set_yticks([tick for tick in axes.get_yticks(minor=minor) if bottom <= tick <= 1], minor=minor)
    axes.yaxis.set_minor_formatter(NullFormatter())
    look: dict[str, Any] = {
        "loc": "upper left",
        "alignment": "left",
        "columnspacing": 1.0,
        "handlelength": 1.7,
        "borderaxespad": 0.4,
    }
    legend = axes.legend(**look, **options)
    share = legend.get_window_extent().width / axes.get_window_extent().width
    if share > _WIDEST:
        size = float(legend.get_texts()[0].get_fontsize())
        axes.legend(**look, **options, fontsize=size * _WIDEST / share)


def subtitle(style: StyleConfig) -> str:
    """Text and energy, for figures of many panels."""
    return ", ".join([style.text, *_energy(style)])


def _energy(style: StyleConfig) -> list[str]:
    return [] if style.energy is None else [rf"$\sqrt{{s}}$ = {style.energy:g} TeV"]


def add_label(axes: Axes, style: StyleConfig) -> None:
    """Experiment, text, luminosity and energy above the panel."""
    if style.experiment == "plain":
        luminosity = [f"{style.luminosity:g} fb$^{{-1}}$"] if style.luminosity else []
        axes.set_title(style.text, loc="left", fontsize="medium", fontstyle="italic")
        axes.set_title(", ".join([*luminosity, *_energy(style)]), loc="right", fontsize="medium")
        return
    number = f"{style.luminosity:g}" if style.luminosity else None
    module = mplhep.cms if style.experiment == "CMS" else mplhep.atlas
    # data=True only keeps mplhep from putting a word of its own before our text.
    module.label(text=style.text, data=True, lumi=number, com=style.energy, loc=0, ax=axes)


def offsets_apart(figure: Figure) -> None:
    """Powers of ten of the x axes to the left end, since the labels of the axes are at the right one."""
    for axes in figure.axes:
        axes.xaxis.get_offset_text().set(x=0, horizontalalignment="left")


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write PDF and PNG; the same figure always gives the same bytes."""
    offsets_apart(figure)
    paths = folder / f"{name}.pdf", folder / f"{name}.png"
    for path in paths:
        metadata: dict[str, str | None] = {"CreationDate": None} if path.suffix == ".pdf" else {"Software": None}
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=150, metadata=metadata)
    return paths
