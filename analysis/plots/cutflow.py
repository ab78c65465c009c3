"""The cutflow of every dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, DASHES, add_label, canvas, legend_above


@dataclass(frozen=True)
class CutflowSeries:
    """Fraction of all events of one dataset that is left after each step."""

    legend: str
    fractions: tuple[float, ...]


def draw_cutflow(series: Sequence[CutflowSeries], steps: Sequence[str], style: StyleConfig) -> Figure:
    """Fraction of the generated events after each step, logarithmic."""
    figure, axes = canvas()
    edges = np.arange(len(steps) + 1) - 0.5
    for index, item in enumerate(series):
        axes.stairs(
            item.fractions,
            edges,
            baseline=None,
            color=COLOURS[index % len(COLOURS)],
            linestyle=DASHES[index % len(DASHES)],
            linewidth=2,
            label=item.legend,
        )
    smallest = min([fraction for item in series for fraction in item.fractions if fraction > 0], default=1.0)
    axes.set(xlim=(edges[0], edges[-1]), ylabel="Fraction of events")
    axes.set_xticks(range(len(steps)), steps)
    axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    legend_above(axes, smallest, ncols=2)
    add_label(axes, style)
    return figure
