"""Significance against SM efficiency (double-autoencoder paper, figure 3), and its spread over trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from analysis.binned import FloatArray
from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, add_label, canvas

_DASHES: tuple[Any, ...] = ("-", "--", ":")

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


@dataclass(frozen=True)
class SignificanceSeries:
    """One sample: significances in two or three ways (solid, dashed, dotted), shape (n,) each; None leaves one out."""

    label: str
    efficiencies: FloatArray
    solid: FloatArray
    dashed: FloatArray | None
    dotted: FloatArray | None = None
    errors: FloatArray | None = None


def draw_significance(
    series: Sequence[SignificanceSeries], styles: Sequence[str], title: str, style: StyleConfig
) -> Figure:
    """Significance against SM efficiency, logarithmic in it.

    Parameters
    ----------
    series
        Samples.
    styles
        What solid, dashed and dotted lines mean, as many as there are.
    title
        Above the samples in the legend.
    style
        Looks.
    """
    figure, axes = canvas()
    highest = 1.0
    for index, item in enumerate(series):
        colour, marker = COLOURS[index % len(COLOURS)], _MARKERS[index % len(_MARKERS)]
        for values, dashes in zip((item.solid, item.dashed, item.dotted), _DASHES, strict=True):
            if values is not None:
                axes.plot(item.efficiencies, values, color=colour, linestyle=dashes, marker=marker, markersize=4)
                highest = max(highest, float(np.nanmax(values)))
        if item.errors is not None:
            low, high = item.solid - item.errors, item.solid + item.errors
            axes.fill_between(item.efficiencies, low, high, color=colour, alpha=0.2, linewidth=0)
            highest = max(highest, float(np.nanmax(high)))
    _finish(axes, series, styles, title, highest)
    add_label(axes, style)
    return figure


def _finish(
    axes: Axes, series: Sequence[SignificanceSeries], styles: Sequence[str], title: str, highest: float
) -> None:
    handles = [
        Line2D([], [], color=COLOURS[i % len(COLOURS)], marker=_MARKERS[i % len(_MARKERS)], markersize=4, label=x.label)
        for i, x in enumerate(series)
    ]
    handles += [
        Line2D([], [], color="black", linestyle=dashes, label=text)
        for text, dashes in zip(styles, _DASHES, strict=False)
    ]
    rows = -(-len(handles) // 2) + 1
    efficiencies = np.unique(np.concatenate([item.efficiencies for item in series]))
    axes.set(
        xscale="log", xlim=(efficiencies[0] / 1.15, efficiencies[-1] * 1.15),
        ylim=(0, highest / (1 - 0.06 - 0.062 * rows)), xlabel="SM efficiency of the signal region",
        ylabel="Significance [standard deviations]",
    )  # fmt: skip
    axes.set_xticks(efficiencies)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(
        handles=handles, loc="upper left", ncols=2, title=title, alignment="left", columnspacing=1.2, handlelength=2.2
    )
